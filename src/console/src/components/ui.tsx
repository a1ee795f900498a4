import type { ButtonHTMLAttributes, ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";
import { useShared } from "../context";
import type { Status } from "../types";
import { Icon, type IconName } from "./icons";

export function Badge({ status }: { status: Status }): JSX.Element {
  const { text } = useShared();
  return <span class={`badge ${status}`}>{text.named("status.", status)}</span>;
}

export function Progress({ value, label }: { value: number | null; label: string }): JSX.Element {
  const percent = value === null ? null : Math.round(value * 100);
  return (
    <div
      class={`progress ${percent === null ? "unknown" : ""}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(percent === null ? {} : { "aria-valuenow": percent })}
    >
      <div class="progress-bar" style={{ width: percent === null ? "30%" : `${percent}%` }} />
    </div>
  );
}

interface FieldProps {
  label: string;
  hint?: string | undefined;
  problem?: string | undefined;
  wide?: boolean;
  children: (field: { id: string; "aria-describedby"?: string; "aria-invalid"?: "true" }) => ComponentChildren;
}

/** A control with its label; what is wrong with it is said under it. */
export function Field({ label, hint, problem, wide = false, children }: FieldProps): JSX.Element {
  const id = useId();
  const note = `${id}-note`;
  return (
    <div class={`field ${wide ? "wide" : ""}`}>
      <label for={id}>{label}</label>
      {children({
        id,
        ...(hint || problem ? { "aria-describedby": note } : {}),
        ...(problem ? { "aria-invalid": "true" as const } : {}),
      })}
      {(problem || hint) && (
        <p id={note} class={problem ? "problem" : "hint"}>
          {problem ?? hint}
        </p>
      )}
    </div>
  );
}

export function Button({
  icon,
  kind = "plain",
  children,
  ...rest
}: {
  icon?: IconName;
  kind?: "plain" | "primary" | "danger" | "quiet";
  children: ComponentChildren;
} & Omit<ButtonHTMLAttributes<HTMLButtonElement>, "icon">): JSX.Element {
  return (
    <button type="button" {...rest} class={`button ${kind}`}>
      {icon && <Icon name={icon} />}
      <span>{children}</span>
    </button>
  );
}

export function IconButton({
  icon,
  label,
  ...rest
}: { icon: IconName; label: string } & Omit<ButtonHTMLAttributes<HTMLButtonElement>, "icon" | "label">): JSX.Element {
  return (
    <button type="button" {...rest} class="icon-button" aria-label={label} title={label}>
      <Icon name={icon} />
    </button>
  );
}

export function CopyButton({ label, value }: { label: string; value: () => string }): JSX.Element {
  const { say, text } = useShared();
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value());
      say(text.t("copied"));
    } catch {
      say(text.t("notCopied"));
    }
  };
  return (
    <Button icon="copy" onClick={copy}>
      {label}
    </Button>
  );
}

export function Notice({
  kind = "error",
  title,
  children,
}: {
  kind?: "error" | "note";
  title?: string;
  children?: ComponentChildren;
}): JSX.Element {
  return (
    <div class={`notice ${kind}`} role={kind === "error" ? "alert" : "note"}>
      <Icon name={kind === "error" ? "alert" : "clock"} />
      <div>
        {title && <strong>{title}</strong>}
        {children}
      </div>
    </div>
  );
}

export function Empty({
  icon,
  title,
  children,
}: {
  icon: IconName;
  title: string;
  children?: ComponentChildren;
}): JSX.Element {
  return (
    <div class="empty">
      <Icon name={icon} size={36} />
      <h2>{title}</h2>
      {children}
    </div>
  );
}
