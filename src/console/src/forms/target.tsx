import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { Field } from "../components/ui";
import { useShared } from "../context";
import type { Runtime } from "../types";
import { type Draft, startOf } from "./draft";
import { useProblem } from "./problems";

interface TargetProps {
  draft: Draft;
  runtimes: Runtime[];
  change: (changed: Partial<Draft>) => void;
}

/** Which runtime does what. */
export function Target({ draft, runtimes, change }: TargetProps): JSX.Element {
  const { text } = useShared();
  const name = useId();
  const problem = useProblem("task.metadata.runtime");
  const types = runtimes.find((one) => one.name === draft.runtime)?.tasktypes ?? [draft.tasktype];
  const choose = (tasktype: string) => change({ tasktype, content: startOf(tasktype) });
  const chooseRuntime = (runtime: string) => {
    const offered = runtimes.find((one) => one.name === runtime)?.tasktypes ?? [];
    const kept = offered.includes(draft.tasktype);
    const tasktype = offered[0] ?? "";
    change(kept ? { runtime } : { runtime, tasktype, content: startOf(tasktype) });
  };
  return (
    <div class="card target">
      <Field label={text.t("runtime")} problem={problem}>
        {(own) => (
          <select {...own} value={draft.runtime} onChange={(event) => chooseRuntime(event.currentTarget.value)}>
            {!runtimes.some((one) => one.name === draft.runtime) && (
              <option value={draft.runtime}>{draft.runtime}</option>
            )}
            {runtimes.map((one) => (
              <option key={one.name} value={one.name}>
                {one.name} ({text.named("runtimetype.", one.type)})
              </option>
            ))}
          </select>
        )}
      </Field>
      <fieldset class="segments">
        <legend>{text.t("task")}</legend>
        {types.map((one) => (
          <label key={one} class={draft.tasktype === one ? "chosen" : ""}>
            <input type="radio" name={name} checked={draft.tasktype === one} onChange={() => choose(one)} />
            {text.named("tasktype.", one)}
          </label>
        ))}
      </fieldset>
    </div>
  );
}
