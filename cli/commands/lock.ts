/**
 * `otto lock`: pins every template and step library of other repositories that a pipeline uses, and that these use, and every image
 * that steps name without a digest, in the lock file beside it. The one command that asks what a revision or a tag is now.
 *
 * Promises: what is pinned stays as it is until `--upgrade`; a lock file is there whole or not at all; `--check` changes
 * nothing and ends with 1 when the lock file is not what the pipeline needs.
 */

import { randomUUID } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { DiagnosticCode } from "../../planner/diagnostics.ts";
import { diffText } from "../../planner/diff/diff-words.ts";
import { diffPlans } from "../../planner/diff/plan-diff.ts";
import { formatLock, type LockFile, nothingLocked } from "../../planner/lock-file.ts";
import { planId, planPipeline } from "../../planner/plan.ts";
import { readWritten } from "../../planner/written.ts";
import { parseImageTag } from "../../protocol/image-name.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import type { Plan, PlanContext } from "../../protocol/plan.ts";
import { compareText } from "../../protocol/values.ts";
import { readGitContext } from "../git-context.ts";
import { type FoundFile, findFile, parseParameters, PipelineError, textsOf } from "../load-plan.ts";
import { type Brought, bringUses, type Pins } from "../uses/bring.ts";
import { GitCache } from "../uses/git-cache.ts";
import { lockNameOf, readLock } from "../uses/lock.ts";
import { FreshPins, LockedPins } from "../uses/pins.ts";
import { WorkingFolder } from "../uses/repository.ts";
import { countWords } from "../words.ts";

export type LockOptions = {
  readonly folder: string;
  readonly file?: string;
  readonly parameters?: readonly string[];
  /** Only say whether the lock file is what the pipeline needs. */
  readonly check?: boolean;
  /** Pin what every revision is now, and show what that does to the plan. */
  readonly upgrade?: boolean;
  readonly output?: { write(text: string): unknown };
};

type Locking = {
  readonly root: string;
  readonly file: FoundFile;
  readonly name: string;
  readonly old: LockFile;
  readonly context: PlanContext;
  readonly output: { write(text: string): unknown };
};

export async function lock(options: LockOptions): Promise<ExitCode> {
  if (options.check === true && options.upgrade === true) {
    throw new OttoError("OTTO_USAGE", {
      what: "--check changes nothing, and --upgrade does.",
      state: "Nothing was changed.",
      next: "Leave one of the two out.",
    });
  }
  const folder = resolve(options.folder);
  const { root: top, branch, tag, commit } = await readGitContext(folder);
  const root = top ?? folder;
  const file = await findFile(root, folder, options.file);
  const output = options.output ?? process.stdout;
  if (file === null) {
    output.write("There is no pipeline file, so there is nothing to lock.\n");
    return exitCodes.passed;
  }
  const parameters = parseParameters(options.parameters ?? []);
  const context = { branch, tag, commit, trigger: "manual", parameters };
  const old = await readLock(new WorkingFolder(root), file.path);
  const locking: Locking = { root, file, name: lockNameOf(file.path), old, context, output };
  return options.check === true ? check(locking) : pin(locking, options.upgrade === true);
}

async function check(locking: Locking): Promise<ExitCode> {
  const { name, old, output } = locking;
  const asked = new Set<string>();
  const pins = new LockedPins(old, new GitCache(), name);
  const watched: Pins = {
    at: (source, wanted) => {
      asked.add(wanted);
      return pins.at(source, wanted);
    },
    check: (source, wanted, entry) => pins.check(source, wanted, entry),
    image: (wanted) => {
      asked.add(wanted);
      return pins.image(wanted);
    },
  };
  const { imports, images } = await bring(locking, watched);
  const problems = [...imports.values()].flatMap((sources) =>
    [...sources.values()].flatMap((found) =>
      found.kind === "absent" && found.code === "pipeline/not-locked" ? [found.message] : [],
    ),
  );
  const pinned = [...old.uses.keys(), ...old.images.keys()];
  for (const name of pinned) if (!asked.has(name)) problems.push(`\`${name}\` is not used any more`);
  for (const wanted of asked)
    if (parseImageTag(wanted) !== null && !images.has(wanted))
      problems.push(`${name} does not pin the image \`${wanted}\``);
  await refuseMistakes(locking, imports, ["pipeline/missing-parameter", "pipeline/not-locked"]);
  if (problems.length === 0) {
    output.write(`${name} is up to date: ${sizeWords(old)}.\n`);
    return exitCodes.passed;
  }
  const lines = [...new Set(problems)].sort(compareText).map((problem) => `  ${problem}`);
  output.write(`${name} is stale:\n${lines.join("\n")}\nNext: run \`otto lock\` and commit ${name}.\n`);
  return exitCodes.failed;
}

