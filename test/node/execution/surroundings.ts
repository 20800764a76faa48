/** A real executor in a temporary folder, for the tests of this folder. */

import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Blobs, openBlobs } from "../../../node/edge/blobs.ts";
import type { CacheLimits } from "../../../node/edge/execution/caches.ts";
import {
  type ExecutorOptions,
  type LocalExecutor,
  startExecutor,
} from "../../../node/edge/execution/executor.ts";
import { limits } from "../../../protocol/limits.ts";
import type { Assignment } from "../../../node/ports.ts";
import { encodeTree, type TreeFile } from "../../../protocol/tree.ts";
import type { StepReport } from "../../../protocol/report.ts";
import { assignmentOf, Witness } from "../../contracts/witness.ts";

export type Surroundings = {
  readonly folder: string;
  readonly blobs: Blobs;
  readonly witness: Witness;
  readonly executor: LocalExecutor;
  readonly emptyTree: string;
  /** Starts an attempt and returns its id. */
  readonly start: (commands: readonly string[], more?: Partial<Assignment>) => string;
  readonly run: (commands: readonly string[], more?: Partial<Assignment>) => Promise<StepReport>;
  readonly close: () => Promise<void>;
};

export async function makeSurroundings(
  options: {
    readonly witness?: Witness;
    readonly passVariables?: Readonly<Record<string, string>>;
    readonly fetch?: (digests: string[], blobs: Blobs) => Promise<void>;
    readonly cacheLimits?: CacheLimits;
    readonly graceMs?: number;
    readonly isolation?: ExecutorOptions["isolation"];
    readonly credentials?: ExecutorOptions["credentials"];
    /** Of an executor that is gone: its folder, which this one goes on with. */
    readonly folder?: string;
  } = {},
): Promise<Surroundings> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), "otto-execution-")));
  // Users of slots get to their own folders in it.
  await chmod(folder, 0o711);
  const blobs = await openBlobs(join(folder, "blobs"));
  const emptyTree = await blobs.writeBytes(encodeTree([]));
  const witness = options.witness ?? new Witness();
  const executor = await startExecutor({
    folder: join(folder, "execution"),
    blobs,
    fetch: async (digests) => options.fetch?.(digests, blobs),
    observer: witness,
    passVariables: options.passVariables ?? {},
    slots: 2,
    graceMs: options.graceMs ?? limits.killGraceMs,
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    ...(options.cacheLimits === undefined ? {} : { cacheLimits: options.cacheLimits }),
    ...(options.isolation === undefined ? {} : { isolation: options.isolation }),
  });
  const start = (commands: readonly string[], more: Partial<Assignment> = {}): string => {
    const assignment = assignmentOf(emptyTree, commands, more);
    executor.start(assignment);
    return assignment.id;
  };
  return {
    folder,
    blobs,
    witness,
    executor,
    emptyTree,
    start,
    run: async (commands, more) => witness.report(start(commands, more)),
    close: async () => {
      await executor.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Stores files given as texts, and their tree. A text that begins with `-> ` is the target of a link. */
export async function storeTree(blobs: Blobs, texts: Readonly<Record<string, string>>): Promise<string> {
  const files: TreeFile[] = [];
  for (const [path, text] of Object.entries(texts)) {
    const isLink = text.startsWith("-> ");
    const bytes = Buffer.from(isLink ? text.slice(3) : text);
    const digest = await blobs.writeBytes(bytes);
    files.push({ path, mode: isLink ? "link" : "file", size: bytes.length, digest });
  }
  return blobs.writeBytes(encodeTree(files));
}

/** Whether the process is there and not merely waiting to be collected. */
export function isRunning(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/stat`)) return false;
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  return !/^[ZX]/.test(text.slice(text.lastIndexOf(")") + 2));
}
