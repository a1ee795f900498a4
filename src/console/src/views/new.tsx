import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { ApiError } from "../api";
import { CopyButton, Notice } from "../components/ui";
import { useShared } from "../context";
import { ContentForm } from "../forms/content";
import { type Draft, draftOf, emptyDraft, newId, submissionOf } from "../forms/draft";
import { Estimate } from "../forms/estimate";
import { Options } from "../forms/options";
import { ProblemsContext } from "../forms/problems";
import { RawJson } from "../forms/raw";
import { Target } from "../forms/target";
import { recordOf, requestOf } from "../record";
import { go, hrefs } from "../router";
import { remember, remembered } from "../session";
import { asCurl } from "../snippets";
import type { Runtime } from "../types";

export function NewTask({ from }: { from: string | null }): JSX.Element {
  const { runtimes, text } = useShared();
  const start = useStart(from, runtimes);
  return (
    <section aria-labelledby="new-title">
      <div class="page-head">
        <h1 id="new-title">{text.t(from ? "runAgain" : "newTask")}</h1>
      </div>
      {start === null && <p class="muted">{text.t("loading")}</p>}
      {start?.missing && <Notice kind="note">{text.t("notRepeatable")}</Notice>}
      {start?.draft === null && <Notice kind="note">{text.t("noRuntimes")}</Notice>}
      {start?.draft && <Form start={start.draft} runtimes={runtimes ?? []} />}
    </section>
  );
}

/** What the form begins with; null until that is known. `missing`: nobody knows any more what the task asked for. */
function useStart(from: string | null, runtimes: Runtime[] | null): { draft: Draft | null; missing: boolean } | null {
  const { api } = useShared();
  const [start, setStart] = useState<{ draft: Draft | null; missing: boolean } | null>(null);
  const known = runtimes !== null;
  // Dependencies: only the first runtimes matter
  useEffect(() => {
    if (!runtimes || start) {
      return;
    }
    const [first] = runtimes;
    const empty = first ? emptyDraft(first) : null;
    const own = from ? remembered(from) : null;
    if (!from || own) {
      setStart({ draft: own ? draftOf(own) : empty, missing: false });
      return;
    }
    void (async () => {
      const task = (await api.task(from).catch(() => null))?.task;
      const record = task ? await recordOf(task) : null;
      const submission = task && record ? requestOf(task, record) : null;
      setStart({ draft: submission ? draftOf(submission) : empty, missing: submission === null });
    })();
  }, [api, from, known]);
  return start;
}

function Form({ start, runtimes }: { start: Draft; runtimes: Runtime[] }): JSX.Element {
  const { api, text } = useShared();
  const [draft, setDraft] = useState(start);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const runtime = runtimes.find((one) => one.name === draft.runtime) ?? null;
  const submission = submissionOf(draft);
  const written = JSON.stringify(submission);
  // Dependencies: another request gets another id
  const id = useMemo(newId, [written]);
  const change = (changed: Partial<Draft>) => setDraft((before) => ({ ...before, ...changed }));
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const task = await api.submit(submission, id);
      remember(task.id, submission);
      go(hrefs.task(task.id));
    } catch (problem) {
      setError(problem instanceof ApiError ? problem : new ApiError(0, String(problem)));
      setBusy(false);
    }
  };
  return (
    <ProblemsContext.Provider value={error?.fields ?? []}>
      <form class="new" onSubmit={submit}>
        <div class="new-form">
          <Target draft={draft} runtimes={runtimes} change={change} />
          <ContentForm draft={draft} change={(content) => change({ content })} />
          <Options draft={draft} change={change} />
        </div>
        <div class="new-side">
          {error && <Refusal error={error} />}
          <Estimate runtime={runtime} busy={busy} />
          <RawJson draft={draft} setDraft={setDraft} />
          <CopyButton label={text.t("copyCurl")} value={() => asCurl(api.endpoint, submission)} />
        </div>
      </form>
    </ProblemsContext.Provider>
  );
}

function Refusal({ error }: { error: ApiError }): JSX.Element {
  const { text } = useShared();
  return (
    <Notice title={text.t("refused")}>
      {error.fields.length ? (
        <ul>
          {error.fields.map((one) => (
            <li key={`${one.field} ${one.problem}`}>
              <code>{one.field}</code> {one.problem}
            </li>
          ))}
        </ul>
      ) : (
        <p>{error.message}</p>
      )}
    </Notice>
  );
}
