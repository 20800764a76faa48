/**
 * The few programs of the machine that Otto itself needs inside a sandbox whose file system is an image: with the libraries that they
 * are linked to and the loader that puts them together, in a folder of their own. Nothing else of the machine is there.
 */

import { spawnSync } from "node:child_process";
import { basename } from "node:path";

export type OwnPrograms = {
  /** Pairs: a file of the machine, and its place inside. */
  readonly files: readonly (readonly [from: string, to: string])[];
  /** The words that start one of the programs. */
  readonly start: (program: string) => readonly string[];
  /** Where a file is inside. */
  readonly placeOf: (file: string) => string;
};

const folder = "/.otto";
const libraries = `${folder}/lib`;
const loaderName = /^ld-(?:linux|musl)[^/]*\.so[^/]*$/;
const listed = /^\s*(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/gmu;

/**
 * Null: how programs are put together on this machine is not known.
 *
 * @param programs absolute paths.
 * @param modules files that Node runs.
 */
export function ownPrograms(programs: readonly string[], modules: readonly string[]): OwnPrograms | null {
  const loader = loaderOfNode();
  if (loader === null) return null;
  const found = new Map<string, string>([[loader, `${libraries}/${basename(loader)}`]]);
  for (const program of programs) {
    const needed = librariesOf(loader, program);
    if (needed === null) return null;
    found.set(program, placeOf(program));
    for (const path of needed) found.set(path, `${libraries}/${basename(path)}`);
  }
  for (const path of modules) found.set(path, placeOf(path));
  const starting = [`${libraries}/${basename(loader)}`, "--library-path", libraries];
  return { files: [...found], start: (program) => [...starting, placeOf(program)], placeOf };
}

/** Files of the machine that make a root in which these programs run as they are called there: at their own places. */
export function rootOf(programs: readonly string[]): readonly string[] | null {
  const loader = loaderOfNode();
  if (loader === null) return null;
  const files = new Set([loader]);
  for (const program of programs) {
    const needed = librariesOf(loader, program);
    if (needed === null) return null;
    for (const path of [program, ...needed]) files.add(path);
  }
  return [...files];
}

function placeOf(program: string): string {
  return `${folder}/${basename(program)}`;
}

/** What put this very process together. */
function loaderOfNode(): string | null {
  // Without it Node asks for the names of all peers that it is connected with.
  const report = Object.assign(process.report, { excludeNetwork: true });
  const { sharedObjects } = report.getReport() as unknown as { readonly sharedObjects: readonly string[] };
  return sharedObjects.find((path) => loaderName.test(basename(path))) ?? null;
}

function librariesOf(loader: string, program: string): readonly string[] | null {
  const { status, stdout } = spawnSync(loader, ["--list", program], { encoding: "utf8", env: {} });
  if (status !== 0) return null;
  return [...stdout.matchAll(listed)].flatMap(([, path]) => path ?? []);
}
