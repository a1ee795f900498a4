// Numbers and times for people, in their language.

import type { Text } from "./text";

/** Seconds that nobody needs to be told. */
export const AT_ONCE = 0.5;

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

export function duration(seconds: number, text: Text): string {
  if (seconds < 1) {
    return text.t("milliseconds", { n: Math.round(seconds * 1000) });
  }
  if (seconds < 10) {
    return text.t("seconds", { n: Number(seconds.toFixed(1)) });
  }
  if (seconds < 2 * MINUTE) {
    return text.t("seconds", { n: Math.round(seconds) });
  }
  if (seconds < 2 * HOUR) {
    return text.t("minutes", { n: Math.round(seconds / MINUTE) });
  }
  return seconds < 2 * DAY
    ? text.t("hours", { n: Math.round(seconds / HOUR) })
    : text.t("days", { n: Math.round(seconds / DAY) });
}

export function between(from: string | null, to: string | null | undefined): number | null {
  return from && to ? Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000) : null;
}

export function ago(time: string, now: number, text: Text): string {
  const seconds = Math.round((Date.parse(time) - now) / 1000);
  const format = new Intl.RelativeTimeFormat(text.language, { numeric: "auto", style: "short" });
  const size = Math.abs(seconds);
  if (size < 5) {
    return text.t("justNow");
  }
  if (size < MINUTE) {
    return format.format(seconds, "second");
  }
  if (size < HOUR) {
    return format.format(Math.round(seconds / MINUTE), "minute");
  }
  return size < DAY
    ? format.format(Math.round(seconds / HOUR), "hour")
    : format.format(Math.round(seconds / DAY), "day");
}

export function clock(time: string, text: Text): string {
  const date = new Date(time);
  const today = date.toDateString() === new Date().toDateString();
  const day: Intl.DateTimeFormatOptions = today ? {} : { month: "short", day: "numeric" };
  return date.toLocaleString(text.language, { ...day, hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

export function bytes(size: number): string {
  const units = ["B", "KB", "MB", "GB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(size, 1)) / 3));
  const value = size / 1000 ** power;
  return `${value < 10 && power ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

/** US dollars with two digits that say something, such as $0.00042. */
export function money(usd: number): string {
  if (usd >= 1 || usd === 0) {
    return `$${usd.toFixed(2)}`;
  }
  return `$${usd.toFixed(Math.min(8, 1 - Math.floor(Math.log10(usd))))}`;
}

export function count(value: number, text: Text): string {
  return value.toLocaleString(text.language);
}
