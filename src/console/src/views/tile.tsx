import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../components/icons";
import { Thumbnail } from "../components/media";
import { Badge, Progress } from "../components/ui";
import { useShared } from "../context";
import { ago, between, duration } from "../format";
import { factsOf, recordOf } from "../record";
import { hrefs } from "../router";
import type { Task } from "../types";

export function Tile({ task, now }: { task: Task; now: number }): JSX.Element {
  const { text } = useShared();
  const place = useRef<HTMLLIElement>(null);
  const prompt = usePrompt(task, place);
  const title = prompt ?? task.id;
  const [first] = task.outputs;
  const several = task.outputs.length + task.outputs_omitted;
  const ran = task.status === "completed" ? between(task.started, task.ended) : null;
  return (
    <li class="tile" ref={place}>
      <a href={hrefs.task(task.id)}>
        <div class="tile-media">
          {first ? <Thumbnail output={first} /> : <Waiting task={task} />}
          {several > 1 && <span class="tile-count">{several}</span>}
        </div>
        <div class="tile-text">
          <p class={prompt ? "tile-title" : "tile-title id"}>{title}</p>
          <p class="tile-facts">
            {task.status === "completed" ? (
              <span class="visually-hidden">{text.t("status.completed")}</span>
            ) : (
              <Badge status={task.status} />
            )}
            <span>{task.runtime}</span>
            <span>{ago(task.ended ?? task.created, now, text)}</span>
            {ran !== null && <span>{duration(ran, text)}</span>}
          </p>
        </div>
      </a>
    </li>
  );
}

/** In the place of a result: why there is none. */
function Waiting({ task }: { task: Task }): JSX.Element {
  const { text } = useShared();
  if (task.error) {
    return (
      <div class="tile-state failed">
        <Icon name="alert" size={28} />
        <p>{task.error.message}</p>
      </div>
    );
  }
  if (task.status === "running") {
    return (
      <div class="tile-state">
        <p class="tile-percent">
          {task.progress ? `${Math.round(task.progress.value * 100)} %` : text.t("status.running")}
        </p>
        <Progress value={task.progress?.value ?? null} label={text.t("progress")} />
      </div>
    );
  }
  return (
    <div class="tile-state">
      <Icon name={task.status === "queued" ? "clock" : "close"} size={28} />
      <p>{task.queue ? text.named("waits.", task.queue.waiting_for) : text.named("status.", task.status)}</p>
    </div>
  );
}

/** The prompt of a completed task, from its record, once the tile is on the screen. */
function usePrompt(task: Task, place: { current: HTMLElement | null }): string | null {
  const [prompt, setPrompt] = useState<string | null>(null);
  const wanted = task.status === "completed" && task.urls.record_url !== null && prompt === null;
  // Dependencies: a task's record does not change, its link does
  useEffect(() => {
    if (!wanted || !place.current) {
      return;
    }
    const watch = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting) {
          watch.disconnect();
          void recordOf(task).then((record) => setPrompt(record ? factsOf(record).prompt : null));
        }
      },
      { rootMargin: "200px" },
    );
    watch.observe(place.current);
    return () => watch.disconnect();
  }, [task.id, task.urls.record, wanted]);
  return prompt;
}
