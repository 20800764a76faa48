/**
 * `otto init`: writes down the pipeline that was detected, as the otto.yaml one would have written by hand.
 *
 * Promises: an existing file is never overwritten unless asked for, a file is there whole or not at all, and
 * what was found and what was set aside is said with its reasons.
 */

import { randomUUID } from "node:crypto";
import { readdir, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

import { readRepositoryFiles } from "../../node/edge/repository-files.ts";
import type { Match } from "../../planner/conventions/convention.ts";
import { detectPipeline } from "../../planner/conventions/detect.ts";
import type { Found } from "../../planner/conventions/detect.ts";
import { nothingDetected } from "../../planner/conventions/nothing-detected.ts";
import { writePipelineFile } from "../../planner/conventions/pipeline-file.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { readGitContext } from "../git-context.ts";
import { fileNames } from "../load-plan.ts";
import { visible } from "../render/sanitize.ts";
import { countWords } from "../words.ts";

export type InitOptions = {
  /** A folder of the repository; the file goes to its root, where every other command looks for it. */
  readonly folder: string;
  /** Replace an existing file. */
  readonly force?: boolean;
  /** Write the file to the output instead of the folder. */
  readonly print?: boolean;
  readonly output?: { write(text: string): unknown };
};

export async function init(options: InitOptions): Promise<ExitCode> {
  const output = options.output ?? process.stdout;
  const folder = resolve(options.folder);
  const root = (await readGitContext(folder)).root ?? folder;
  const detection = detectPipeline(await readRepositoryFiles(root));
  if (detection.kind === "nothing") throw nothingDetected(root, detection.rejected);
  const text = writePipelineFile(detection);
  if (options.print === true) {
    output.write(text);
    return exitCodes.passed;
  }
  const name = (await existingName(root)) ?? fileNames[0];
  await writeWhole(join(root, name), text, options.force === true);
  output.write(describe(name, detection));
  return exitCodes.passed;
}

/** The pipeline file that is there, by whichever of its names: a second one beside it would go unread. */
async function existingName(root: string): Promise<(typeof fileNames)[number] | undefined> {
  const names = await readdir(root);
  return fileNames.find((name) => names.includes(name));
}

/** A new file is made only where there is none; an old one is replaced in one move, never half. */
async function writeWhole(path: string, text: string, replace: boolean): Promise<void> {
  const target = replace ? `${path}.${randomUUID()}` : path;
  try {
    await writeFile(target, text, { flag: "wx" });
    if (replace) await rename(target, path);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") await rm(target, { force: true });
    throw refusal(path, error);
  }
}

function refusal(path: string, cause: unknown): OttoError {
  if (codeOf(cause) === "EEXIST") {
    return new OttoError("OTTO_FILE_EXISTS", {
      what: `${path} is there already.`,
      state: "It was left as it is.",
      next: "See what would be written with `otto init --print`, or replace the file with `otto init --force`.",
      cause,
    });
  }
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new OttoError(codeOf(cause) === "ENOSPC" ? "OTTO_DISK_FULL" : "OTTO_FILE_UNREADABLE", {
    what: `${path} cannot be written: ${reason}.`,
    state: "Nothing was written.",
    next: "Make room or give yourself the right to write there, or take the text from `otto init --print`.",
    cause,
  });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function describe(name: string, { pipeline, matches, rejected }: Found): string {
  const names = pipeline.steps.map(({ name }) => name).join(", ");
  const lines = [
    `Wrote ${name} with ${countWords(pipeline.steps.length, "step")}: ${names}.`,
    "",
    "Found:",
    ...matches.map(sentence),
    ...(rejected.length === 0 ? [] : ["", "Not used:", ...rejected.map(sentence)]),
    "",
    "Next: read it, see what it means with `otto explain`, and run it with `otto run`.",
    "",
  ];
  return lines.join("\n");
}

function sentence({ ecosystem, signal, reason }: Match): string {
  return visible(`  ${ecosystem}: ${signal} ${reason}`);
}
