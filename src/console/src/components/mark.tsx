import type { JSX } from "preact";

/** The page's sign: a picture. */
export function Mark({ size }: { size: number }): JSX.Element {
  return (
    <svg class="mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" />
      <path d="M7 22l6-8 4 5 3-4 5 7z" />
      <circle cx="21" cy="11" r="2.5" />
    </svg>
  );
}
