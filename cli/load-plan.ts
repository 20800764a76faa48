/**
 * From a folder to a plan: the pipeline file, or what the conventions detect where there is none, planned in the
 * context that git and the command line give. Every command that runs, submits or explains begins here, so
 * that what is explained is what is run.
 */

import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { basename, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { ChangedPaths } from "../planner/changes.ts";
import type { Detection, Found } from "../planner/conventions/detect.ts";
import { type Diagnostic, formatDiagnostics } from "../planner/diagnostics.ts";
import type { Imports } from "../planner/imports.ts";
import { planId, planPipeline, withPriority } from "../planner/plan.ts";
import { whyNotStarted } from "../planner/triggers.ts";
import { OttoError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { type Plan, type PlanContext, priorities, type Priority } from "../protocol/plan.ts";
import type { BaseOptions } from "./changes.ts";
import { type GitContext, readGitContext } from "./git-context.ts";
import { readEvent } from "./read-event.ts";
import { type Brought, bringUses } from "./uses/bring.ts";
import { lockedPins } from "./uses/lock.ts";
import { WorkingFolder } from "./uses/repository.ts";

export type LoadOptions = BaseOptions & {
  /** A file named by the person, relative to `folder`. */
  readonly file?: string;
  /** `NAME=VALUE` as typed. */
  readonly parameters?: readonly string[];
  readonly folder: string;
  /** A file that says what happened, or `-` for standard input. */
  readonly event?: string;
  /** `high`, `normal` or `low` as typed, in place of what the file says. */
  readonly priority?: string;
  /** What the plan is made for when there is no event; "manual" when not said. */
  readonly trigger?: "schedule";
};

export type LoadedPlan = {
  readonly plan: Plan;
  readonly planId: string;
  /** The top folder of the repository; the folder itself where there is none. */
  readonly root: string;
  /** The pipeline file as it was read; null when the pipeline was detected. */
  readonly text: string | null;
  /** What the conventions found and set aside; null when there is a file. */
  readonly detection: Found | null;
  /** Which paths changed: git is asked when somebody first wants to know. */
  readonly changed: () => Promise<ChangedPaths>;
  /** Templates and step libraries that the plan was made with. */
  readonly brought: Brought;
  /** Why the event that was named starts nothing, one sentence; null when there is no such event, or it does. */
  readonly notStarted: string | null;
};

/** A pipeline file with mistakes; for programs they are here as values. */
export class PipelineError extends OttoError {
  readonly diagnostics: readonly Diagnostic[];

  constructor(
    path: string,
    diagnostics: readonly Diagnostic[],
    texts: string | ReadonlyMap<string, string>,
    next = "Correct the file and check it with: otto explain",
  ) {
    const count = diagnostics.length === 1 ? "a mistake" : `${diagnostics.length} mistakes`;
    super("OTTO_PIPELINE_INVALID", {
      what: `${path} has ${count}.\n\n${formatDiagnostics(diagnostics, texts)}\n`,
      state: "Nothing was started.",
      next,
    });
    this.diagnostics = diagnostics;
  }
}

const nothingBrought: Brought = { imports: new Map(), images: new Map(), libraries: new Map() };

/** What a pipeline file is called, at the root of a repository; the first that exists counts. */
export const fileNames = ["otto.yaml", "otto.yml"] as const;

/** Throws `OTTO_PIPELINE_INVALID`, `OTTO_NO_PIPELINE`, `OTTO_FILE_TOO_LARGE`, `OTTO_FILE_UNREADABLE` or `OTTO_USAGE`. */
export async function loadPlan(options: LoadOptions): Promise<LoadedPlan> {
  const folder = resolve(options.folder);
  const event = options.event === undefined ? null : await readEvent(options.event);
  const git = await readGitContext(folder);
  const root = git.root ?? folder;
  let asked: Promise<ChangedPaths> | null = null;
  const into = event?.base ?? options.into;
  const changed = (): Promise<ChangedPaths> =>
    (asked ??= readChanges(git, into === undefined ? options : { ...options, into }));
  const typed = parseParameters(options.parameters ?? []);
  const context: PlanContext = {
    branch: event?.branch ?? git.branch,
    tag: event?.tag ?? git.tag,
    commit: event?.commit ?? git.commit,
    trigger: event?.trigger ?? options.trigger ?? "manual",
    parameters: { ...event?.parameters, ...typed },
  };
  const priority = options.priority === undefined ? null : parsePriority(options.priority);
  const written = await planIn({ root, folder, file: options.file, context, changed });
  const plan = priority === null ? written.plan : withPriority(written.plan, priority);
  const planned = priority === null ? written : { ...written, plan, planId: planId(plan) };
  return { ...planned, changed, notStarted: event === null ? null : whyNotStarted(planned.plan, event) };
}

type Planned = Omit<LoadedPlan, "notStarted" | "changed">;

async function planIn({
  root,
  folder,
  file,
  context,
  changed,
}: {
  readonly root: string;
  readonly folder: string;
  readonly file: string | undefined;
  readonly context: PlanContext;
  readonly changed: () => Promise<ChangedPaths>;
}): Promise<Planned> {
  const found = await findFile(root, folder, file);
  if (found === null) return loadDetected(root, context);
  const text = decodeLoosely(found.bytes);
  const pins = await lockedPins(root, found.path);
  const brought = await bringUses(found.bytes, { repository: new WorkingFolder(root), pins });
  const { imports, images } = brought;
  const planned = await planPipeline({
    text: found.bytes,
    path: found.path,
    context,
    imports,
    images,
    changes: changed,
  });
  if (!planned.ok) throw new PipelineError(found.path, planned.problem, textsOf(found.path, text, imports));
  const { value: plan } = planned;
  return { plan, planId: planId(plan), root, text, detection: null, brought };
}

/** Most pipelines do not ask, and do not load what answers. */
async function readChanges(here: GitContext, options: LoadOptions): Promise<ChangedPaths> {
  return (await import("./changes.ts")).readChangedPaths(here, options);
}

/** The text of every file that diagnostics may be about, by its name there. */
export function textsOf(path: string, text: string, imports: Imports): ReadonlyMap<string, string> {
  const texts = new Map([[path, text]]);
  for (const found of [...imports.values()].flatMap((sources) => [...sources.values()]))
    if (found.kind !== "absent")
      texts.set(found.path, typeof found.text === "string" ? found.text : decodeLoosely(found.text));
  return texts;
}

/** For excerpts in messages: the planner has its own, strict eye on the bytes. */
function decodeLoosely(bytes: Uint8Array): string {
  return new TextDecoder("utf-8").decode(bytes);
}

export function parseParameters(typed: readonly string[]): Readonly<Record<string, string>> {
  const parameters = new Map<string, string>();
  for (const word of typed) {
    const equals = word.indexOf("=");
    const name = word.slice(0, equals);
    if (equals < 1 || parameters.has(name)) {
      throw new OttoError("OTTO_USAGE", {
        what: equals < 1 ? `"${word}" is no parameter.` : `The parameter "${name}" is given twice.`,
        state: "Nothing was started.",
        next: equals < 1 ? "Write it as --parameter NAME=VALUE" : "Give it once.",
      });
    }
    parameters.set(name, word.slice(equals + 1));
  }
  return Object.fromEntries(parameters);
}

function parsePriority(typed: string): Priority {
  const priority = priorities.find((known) => known === typed);
  if (priority !== undefined) return priority;
  throw new OttoError("OTTO_USAGE", {
    what: `"${typed}" is no priority.`,
    state: "Nothing was started.",
    next: `Write --priority ${priorities.join(", --priority ")}`,
  });
}

export type FoundFile = {
  /** As it is called in the plan and in messages: relative to the root, `/`-separated on every system. */
  readonly path: string;
  readonly bytes: Uint8Array;
};

export async function findFile(
  root: string,
  folder: string,
  named: string | undefined,
): Promise<FoundFile | null> {
  if (named !== undefined) {
    const absolute = resolve(folder, named);
    const bytes = await readBounded(absolute);
    if (bytes !== null) return { path: portablePath(root, absolute), bytes };
    throw new OttoError("OTTO_NO_PIPELINE", {
      what: `There is no file ${named} in ${folder}.`,
      state: "Nothing was started.",
      next: "Name a pipeline file that exists, or leave --file out to use otto.yaml.",
    });
  }
  for (const name of fileNames) {
    const bytes = await readBounded(join(root, name));
    if (bytes !== null) return { path: name, bytes };
  }
  return null;
}

/** A path that is the same on every machine that has the repository; outside of it only the name is. */
function portablePath(root: string, absolute: string): string {
  const inside = relative(root, absolute);
  if (inside === ".." || inside.startsWith(`..${sep}`) || isAbsolute(inside)) return basename(absolute);
  return inside.split(sep).join("/");
}

/** The bytes of a file, null when there is none. A file beyond the bound is never read. */
async function readBounded(path: string): Promise<Uint8Array | null> {
  const countMax = limits.pipelineFileBytesMax;
  try {
    // Non-blocking, so that a pipe by that name holds nobody up.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = await file.stat();
    if (!status.isFile()) throw unreadable(path, "it is no file");
    const bytes = new Uint8Array(Math.min(status.size, countMax) + 1);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    if (status.size <= countMax && bytesRead <= status.size) return bytes.subarray(0, bytesRead);
    throw new OttoError("OTTO_FILE_TOO_LARGE", {
      what: `${path} has ${status.size} bytes; a pipeline file has at most ${countMax}.`,
      state: "Nothing was started.",
      next: "Split the pipeline, or move long commands into scripts of the repository.",
    });
  } catch (error) {
    if (error instanceof OttoError) throw error;
    const code = error instanceof Error && "code" in error ? error.code : null;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw unreadable(path, error instanceof Error ? error.message : String(error), error);
  }
}

function unreadable(path: string, why: string, cause?: unknown): OttoError {
  return new OttoError("OTTO_FILE_UNREADABLE", {
    what: `${path} cannot be read: ${why}.`,
    state: "Nothing was started.",
    next: "Name a file that you may read.",
    cause,
  });
}

async function loadDetected(root: string, context: PlanContext): Promise<Planned> {
  // The conventions are loaded only where they are asked.
  const [{ detectPipeline, soughtSignals }, { planDetected }, { readRepositoryFiles }] = await Promise.all([
    import("../planner/conventions/detect.ts"),
    import("../planner/conventions/plan-detected.ts"),
    import("../node/edge/repository-files.ts"),
  ]);
  const detection = detectPipeline(await readRepositoryFiles(root));
  if (detection.kind === "nothing") throw nothingDetected(root, detection, soughtSignals);
  const [name] = Object.keys(context.parameters);
  if (name !== undefined) {
    throw new OttoError("OTTO_USAGE", {
      what: `A value was given for the parameter "${name}", and a detected pipeline has no parameters.`,
      state: "Nothing was started.",
      next: "Leave it out, or write the pipeline down with: otto init",
    });
  }
  const plan = planDetected(detection, context);
  return { plan, planId: planId(plan), root, text: null, detection, brought: nothingBrought };
}

function nothingDetected(
  root: string,
  detection: Extract<Detection, { kind: "nothing" }>,
  sought: readonly { readonly ecosystem: string; readonly signals: readonly string[] }[],
): OttoError {
  const rejected = detection.rejected.slice(0, 20).map(({ signal, reason }) => `\n  ${signal} ${reason}`);
  const looked = sought.map(({ signals }) => signals[0] ?? "").join(", ");
  const seen = rejected.length === 0 ? `\n  (looked for ${looked} and the like)` : rejected.join("");
  return new OttoError("OTTO_NO_PIPELINE", {
    what: `There is no otto.yaml in ${root}, and nothing there shows how to test it:${seen}`,
    state: "Nothing was started.",
    next: "Write an otto.yaml with `otto: 1` and under `steps:` for example `test: { run: ./test.sh }`",
  });
}
