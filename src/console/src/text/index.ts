// The page's words, in the reader's language.

import { en } from "./en";
import { zh } from "./zh";

export type Language = "en" | "zh";
export type Word = keyof typeof en;

const WORDS: Record<Language, Record<Word, string>> = { en, zh };

export interface Text {
  language: Language;
  /** The words of that name, with `{name}` replaced. */
  t: (word: Word, values?: Record<string, string | number>) => string;
  /** The same for a name that comes from the API: itself where there are no words for it. */
  named: (prefix: string, name: string) => string;
}

export function textOf(language: Language): Text {
  const words = WORDS[language];
  const fill = (words: string, values: Record<string, string | number>) =>
    words.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
  return {
    language,
    t: (word, values = {}) => fill(words[word], values),
    named: (prefix, name) => (words as Record<string, string>)[`${prefix}${name}`] ?? name,
  };
}
