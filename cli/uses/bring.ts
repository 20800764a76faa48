/**
 * Brings what a pipeline uses, before it is planned: its templates, what these use in turn, and the step libraries.
 *
 *   ./ci/deploy.yaml      from the repository of the file that says so, at that one's commit
 *   git+https://...@v1    the commit that otto.lock pins, from the cache, else fetched; checked by its digest
 *   otto/http             from Otto itself
 *   an image, node:24     is only named: its digest is in otto.lock, and the worker brings it
 *
 * Promises: every file is read once; what cannot be had is an absence with words, not an error, so that all mistakes
 * are told at once; nothing that is not pinned is fetched unless somebody locks (`Pins`).
 */

import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Absence, type Import, type Imports, rootId, usedIn } from "../../planner/imports.ts";
import type { LockEntry } from "../../planner/lock-file.ts";
import { parseSource, type UseSource } from "../../planner/sources.ts";
import { suggestion } from "../../planner/suggestions.ts";
import { manifestName } from "../../planner/step-library.ts";
import { OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { sha256Hex } from "../../protocol/values.ts";
import { type Folder, type Found, type Repository, WorkingFolder } from "./repository.ts";

/** What git sources are: as otto.lock says, or as they are now. */
export type Pins = {
  /** The commit of a revision with its files, or why not. */
  at(
    source: Extract<UseSource, { kind: "git" }>,
    name: string,
  ): Promise<{ readonly commit: string; readonly repository: Repository } | Absence>;
  /** Told what was found under a name; answers why it may not be used, or null. */
  check(
    source: Extract<UseSource, { kind: "git" }>,
    name: string,
    entry: LockEntry,
  ): Promise<Absence | "again" | null>;
  /** The digest of an image, `sha256:HEX`; null: none is pinned. */
  image(name: string): Promise<string | null>;
};

export type Brought = {
  readonly imports: Imports;
  /** Digests of images that are named without one, as far as they are pinned. */
  readonly images: ReadonlyMap<string, string>;
  /** The folders of the step libraries, by the digest of their trees. */
  readonly libraries: ReadonlyMap<string, Folder>;
};

/** Where a file was found: relative sources in it are of the same repository. */
type Origin = {
  readonly repository: Repository;
  /** Null in the repository of the pipeline itself. */
  readonly git: { readonly address: string; readonly revision: string; readonly commit: string } | null;
};

/** Otto's own libraries, as seen from the sources, or from the bundle. */
const standardFolder = ["../library", "../cli/library"]
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find((path) => existsSync(path));

async function standardNames(): Promise<readonly string[]> {
  if (standardFolder === undefined) return [];
  const entries = await readdir(standardFolder, { withFileTypes: true });
  return entries.flatMap((entry) => (entry.isDirectory() ? [`otto/${entry.name}`] : []));
}

/** @param text the pipeline file. */
export async function bringUses(
  text: string | Uint8Array,
  from: { readonly repository: Repository; readonly pins: Pins; readonly prefix?: string },
): Promise<Brought> {
  const imports = new Map<string, ReadonlyMap<string, Import | Absence>>();
  const libraries = new Map<string, Folder>();
  const images = new Map<string, string>();
  const bringing = new Bringing(from.pins, libraries, from.prefix ?? "");
  const queue: { id: string; text: string | Uint8Array; origin: Origin }[] = [
    { id: rootId, text, origin: { repository: from.repository, git: null } },
  ];
  const seen = new Set<string>();
  for (const { id, text: own, origin } of queue) {
    const found = new Map<string, Import | Absence>();
    imports.set(id, found);
    const used = await usedIn(own);
    for (const name of used.images) {
      const digest = images.get(name) ?? (await from.pins.image(name));
      if (digest !== null) images.set(name, digest);
    }
    for (const source of used.sources) {
      const brought = await bringing.bring(source, origin);
      if (brought === null) continue;
      if (brought.found.kind !== "absent" && !seen.has(brought.found.id)) {
        if (seen.size >= limits.importsPerPlanMax) {
          found.set(source, tooMany);
          continue;
        }
        seen.add(brought.found.id);
        const next = { id: brought.found.id, text: brought.found.text, origin: brought.origin };
        if (brought.found.kind === "template") queue.push(next);
      }
      found.set(source, brought.found);
    }
  }
  return { imports, images, libraries };
}

const tooMany: Absence = {
  kind: "absent",
  code: "pipeline/unknown-use",
  message: `a pipeline uses at most ${limits.importsPerPlanMax} templates and step libraries`,
  help: "use fewer, or split the pipeline",
};

function absent(message: string, help: string, code: Absence["code"] = "pipeline/unknown-use"): Absence {
  return { kind: "absent", code, message, help };
}

class Bringing {
  readonly #pins: Pins;
  readonly #libraries: Map<string, Folder>;
  readonly #prefix: string;
  readonly #known = new Map<string, Promise<Import | Absence>>();

  /** @param prefix before the names of the repository's own files in diagnostics. */
  constructor(pins: Pins, libraries: Map<string, Folder>, prefix: string) {
    this.#pins = pins;
    this.#libraries = libraries;
    this.#prefix = prefix;
  }

  /** Null for what is no source: whoever reads the file says so. */
  async bring(
    source: string,
    origin: Origin,
  ): Promise<{ readonly found: Import | Absence; readonly origin: Origin } | null> {
    const parsed = parseSource(source);
    if (parsed === null) return null;
    if (parsed.kind === "standard") {
      const repository = standardFolder === undefined ? nowhere : new WorkingFolder(standardFolder);
      const found = await this.#once(`otto/${parsed.name}`, async (name) =>
        this.#import(
          await repository.find(parsed.name),
          { name, file: name, commit: null },
          suggestion(name, await standardNames(), "library"),
        ),
      );
      return { found, origin: { repository, git: null } };
    }
    if (parsed.kind === "path" && origin.git === null) {
      const { repository } = origin;
      const file = `${this.#prefix}${parsed.path}`;
      const place = { name: `./${parsed.path}`, file, commit: null };
      const help = "write the path of a file or a folder, from the top of the repository";
      const found = await this.#once(place.name, async () =>
        this.#import(await repository.find(parsed.path), place, help),
      );
      return { found, origin };
    }
    const wanted =
      parsed.kind === "git"
        ? parsed
        : ({ kind: "git", ...(origin.git ?? { address: "", revision: "" }), path: parsed.path } as const);
    return this.#git(wanted);
  }

  async #git(
    source: Extract<UseSource, { kind: "git" }>,
  ): Promise<{ readonly found: Import | Absence; readonly origin: Origin }> {
    const { address, revision, path } = source;
    const wanted = `git+${address}@${revision}${path === null ? "" : `#${path}`}`;
    let origin: Origin = { repository: nowhere, git: null };
    const found = await this.#once(wanted, async (name): Promise<Import | Absence> => {
      for (let attempt = 1; ; attempt += 1) {
        const at = await this.#pins.at(source, name);
        if ("kind" in at) return at;
        const { commit, repository } = at;
        const help = `name a file or a folder that ${address} has at ${revision}: \`#PATH\``;
        const brought = this.#import(await repository.find(path ?? ""), { name, file: name, commit }, help);
        if (brought.kind === "absent") return brought;
        const { kind, digest } = brought;
        const problem = await this.#pins.check(source, name, { kind, commit, digest });
        // What the cache had is not what was pinned: it was thrown away, and is fetched once more.
        if (problem === "again" && attempt === 1) continue;
        return problem === null || problem === "again" ? brought : problem;
      }
    });
    if (found.kind !== "absent" && found.commit !== null) {
      const at = await this.#pins.at(source, wanted);
      if (!("kind" in at))
        origin = { repository: at.repository, git: { address, revision, commit: found.commit } };
    }
    return { found, origin };
  }

  #once(name: string, make: (name: string) => Promise<Import | Absence>): Promise<Import | Absence> {
    const known = this.#known.get(name) ?? make(name);
    this.#known.set(name, known);
    return known;
  }

  #import(
    found: Found,
    place: { readonly name: string; readonly file: string; readonly commit: string | null },
    help: string,
  ): Import | Absence {
    const { name, file, commit } = place;
    const known = { id: name, source: name, commit };
    switch (found.kind) {
      case "none":
        return absent(`\`${name}\` ${found.why}`, help);
      case "file":
        return { ...known, kind: "template", path: file, text: found.bytes, digest: sha256Hex(found.bytes) };
      case "folder": {
        const manifest = found.files.find(({ path, mode }) => path === manifestName && mode !== "link");
        if (manifest === undefined)
          return absent(
            `the folder \`${name}\` has no ${manifestName}`,
            `a step library is a folder with a ${manifestName}; a template is named by its file`,
          );
        this.#libraries.set(found.digest, found);
        const path = `${file}/${manifestName}`;
        return { ...known, kind: "library", path, text: manifest.bytes, digest: found.digest };
      }
    }
  }
}

const nowhere: Repository = { find: () => Promise.resolve({ kind: "none", why: "is not there" }) };

/** What an error says, for an absence. */
export function wordsOfGit(error: unknown): string {
  if (error instanceof OttoError) return error.message.replace(/\.$/, "");
  throw error;
}
