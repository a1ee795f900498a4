import type { ComponentChildren, JSX } from "preact";
import { useShared } from "../context";
import { ago, between, bytes, clock, duration, money } from "../format";
import type { Facts } from "../record";
import { hrefs } from "../router";
import type { Task } from "../types";

/** What is known of a task: what it was asked for, what it cost, and who was told. */
export function Details({ task, facts, now }: { task: Task; facts: Facts | null; now: number }): JSX.Element {
  const { text } = useShared();
  return (
    <>
      {facts?.prompt && (
        <div class="card">
          <h2>{text.t("prompt")}</h2>
          <p class="prompt">{facts.prompt}</p>
          {facts.negative && (
            <>
              <h3>{text.t("negativePrompt")}</h3>
              <p class="prompt muted">{facts.negative}</p>
            </>
          )}
        </div>
      )}
      <div class="card">
        <h2>{text.t("details")}</h2>
        <dl class="facts">
          {facts && <Asked facts={facts} />}
          <Spent task={task} />
          <Labels task={task} />
          {task.deadline && (
            <Fact name={text.t("deadline")}>
              {clock(task.deadline, text)} ({ago(task.deadline, now, text)})
            </Fact>
          )}
          {task.webhook && <Webhook webhook={task.webhook} />}
          {task.outputs.length > 0 && (
            <Fact name={text.t("outputs")}>
              {task.outputs.map((output) => (
                <span key={output.s3} class="output-fact">
                  {output.type} · {bytes(output.bytes)}
                </span>
              ))}
            </Fact>
          )}
          {task.urls.record && (
            <Fact name={text.t("record")}>
              <code class="long">{task.urls.record}</code>
            </Fact>
          )}
          {task.expires && <Fact name={text.t("forgotten")}>{ago(task.expires, now, text)}</Fact>}
        </dl>
      </div>
    </>
  );
}

function Asked({ facts }: { facts: Facts }): JSX.Element {
  const { text } = useShared();
  return (
    <>
      {facts.seeds.length > 0 && (
        <Fact name={text.t("seed")}>
          <code>{facts.seeds.join(", ")}</code>
        </Fact>
      )}
      {facts.model && <Fact name={text.t("model")}>{facts.model}</Fact>}
      {facts.size && <Fact name={text.t("size")}>{facts.size}</Fact>}
      {facts.steps !== null && <Fact name={text.t("steps")}>{facts.steps}</Fact>}
      {facts.sampler && <Fact name={text.t("sampler")}>{facts.sampler}</Fact>}
    </>
  );
}

function Spent({ task }: { task: Task }): JSX.Element {
  const { text } = useShared();
  const waited = between(task.created, task.started);
  return (
    <>
      {waited !== null && <Fact name={text.t("waited")}>{duration(waited, text)}</Fact>}
      {task.attempt > 1 && <Fact name={text.t("attempts")}>{task.attempt}</Fact>}
      {task.usage && <Fact name={text.t("gpuTime")}>{duration(task.usage.gpu_seconds, text)}</Fact>}
      {task.usage?.usd != null && <Fact name={text.t("cost")}>{money(task.usage.usd)}</Fact>}
    </>
  );
}

function Labels({ task }: { task: Task }): JSX.Element | null {
  const { text } = useShared();
  const labels = Object.entries(task.labels);
  if (!labels.length) {
    return null;
  }
  return (
    <Fact name={text.t("labels")}>
      {labels.map(([name, value]) => (
        <a key={name} class="chip" href={hrefs.gallery(new URLSearchParams({ label: `${name}:${value}` }))}>
          {name}: {value}
        </a>
      ))}
    </Fact>
  );
}

function Webhook({ webhook }: { webhook: NonNullable<Task["webhook"]> }): JSX.Element {
  const { text } = useShared();
  return (
    <Fact name={text.t("webhook")}>
      {text.named("webhook.", webhook.state)}, {text.t("tries", { n: webhook.tries })}
      {webhook.last_status !== null && `, HTTP ${webhook.last_status}`}
    </Fact>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
