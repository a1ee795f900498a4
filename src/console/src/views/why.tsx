import type { JSX } from "preact";
import { Notice } from "../components/ui";
import { useShared } from "../context";
import { count, duration } from "../format";
import { hrefs } from "../router";
import type { Task } from "../types";

/** In a sentence: why a task waits, or why it ended without a result. */
export function Why({ task }: { task: Task }): JSX.Element | null {
  const { text } = useShared();
  if (task.error) {
    return (
      <Notice
        title={text.t(
          task.status === "expired"
            ? "expiredBecause"
            : task.status === "canceled"
              ? "canceledBecause"
              : "failedBecause",
        )}
      >
        <p>{task.error.message}</p>
        <p class="muted">
          {text.t(task.error.retryable ? "retryable" : "notRetryable")} <code>{task.error.type}</code>
        </p>
      </Notice>
    );
  }
  if (task.cancel_requested && task.status === "running") {
    return <p>{text.t("stopping")}</p>;
  }
  switch (task.status) {
    case "queued":
      return <Queued task={task} />;
    case "running":
      return task.progress ? null : <p class="muted">{text.t("noProgress")}</p>;
    case "completed":
      return <p class="muted">{text.t("noOutputs")}</p>;
    default:
      return <p class="muted">{text.named("ended.", task.status)}</p>;
  }
}

function Queued({ task }: { task: Task }): JSX.Element {
  const { text } = useShared();
  const queue = task.queue;
  return (
    <>
      <p>{text.named("why.", queue?.waiting_for ?? "turn")}</p>
      <p class="muted">
        {queue?.ahead !== null && queue?.ahead !== undefined && text.t("ahead", { n: count(queue.ahead, text) })}{" "}
        {queue?.start_in !== null &&
          queue?.start_in !== undefined &&
          text.t("startIn", { time: duration(queue.start_in, text) })}
      </p>
      {queue?.waiting_for === "pod" && <a href={hrefs.runtimes()}>{text.t("seeRuntimes")}</a>}
    </>
  );
}
