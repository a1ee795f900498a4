import type { JSX } from "preact";
import { useEffect, useId, useState } from "preact/hooks";
import { useShared } from "../context";
import { type Filter, STATUSES, type Status } from "../types";

const LABEL = /^[A-Za-z0-9._/-]{1,64}:.{1,256}$/;

export function Filters({ filter, change }: { filter: Filter; change: (filter: Filter) => void }): JSX.Element {
  const { runtimes, text } = useShared();
  const id = useId();
  return (
    <form class="filters" aria-label={text.t("filters")} onSubmit={(event) => event.preventDefault()}>
      <fieldset class="segments">
        <legend class="visually-hidden">{text.t("status")}</legend>
        {(["", ...STATUSES] as const).map((status) => (
          <label key={status} class={filter.status === status ? "chosen" : ""}>
            <input
              type="radio"
              name={`${id}-status`}
              checked={filter.status === status}
              onChange={() => change({ ...filter, status: status as Status | "" })}
            />
            {status ? text.named("status.", status) : text.t("all")}
          </label>
        ))}
      </fieldset>
      <div class="filter-controls">
        <label class="visually-hidden" for={`${id}-runtime`}>
          {text.t("runtime")}
        </label>
        <select
          id={`${id}-runtime`}
          value={filter.runtime}
          onChange={(event) => change({ ...filter, runtime: event.currentTarget.value })}
        >
          <option value="">{text.t("allRuntimes")}</option>
          {filter.runtime && !runtimes?.some((one) => one.name === filter.runtime) && (
            <option value={filter.runtime}>{filter.runtime}</option>
          )}
          {runtimes?.map((one) => (
            <option key={one.name} value={one.name}>
              {one.name}
            </option>
          ))}
        </select>
        <LabelFilter id={`${id}-label`} label={filter.label} change={(label) => change({ ...filter, label })} />
      </div>
    </form>
  );
}

/** Takes effect when it is a whole label, or empty. */
function LabelFilter(props: { id: string; label: string; change: (label: string) => void }): JSX.Element {
  const { text } = useShared();
  const [typed, setTyped] = useState(props.label);
  useEffect(() => setTyped(props.label), [props.label]);
  const wrong = typed !== "" && !LABEL.test(typed);
  const done = () => {
    if (!wrong && typed !== props.label) {
      props.change(typed);
    }
  };
  return (
    <>
      <label class="visually-hidden" for={props.id}>
        {text.t("label")}
      </label>
      <input
        id={props.id}
        type="search"
        placeholder={text.t("labelPlaceholder")}
        value={typed}
        aria-invalid={wrong}
        onInput={(event) => setTyped(event.currentTarget.value)}
        onChange={done}
        onKeyDown={(event) => event.key === "Enter" && done()}
      />
    </>
  );
}
