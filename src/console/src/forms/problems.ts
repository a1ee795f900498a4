import { createContext } from "preact";
import { useContext } from "preact/hooks";

type Problems = { field: string; problem: string }[];

/** What the API found wrong with the last try, by the names of its fields. */
export const ProblemsContext = createContext<Problems>([]);

export function useProblem(field: string): string | undefined {
  return useContext(ProblemsContext).find((one) => one.field === field)?.problem;
}
