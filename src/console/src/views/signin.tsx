import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Api, ApiError, endpointOf } from "../api";
import { Mark } from "../components/mark";
import { Button, Field, Notice } from "../components/ui";
import { useShared } from "../context";

export function SignIn({ refused, enter }: { refused: boolean; enter: (key: string) => void }): JSX.Element {
  const { text } = useShared();
  const [key, setKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(refused ? text.t("wrongKey") : null);
  const endpoint = endpointOf(location);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await new Api(endpoint, key.trim()).runtimes();
      enter(key.trim());
    } catch (error) {
      const wrong = error instanceof ApiError && (error.status === 401 || error.status === 403);
      setProblem(wrong ? text.t("wrongKey") : error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };
  return (
    <main class="sign-in">
      <form onSubmit={submit}>
        <Mark size={44} />
        <h1>{text.t("title")}</h1>
        <p class="muted">{text.t("signInHint")}</p>
        {problem && <Notice>{problem}</Notice>}
        <Field label={text.t("apiKey")} hint={text.t("keyKept")}>
          {(field) => (
            <input
              {...field}
              type="password"
              autocomplete="off"
              spellcheck={false}
              required
              value={key}
              onInput={(event) => setKey(event.currentTarget.value)}
            />
          )}
        </Field>
        <Button kind="primary" type="submit" disabled={busy || !key.trim()}>
          {text.t(busy ? "checking" : "enter")}
        </Button>
        <p class="muted endpoint">{endpoint}</p>
      </form>
    </main>
  );
}