async function pin(locking: Locking, upgrade: boolean): Promise<ExitCode> {
  const { root, name, old, output } = locking;
  const pins = new FreshPins(upgrade ? nothingLocked : old, new GitCache());
  const brought = await bring(locking, pins);
  await refuseMistakes(locking, brought.imports, ["pipeline/missing-parameter"]);
  const entries: LockFile = pins;
  const path = join(root, name);
  const isSame = formatLock(entries) === formatLock(old);
  if (!isSame) await writeWhole(path, formatLock(entries));
  output.write(changesText(name, old, entries));
  if (upgrade && !isSame) output.write(await planChanges(locking, brought));
  return exitCodes.passed;
}

async function bring({ root, file }: Locking, pins: Pins): Promise<Brought> {
  return bringUses(file.bytes, { repository: new WorkingFolder(root), pins });
}

/**
 * A pipeline with mistakes is not locked: what it uses may be hidden behind them. Only values that nobody gave do not
 * matter here.
 *
 * @param besides what the command says in another way.
 */
async function refuseMistakes(
  locking: Locking,
  imports: Brought["imports"],
  besides: readonly DiagnosticCode[],
): Promise<void> {
  const { file, context } = locking;
  const planned = await planPipeline({ text: file.bytes, path: file.path, context, imports });
  const problems = planned.ok ? [] : planned.problem.filter(({ code }) => !besides.includes(code));
  if (problems.length === 0) return;
  const text = new TextDecoder("utf-8").decode(file.bytes);
  throw new PipelineError(file.path, problems, textsOf(file.path, text, imports));
}

/** All that is pinned, each in words that name it in full. */
function pinnedIn({ uses, images }: LockFile): ReadonlyMap<string, string> {
  const sources = [...uses].map(
    ([name, { commit, digest }]) => [name, `commit ${commit}, digest ${digest}`] as const,
  );
  return new Map([...sources, ...[...images].map(([name, digest]) => [name, `digest ${digest}`] as const)]);
}

function short(words: string): string {
  return words.replaceAll(/[0-9a-f]{40,}/g, (hex) => hex.slice(0, 12));
}

function sizeWords({ uses, images }: LockFile): string {
  const sources = countWords(uses.size, "source");
  return images.size === 0 ? sources : `${sources} and ${countWords(images.size, "image")}`;
}

function changesText(name: string, old: LockFile, now: LockFile): string {
  const lines: string[] = [];
  const [were, are] = [pinnedIn(old), pinnedIn(now)];
  for (const name of [...new Set([...were.keys(), ...are.keys()])].sort(compareText)) {
    const [before, after] = [were.get(name), are.get(name)];
    if (after === undefined) lines.push(`- ${name}`);
    else if (before === undefined) lines.push(`+ ${name}: ${short(after)}`);
    else if (before !== after) lines.push(`~ ${name}: ${short(before)} -> ${short(after)}`);
  }
  const count = sizeWords(now);
  if (lines.length === 0) return `${name} is as it was: ${count}.\n`;
  return `${lines.join("\n")}\n${name} pins ${count}.\n`;
}

/** What the new pins change in the plan, as far as both can be planned. */
async function planChanges(locking: Locking, now: Brought): Promise<string> {
  const { file, name, old } = locking;
  const text = new TextDecoder("utf-8").decode(file.bytes);
  const before = await bring(locking, new LockedPins(old, new GitCache(), name));
  const planned = async ({ imports, images }: Brought): Promise<Plan | null> => {
    const { context } = locking;
    const plan = await planPipeline({ text: file.bytes, path: file.path, context, imports, images });
    return plan.ok ? plan.value : null;
  };
  const [was, is] = [await planned(before), await planned(now)];
  if (is === null) return "\nThe pipeline cannot be planned with these: see `otto explain`.\n";
  if (was === null)
    return "\nWith what was pinned before it could not be planned, so there is no difference to show.\n";
  const sides = {
    old: { plan: was, written: readWritten(text, file.path, before.imports) },
    now: { plan: is, written: readWritten(text, file.path, now.imports) },
  };
  const ids = { base: `the old ${name}`, basePlanId: planId(was), planId: planId(is) };
  return `\n${diffText(diffPlans(sides.old, sides.now), ids)}`;
}

async function writeWhole(path: string, text: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await writeFile(aside, text, { flag: "wx" });
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw new OttoError("OTTO_FILE_UNREADABLE", {
      what: `${path} cannot be written: ${error instanceof Error ? error.message : String(error)}.`,
      state: "It was left as it was.",
      next: "Make its folder writable, then run it again.",
      cause: error,
    });
  }
}
