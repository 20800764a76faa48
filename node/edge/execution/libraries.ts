/**
 * A step library as an attempt runs it: its files laid out read-only beside the workspace, anew for each attempt, so that
 * no step can change what another one runs; and what it is given, as a file of JSON.
 *
 *   $OTTO_WITH -> { "otto": "with/1", "with": { ... }, "run": "...", "step": "...", "attempt": 1 }
 *
 * A program whose name ends in .js, .mjs, .cjs, .ts or .mts is run by the worker's own Node, any other by itself.
 */

import { chmodSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OttoError } from "../../../protocol/errors.ts";
import type { Tree } from "../../../protocol/tree.ts";
import type { Assignment, LibraryCall } from "../../ports.ts";
import type { Blobs } from "../blobs.ts";
import { layOutTree } from "../layout.ts";
import type { Sources } from "./sources.ts";
import type { Workspace } from "./workspaces.ts";

export type PreparedLibrary = {
  /** For the shell. */
  readonly command: string;
  readonly variables: Readonly<Record<string, string>>;
};

const byNode = /\.(?:[cm]?js|m?ts)$/;

/** Null when commands do the work. Throws an `OttoError` for a library that cannot run here. */
export async function prepareLibrary(
  assignment: Assignment,
  parts: {
    readonly sources: Sources;
    readonly workspace: Workspace;
    readonly blobs: Blobs;
    /** The words that start Node where the step runs. */
    readonly node: readonly string[];
    readonly signal: AbortSignal;
  },
): Promise<PreparedLibrary | null> {
  const { library: call } = assignment;
  const { sources, workspace, blobs, node, signal } = parts;
  if (call === null) return null;
  const tree = await sources.tree(call.tree);
  signal.throwIfAborted();
  const entry = call.entry[process.platform] ?? call.entry["any"];
  const file = tree.files.find(({ path }) => path === entry);
  const isNode = entry !== undefined && byNode.test(entry);
  if (entry === undefined)
    throw unusable(call, `has no program for ${process.platform}`, "Ask for another platform in `labels`.");
  if (file === undefined) throw unusable(call, `does not have its program ${entry}`, "Correct its `entry`.");
  if (file.mode !== "executable" && !isNode)
    throw unusable(call, `has a program that is not executable: ${entry}`, `Say: chmod +x ${entry}`);
  const folder = join(workspace.temporary, "otto-library");
  const given = join(workspace.temporary, "otto-with.json");
  const files = tree.files.map(into("otto-library"));
  await layOutTree({ otto: "tree/1", files }, workspace.temporary, blobs, { signal });
  makeReadOnly(folder);
  const { run, step, attempt } = assignment;
  const value = { otto: "with/1", with: call.with, run, step, attempt };
  writeFileSync(given, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  const program = quoted(join(folder, entry));
  return {
    command: isNode ? `exec ${node.map(quoted).join(" ")} ${program}` : `exec ${program}`,
    variables: { OTTO_WITH: given, OTTO_LIBRARY: folder },
  };
}

function into(folder: string): (file: Tree["files"][number]) => Tree["files"][number] {
  return (file) => ({ ...file, path: `${folder}/${file.path}` });
}

/** Links are left alone: what they point at is not the library's to protect. */
function makeReadOnly(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) makeReadOnly(path);
    else if (entry.isFile()) chmodSync(path, statSync(path).mode & 0o555);
  }
  chmodSync(folder, 0o555);
}

function unusable({ name }: LibraryCall, why: string, next: string): OttoError {
  return new OttoError("OTTO_LIBRARY_UNUSABLE", { what: `The step library ${name} ${why}.`, next });
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
