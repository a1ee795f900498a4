import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import type { Api } from "../api";
import { Bars, Line } from "../components/plots";
import { Empty, Notice } from "../components/ui";
import { useShared } from "../context";
import { AT_ONCE, between, count, duration, money } from "../format";
import { historyOf } from "../history";
import { useNow, usePolling } from "../hooks";
import { hrefs } from "../router";
import { hasEnded, type Runtime, type Task } from "../types";

const RECENT_MS = 15_000;
const RECENT = 60; // bars of a plot
const OLDEST_LIMIT = 100; // the API's
const HOUR = 3600;

/** `oldest` is when the task that waits longest was sent; `more`: there are further ones, which may be older. */
interface Recent {
  ended: Task[];
  oldest: string | null;
  more: boolean;
}

export function Runtimes(): JSX.Element {
  const { runtimes, text } = useShared();
  return (
    <section aria-labelledby="runtimes-title">
      <div class="page-head">
        <h1 id="runtimes-title">{text.t("runtimes")}</h1>
      </div>
      {runtimes === null && <p class="muted">{text.t("loading")}</p>}
      {runtimes?.length === 0 && <Empty icon="runtimes" title={text.t("noRuntimes")} />}
      <div class="runtimes">
        {runtimes?.map((runtime) => (
          <RuntimeCard key={runtime.name} runtime={runtime} />
        ))}
      </div>
    </section>
  );
}

function RuntimeCard({ runtime }: { runtime: Runtime }): JSX.Element {
  const { api, text } = useShared();
  const [recent, setRecent] = useState<Recent | null>(null);
  const waiting = runtime.tasks?.waiting ?? 0;
  usePolling(async (signal) => setRecent(await read(api, runtime.name, waiting, signal)), RECENT_MS, [
    api,
    runtime.name,
  ]);
  const kind = [text.named("runtimetype.", runtime.type), runtime.model].filter(Boolean).join(" · ");
  return (
    <article class="card runtime">
      <header>
        <div>
          <h2>{runtime.name}</h2>
          <p class="muted">{kind}</p>
        </div>
        <State runtime={runtime} />
      </header>
      <Numbers runtime={runtime} recent={recent} />
      <Plots runtime={runtime} ended={recent?.ended ?? []} />
      <p class="card-links">
        <a href={hrefs.gallery(new URLSearchParams({ runtime: runtime.name }))}>{text.t("itsTasks")}</a>
        <a href={hrefs.gallery(new URLSearchParams({ runtime: runtime.name, status: "failed" }))}>
          {text.t("itsFailures")}
        </a>
      </p>
    </article>
  );
}

function State({ runtime }: { runtime: Runtime }): JSX.Element {
  const { text } = useShared();
  const { ready, starting } = runtime.pods;
  const state = ready ? "ready" : starting ? "starting" : "none";
  return <span class={`badge pods-${state}`}>{text.named("pods.", state)}</span>;
}

function Numbers({ runtime, recent }: { runtime: Runtime; recent: Recent | null }): JSX.Element {
  const { text } = useShared();
  const now = useNow(5000);
  const { tasks, pods, mean_seconds: mean, usd_per_task: usd, start_in: start } = runtime;
  const podHour = usd !== null && mean ? (usd / mean) * HOUR : null;
  const oldest = recent?.oldest && tasks?.waiting ? between(recent.oldest, new Date(now).toISOString()) : null;
  return (
    <>
      <dl class="numbers">
        <Value name={text.t("waitingTasks")}>{tasks ? count(tasks.waiting, text) : "–"}</Value>
        <Value name={text.t("takenTasks")}>{tasks ? count(tasks.taken, text) : "–"}</Value>
        <Value name={text.t("podsReady")}>{pods.ready}</Value>
        <Value name={text.t("podsStarting")}>{pods.starting}</Value>
        <Value name={text.t("meanRun")}>{mean === null ? "–" : duration(mean, text)}</Value>
        <Value name={text.t("oldest")}>
          {oldest === null ? "–" : `${recent?.more ? "> " : ""}${duration(oldest, text)}`}
        </Value>
        <Value name={text.t("perTask")}>{usd === null ? "–" : money(usd)}</Value>
        <Value name={text.t("perHour")}>{podHour === null ? "–" : money(podHour * pods.ready)}</Value>
      </dl>
      {!pods.ready && !pods.starting && <Notice kind="note">{text.t("noPod")}</Notice>}
      {start !== null && (
        <p class="muted">
          {start < AT_ONCE ? text.t("newTaskStartsNow") : text.t("newTaskStarts", { time: duration(start, text) })}
        </p>
      )}
    </>
  );
}

function Value({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Plots({ runtime, ended }: { runtime: Runtime; ended: Task[] }): JSX.Element {
  const { text } = useShared();
  const samples = historyOf(runtime.name);
  const [first, last] = [samples[0], samples.at(-1)];
  const most = Math.max(0, ...samples.map((sample) => sample.waiting));
  const waitingLabel =
    first && last && last !== first
      ? text.t("waitingPlot", { most, span: duration((last.at - first.at) / 1000, text) })
      : text.t("waitingOnly");
  const failed = ended.filter((task) => task.status === "failed").length;
  const runsLabel = ended.length ? text.t("runsPlot", { n: ended.length, failed }) : text.t("runsNone");
  const bars = ended
    .map((task) => ({
      at: Date.parse(task.created),
      value: between(task.started ?? task.created, task.ended) ?? 0,
      bad: task.status === "failed",
    }))
    .reverse();
  return (
    <div class="plots">
      <figure>
        <Line points={samples.map((sample) => ({ at: sample.at, value: sample.waiting }))} label={waitingLabel} />
        <figcaption>{waitingLabel}</figcaption>
      </figure>
      <figure>
        <Bars points={bars} label={runsLabel} />
        <figcaption>{runsLabel}</figcaption>
      </figure>
    </div>
  );
}

async function read(api: Api, runtime: string, waiting: number, signal: AbortSignal): Promise<Recent> {
  const page = await api.list({ runtime }, { limit: RECENT, links: 0, signal });
  const queued = waiting
    ? await api.list({ runtime, status: "queued" }, { limit: OLDEST_LIMIT, links: 0, signal })
    : { tasks: [], next: null };
  return {
    ended: page.tasks.filter((task) => hasEnded(task) && task.started),
    oldest: queued.tasks.at(-1)?.created ?? null,
    more: queued.next !== null,
  };
}
