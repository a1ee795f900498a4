// Controls for one value of a task's content.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Field, IconButton } from "../components/ui";
import { useShared } from "../context";
import type { Json } from "../types";
import { useProblem } from "./problems";

const SEEDS = 2 ** 32;

interface Props<Value> {
  label: string;
  value: Json | undefined;
  /** undefined leaves the value out. */
  change: (value: Value | undefined) => void;
  /** The field's name in the API's errors. */
  field: string;
  hint?: string;
}

export function TextInput({
  label,
  value,
  change,
  field,
  hint,
  long = false,
  placeholder = "",
}: Props<string> & { long?: boolean; placeholder?: string }): JSX.Element {
  const problem = useProblem(field);
  const shown = typeof value === "string" ? value : "";
  return (
    <Field label={label} hint={hint} problem={problem} wide={long}>
      {(own) =>
        long ? (
          <textarea
            {...own}
            rows={3}
            value={shown}
            placeholder={placeholder}
            onInput={(event) => change(event.currentTarget.value)}
          />
        ) : (
          <input
            {...own}
            type="text"
            value={shown}
            placeholder={placeholder}
            onInput={(event) => change(event.currentTarget.value)}
          />
        )
      }
    </Field>
  );
}

export function NumberInput({
  label,
  value,
  change,
  field,
  hint,
  step = 1,
  min,
  max,
}: Props<number> & { step?: number | "any"; min?: number; max?: number }): JSX.Element {
  const problem = useProblem(field);
  return (
    <Field label={label} hint={hint} problem={problem}>
      {(own) => <Numeric own={own} value={value} change={change} step={step} {...limits(min, max)} />}
    </Field>
  );
}

/** A number, or by chance. */
export function SeedInput({ label, value, change, field, hint }: Props<number>): JSX.Element {
  const { text } = useShared();
  const problem = useProblem(field);
  return (
    <Field label={label} hint={hint} problem={problem}>
      {(own) => (
        <span class="with-button">
          <Numeric own={own} value={value} change={change} step={1} min={-1} />
          <IconButton icon="dice" label={text.t("newSeed")} onClick={() => change(Math.floor(Math.random() * SEEDS))} />
        </span>
      )}
    </Field>
  );
}

interface NumericProps {
  own: object;
  value: Json | undefined;
  change: (value: number | undefined) => void;
  step: number | "any";
  min?: number;
  max?: number;
}

/** Keeps what is typed until it is a number. */
function Numeric({ own, value, change, ...rest }: NumericProps): JSX.Element {
  const { text } = useShared();
  const given = typeof value === "number" ? String(value) : "";
  const [typed, setTyped] = useState(given);
  useEffect(() => {
    setTyped((before) => (before !== "" && Number(before) === Number(given || Number.NaN) ? before : given));
  }, [given]);
  const input = (text: string) => {
    setTyped(text);
    if (text.trim() === "") {
      change(undefined);
    } else if (Number.isFinite(Number(text))) {
      change(Number(text));
    }
  };
  return (
    <input
      {...own}
      {...rest}
      type="number"
      placeholder={text.t("usual")}
      inputMode="decimal"
      value={typed}
      onInput={(event) => input(event.currentTarget.value)}
    />
  );
}

export function Choice({ label, value, change, field, options }: Props<string> & { options: string[] }): JSX.Element {
  const { text } = useShared();
  const problem = useProblem(field);
  const chosen = typeof value === "string" ? value : "";
  const all = chosen && !options.includes(chosen) ? [chosen, ...options] : options;
  return (
    <Field label={label} problem={problem}>
      {(own) => (
        <select {...own} value={chosen} onChange={(event) => change(event.currentTarget.value)}>
          {all.map((option) => (
            <option key={option} value={option}>
              {option || text.t("usual")}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

function limits(min: number | undefined, max: number | undefined): { min?: number; max?: number } {
  return { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
}
