/** What a plan is made with, as the plan says it: each template and each step library once, pinned. */

import type { PlannedUse } from "../protocol/plan.ts";
import { compareText } from "../protocol/values.ts";
import type { Import } from "./imports.ts";
import type { Modules } from "./modules.ts";
import type { PipelineFile } from "./pipeline.ts";

/**
 * Sorted by name. What the pipeline's own `uses` declares has its name there, the smallest of several; anything else
 * is called by its source.
 */
export function plannedUses(
  modules: Modules,
  file: PipelineFile,
): { readonly list: readonly PlannedUse[]; readonly names: ReadonlyMap<string, string> } {
  const declared = new Map<string, string>();
  for (const name of [...file.uses.keys()].sort(compareText)) {
    const found = modules.importOf(file.uses.get(name)?.value ?? "");
    if (found !== null && !declared.has(found.id)) declared.set(found.id, name);
  }
  const names = new Map<string, string>();
  const list = modules.used.map((used): PlannedUse => {
    const name = declared.get(used.id) ?? used.source;
    names.set(used.id, name);
    return { name, ...pinned(used, modules) };
  });
  return { list: list.sort((left, right) => compareText(left.name, right.name)), names };
}

function pinned({ id, source, commit, digest, kind }: Import, modules: Modules): Omit<PlannedUse, "name"> {
  const library = kind === "library" ? modules.libraryOf(id) : null;
  if (library === null) return { source, commit, digest, kind };
  const entries = [...library.entry].sort(([left], [right]) => compareText(left, right));
  const may = library.may.length > 0 ? { may: library.may } : {};
  return { source, commit, digest, kind, entry: Object.fromEntries(entries), ...may };
}
