import type { JSX } from "preact";

export function Toast({ message }: { message: string | null }): JSX.Element {
  return (
    <div class={`toast ${message ? "shown" : ""}`} role="status" aria-live="polite">
      {message}
    </div>
  );
}
