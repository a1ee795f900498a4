// What all parts of the page share: the API, the words, the runtimes, and messages for the reader.

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Api } from "./api";
import type { Text } from "./text";
import type { Runtime } from "./types";

export interface Shared {
  api: Api;
  text: Text;
  /** null until the API answered for the first time. */
  runtimes: Runtime[] | null;
  /** Shows a line for some seconds. */
  say: (message: string) => void;
}

export const SharedContext = createContext<Shared | null>(null);

export function useShared(): Shared {
  const shared = useContext(SharedContext);
  if (!shared) {
    throw new Error("used outside of the page");
  }
  return shared;
}
