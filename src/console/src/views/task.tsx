import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Media } from "../components/media";
import { Badge, CopyButton, Notice, Progress } from "../components/ui";
import { useShared } from "../context";
import { useNow, useTask } from "../hooks";
import { type Facts, factsOf, recordOf, requestOf } from "../record";
import { hrefs } from "../router";
import { remembered } from "../session";
import { asCurl, asPython } from "../snippets";
import { hasEnded, type JsonObject, type Submission, type Task } from "../types";
import { Actions } from "./actions";
import { Details } from "./details";
import { Timeline } from "./timeline";
import { Why } from "./why";

export function TaskPage({ id }: { id: string }): JSX.Element {
  const { api, text } = useShared();
  const { task, error, update } = useTask(api, id);
  const record = useRecord(task);
  if (!task) {
    return (
      <section>
        <h1 class="id">{id}</h1>
        {error ? (
          <Notice title={text.t(error.status === 404 ? "noSuchTask" : "notRead")}>{error.message}</Notice>
        ) : (
          <p class="muted">{text.t("loading")}</p>
        )}
      </section>
    );
  }
  const facts = record ? factsOf(record) : null;
  const submission = remembered(task.id) ?? (record ? requestOf(task, record) : null);
  return (
    <article class="task" aria-labelledby="task-title">
      <div class="page-head">
        <div>
          <a class="back" href={hrefs.gallery()}>
            {text.t("gallery")}
          </a>
          <h1 id="task-title" class="id">
            {task.id}
          </h1>
        </div>
        <Actions task={task} repeatable={submission !== null} update={update} />
      </div>
      {error && <Notice title={text.t("notRead")}>{error.message}</Notice>}
      <div class="task-parts">
        <div class="task-result">
          <Result task={task} alt={facts?.prompt ?? task.id} />
        </div>
        <Side task={task} facts={facts} submission={submission} />
      </div>
    </article>
  );
}

function Side(props: { task: Task; facts: Facts | null; submission: Submission | null }): JSX.Element {
  const { api, text } = useShared();
  const now = useNow();
  const { task, facts, submission } = props;
  return (
    <div class="task-side">
      <div class="card">
        <div class="task-state">
          <Badge status={task.status} />
          <span class="muted">
            {task.runtime} · {text.named("tasktype.", task.tasktype)}
          </span>
        </div>
        <Timeline task={task} now={now} />
      </div>
      <Details task={task} facts={facts} now={now} />
      {submission && (
        <div class="card">
          <h2>{text.t("asProgram")}</h2>
          <p class="muted">{text.t("asProgramHint")}</p>
          <div class="buttons">
            <CopyButton label={text.t("copyCurl")} value={() => asCurl(api.endpoint, submission)} />
            <CopyButton label={text.t("copyPython")} value={() => asPython(api.endpoint, submission)} />
          </div>
        </div>
      )}
    </div>
  );
}

function Result({ task, alt }: { task: Task; alt: string }): JSX.Element {
  const { text } = useShared();
  const [shown, setShown] = useState(0);
  const output = task.outputs[Math.min(shown, task.outputs.length - 1)];
  if (!output) {
    return <div class="stage">{hasEnded(task) ? <Why task={task} /> : <Pending task={task} />}</div>;
  }
  return (
    <>
      <div class="stage filled">
        <Media key={output.s3} output={output} alt={alt} />
      </div>
      {task.outputs.length > 1 && (
        <ul class="strip" aria-label={text.t("outputs")}>
          {task.outputs.map((one, index) => (
            <li key={one.s3}>
              <button
                type="button"
                aria-pressed={one === output}
                aria-label={text.t("output", { n: one.n })}
                onClick={() => setShown(index)}
              >
                {one.type.startsWith("image/") && one.url ? <img src={one.url} alt="" loading="lazy" /> : one.n}
              </button>
            </li>
          ))}
        </ul>
      )}
      {task.outputs_omitted > 0 && <p class="muted">{text.t("omitted", { n: task.outputs_omitted })}</p>}
    </>
  );
}

function Pending({ task }: { task: Task }): JSX.Element {
  const { text } = useShared();
  const value = task.progress?.value ?? null;
  return (
    <div class="pending">
      <p class="pending-value" aria-hidden="true">
        {task.status === "running" && value !== null
          ? `${Math.round(value * 100)} %`
          : text.named("status.", task.status)}
      </p>
      {task.status === "running" && <Progress value={value} label={text.t("progress")} />}
      <Why task={task} />
    </div>
  );
}

function useRecord(task: Task | null): JsonObject | null {
  const [record, setRecord] = useState<JsonObject | null>(null);
  const url = task?.urls.record_url;
  // Dependencies: a task's record does not change once it is there
  useEffect(() => {
    if (task && url) {
      void recordOf(task).then(setRecord);
    }
  }, [task?.id, task?.urls.record]);
  return record;
}
