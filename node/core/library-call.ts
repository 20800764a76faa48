/** From a planned step that uses a step library to what an executor is told of it. */

import type { Plan, PlannedStep } from "../../protocol/plan.ts";
import type { LibraryCall } from "../ports.ts";

/** Null for a step that uses none; the check of a plan saw to it that what is used is there. */
export function libraryCallOf({ action }: PlannedStep, { uses = [] }: Plan): LibraryCall | null {
  if (action?.kind !== "uses") return null;
  const used = uses.find(({ kind, name }) => kind === "library" && name === action.library);
  if (used === undefined) return null;
  return { name: used.name, tree: used.digest, entry: used.entry ?? {}, with: action.with };
}
