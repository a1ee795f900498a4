import type { JSX } from "preact";
import { useEffect, useId, useState } from "preact/hooks";
import { useShared } from "../context";
import { type Draft, draftFrom, submissionOf } from "./draft";

/** The request as it is sent. What is typed here changes the form as soon as it is a request again. */
export function RawJson({ draft, setDraft }: { draft: Draft; setDraft: (draft: Draft) => void }): JSX.Element {
  const { text } = useShared();
  const id = useId();
  const [typed, setTyped] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    if (typed === null) {
      setProblem(null);
    }
  }, [typed]);
  const input = (changed: string) => {
    setTyped(changed);
    try {
      setDraft(draftFrom(changed, draft));
      setProblem(null);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <div class="card raw">
      <label for={id}>{text.t("json")}</label>
      <textarea
        id={id}
        class="code"
        rows={18}
        spellcheck={false}
        aria-invalid={problem ? "true" : undefined}
        aria-describedby={`${id}-note`}
        value={typed ?? JSON.stringify(submissionOf(draft), null, 2)}
        onInput={(event) => input(event.currentTarget.value)}
        onBlur={() => problem === null && setTyped(null)}
      />
      <p id={`${id}-note`} class={problem ? "problem" : "hint"}>
        {problem ? text.t("notJson", { problem }) : text.t("jsonHint")}
      </p>
    </div>
  );
}
