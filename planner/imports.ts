/**
 * What a pipeline is made with besides its own text: templates and step libraries that were brought beforehand, so that
 * planning stays a pure function. `cli/load-uses.ts` brings them, from the repository and from the cache of git.
 */

import { parseImageTag } from "../protocol/image-name.ts";
import { Mistakes } from "./diagnostics.ts";
import type { PipelineFile } from "./pipeline.ts";
import { parsePlainYaml } from "./plain-yaml.ts";
import { readPipeline } from "./read.ts";
import { readSource } from "./source-text.ts";
import { isDirect } from "./sources.ts";

export type Import = {
  readonly kind: "template" | "library";
  /** The same for the same file or folder, however it was named: two imports with one id are one thing. */
  readonly id: string;
  /** As diagnostics call it: the template's file, or the library's manifest. */
  readonly path: string;
  readonly text: string | Uint8Array;
  /** As a plan and otto.lock call it. */
  readonly source: string;
  readonly commit: string | null;
  readonly digest: string;
};

/** Why something that is used could not be brought, in words for a diagnostic. */
export type Absence = {
  readonly kind: "absent";
  readonly code: "pipeline/unknown-use" | "pipeline/not-locked";
  readonly message: string;
  readonly help: string;
};

/** For each file by its id (`rootId` for the pipeline itself) what its sources, as written there, stand for. */
export type Imports = ReadonlyMap<string, ReadonlyMap<string, Import | Absence>>;

export const rootId = "";

/** What a step or a notification says after `uses` or `pipeline`, as a source; null when it is none. */
export function sourceOf(file: PipelineFile, reference: string): string | null {
  const declared = file.uses.get(reference);
  if (declared !== undefined) return declared.value;
  return isDirect(reference) ? reference : null;
}

/**
 * False when a file surely uses nothing, without reading it: most do not, and are read once for that. Keys can hide
 * only behind escapes; what is not declared under `uses` begins with a sign.
 */
function mayUse(text: string): boolean {
  return /uses|image|\\|pipeline["']?\s*:\s*[^\w\s]/.test(text);
}

/** What a file uses that is not in it. */
export type Used = {
  readonly sources: readonly string[];
  /** Names of images that have no digest, of which a lock file may know one. */
  readonly images: readonly string[];
};

const nothingUsed: Used = { sources: [], images: [] };

/** Sorted by where it is said; with mistakes in the file, as far as it can be read. */
export async function usedIn(text: string | Uint8Array): Promise<Used> {
  const mistakes = new Mistakes();
  const source = readSource(text, mistakes);
  if (mistakes.count > 0 || !mayUse(source)) return nothingUsed;
  const tree = parsePlainYaml(source) ?? (await import("./yaml.ts")).parseYaml(source, mistakes);
  const file = tree === null ? null : readPipeline(tree, mistakes);
  if (file === null) return nothingUsed;
  const sources = new Set<string>();
  for (const { value } of file.uses.values()) sources.add(value);
  const references = [...file.steps.values()].flatMap(({ action }) => {
    if (action.kind === "uses") return [action.library.value];
    return action.kind === "pipeline" ? [action.template.value] : [];
  });
  for (const reference of [...references, ...file.notify.map(({ library }) => library.value)]) {
    const found = sourceOf(file, reference);
    if (found !== null) sources.add(found);
  }
  const names = [...file.steps.values()].flatMap(({ image }) => image?.name ?? []);
  return {
    sources: [...sources],
    images: [...new Set(names)].filter((name) => parseImageTag(name) !== null),
  };
}
