// What the browser remembers: the key and the requests as long as the tab lives, language and theme for longer.

import { isObject, type Submission } from "./types";

const KEY = "console.key";
const SENT = "console.sent";
const MAX_SENT = 40;
const MAX_SENT_CHARACTERS = 200_000;

export type Theme = "light" | "dark" | "auto";

export const session = {
  key: (): string | null => sessionStorage.getItem(KEY),
  setKey: (key: string): void => sessionStorage.setItem(KEY, key),
  clear: (): void => sessionStorage.clear(),
};

export const settings = {
  language: (): "en" | "zh" => {
    const kept = localStorage.getItem("console.language");
    const wanted = kept ?? navigator.language;
    return wanted.startsWith("zh") ? "zh" : "en";
  },
  setLanguage: (language: string): void => localStorage.setItem("console.language", language),
  theme: (): Theme => {
    const kept = localStorage.getItem("console.theme");
    return kept === "light" || kept === "dark" ? kept : "auto";
  },
  setTheme: (theme: Theme): void => localStorage.setItem("console.theme", theme),
};

/** Remember a request, so that its task can be sent again: the API keeps no content of a task that has not ended. */
export function remember(id: string, submission: Submission): void {
  const others = sent().filter(([known]) => known !== id);
  const kept: [string, Submission][] = [[id, submission], ...others].slice(0, MAX_SENT) as [string, Submission][];
  while (kept.length && JSON.stringify(kept).length > MAX_SENT_CHARACTERS) {
    kept.pop();
  }
  try {
    sessionStorage.setItem(SENT, JSON.stringify(kept));
  } catch {
    // The browser's storage is full or forbidden; the request is sent all the same.
  }
}

export function remembered(id: string): Submission | null {
  return sent().find(([known]) => known === id)?.[1] ?? null;
}

function sent(): [string, Submission][] {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(SENT) ?? "[]");
    return Array.isArray(kept) ? kept.filter((one) => Array.isArray(one) && isObject(one[1])) : [];
  } catch {
    return [];
  }
}
