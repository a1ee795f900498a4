import type { JSX } from "preact";
import { Button } from "../components/ui";
import { useShared } from "../context";
import { AT_ONCE, duration, money } from "../format";
import type { Runtime } from "../types";

/** When the task would start and what it would cost, as far as the API can tell, and the button that sends it. */
export function Estimate({ runtime, busy }: { runtime: Runtime | null; busy: boolean }): JSX.Element {
  const { text } = useShared();
  return (
    <div class="card estimate">
      <h2>{text.t("estimate")}</h2>
      <dl class="numbers">
        <div>
          <dt>{text.t("starts")}</dt>
          <dd>{startOf(runtime, text)}</dd>
        </div>
        <div>
          <dt>{text.t("runs")}</dt>
          <dd>{runtime?.mean_seconds ? duration(runtime.mean_seconds, text) : "–"}</dd>
        </div>
        <div>
          <dt>{text.t("cost")}</dt>
          <dd>{runtime?.usd_per_task ? money(runtime.usd_per_task) : "–"}</dd>
        </div>
      </dl>
      <p class="muted">{text.t("estimateHint")}</p>
      <Button kind="primary" type="submit" disabled={busy}>
        {text.t(busy ? "sending" : "send")}
      </Button>
    </div>
  );
}

function startOf(runtime: Runtime | null, text: ReturnType<typeof useShared>["text"]): string {
  if (!runtime) {
    return "–";
  }
  if (!runtime.pods.ready) {
    return text.t("afterColdStart");
  }
  if (runtime.start_in === null) {
    return "–";
  }
  return runtime.start_in < AT_ONCE ? text.t("now") : text.t("inTime", { time: duration(runtime.start_in, text) });
}
