import type { JSX } from "preact";
import { useShared } from "../context";
import { between, clock, duration } from "../format";
import type { Text } from "../text";
import { hasEnded, type Task } from "../types";

interface Step {
  name: string;
  /** null: it goes on. */
  time: string | null;
  /** How long the stage before it took. */
  note: string | null;
  kind: "done" | "now" | "bad";
}

/** What happened to a task, and how long each stage took or takes. */
export function Timeline({ task, now }: { task: Task; now: number }): JSX.Element {
  const { text } = useShared();
  return (
    <ol class="timeline">
      {stepsOf(task, new Date(now).toISOString(), text).map((step) => (
        <li key={step.name} class={step.kind}>
          <span class="timeline-name">{step.name}</span>
          {step.time && <time dateTime={step.time}>{clock(step.time, text)}</time>}
          {step.note && <span class="timeline-note">{step.note}</span>}
        </li>
      ))}
    </ol>
  );
}

function stepsOf(task: Task, now: string, text: Text): Step[] {
  const { t } = text;
  const lasting = (word: "waitedFor" | "ranFor", from: string, to: string) =>
    t(word, { time: duration(between(from, to) ?? 0, text) });
  const steps: Step[] = [{ name: t("submitted"), time: task.created, note: null, kind: "done" }];
  if (task.started) {
    const name = t("attempt", { n: Math.max(1, task.attempt) });
    steps.push({ name, time: task.started, note: lasting("waitedFor", task.created, task.started), kind: "done" });
  }
  const since = task.started ?? task.created;
  const stage = task.started && task.status !== "queued" ? "ranFor" : "waitedFor";
  const end = task.ended ?? now;
  const bad = hasEnded(task) && task.status !== "completed";
  steps.push({
    name: text.named("status.", task.status),
    time: task.ended,
    note: lasting(stage, task.status === "queued" ? task.created : since, end),
    kind: bad ? "bad" : hasEnded(task) ? "done" : "now",
  });
  return steps;
}
