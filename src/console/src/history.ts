// How each runtime was since the page was opened. The API tells how it is now.

import type { Runtime } from "./types";

const MIN_DISTANCE_MS = 10_000;
const MAX_SAMPLES = 1440; // four hours

export interface Sample {
  at: number;
  waiting: number;
  ready: number;
}

const histories = new Map<string, Sample[]>();

export function observe(runtimes: Runtime[]): void {
  const at = Date.now();
  for (const runtime of runtimes) {
    const samples = histories.get(runtime.name) ?? [];
    const last = samples.at(-1);
    if (runtime.tasks && (!last || at - last.at >= MIN_DISTANCE_MS)) {
      samples.push({ at, waiting: runtime.tasks.waiting, ready: runtime.pods.ready });
      histories.set(runtime.name, samples.slice(-MAX_SAMPLES));
    }
  }
}

export function historyOf(runtime: string): Sample[] {
  return histories.get(runtime) ?? [];
}

export function forgetHistory(): void {
  histories.clear();
}
