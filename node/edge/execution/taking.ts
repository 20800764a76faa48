/**
 * What is taken from a workspace when the commands are done: what they said, outputs, and test reports.
 *
 * Promises: a problem of what the plan asks for (values, outputs) is told, and fails a step that passed; a problem of
 * what is nice to have (reports) is only a line of the log. Of a failed step outputs and reports are taken, too. None of it
 * has a secret of the step in it; problems and notes are for the caller to mask.
 */

import { lstatSync } from "node:fs";
import { join } from "node:path";
import type { Mask } from "../../../protocol/credentials/masker.ts";
import { limits } from "../../../protocol/limits.ts";
import {
  reportOutput,
  type OutputReference,
  type StepReport,
  type TestSummary,
} from "../../../protocol/report.ts";
import { compareText } from "../../../protocol/values.ts";
import type { Assignment } from "../../ports.ts";
import type { Blobs } from "../blobs.ts";
import { wordsOf } from "../error-words.ts";
import { filesNamed, storeOutput } from "./outputs.ts";
import { readSaid } from "./said.ts";
import { addTests, noTests, readJunit } from "./test-reports.ts";
import type { Workspace } from "./workspaces.ts";

export type Taken = Pick<StepReport, "outputs" | "values" | "ownOutcome" | "tests"> & {
  /** Why a step whose commands passed fails nevertheless. */
  readonly problem: string | null;
  /** Lines for the log. */
  readonly notes: readonly string[];
};

export const nothingTaken: Taken = { outputs: [], problem: null, notes: [] };

type Into = { readonly blobs: Blobs; readonly mask: Mask };

export async function take(
  assignment: Assignment,
  { workspace, ...into }: Into & { readonly workspace: Workspace },
): Promise<Taken> {
  const said = readSaid(workspace.said, assignment, into.mask);
  const stored = await storeOutputs(assignment, workspace.folder, into);
  const reported = await storeReports(assignment, workspace.folder, into);
  const { outputs, problem } = stored;
  return {
    ...(said.ok ? said.value : {}),
    ...(reported.tests === null ? {} : { tests: reported.tests }),
    outputs: [...outputs, ...reported.outputs],
    problem: said.ok ? problem : said.problem,
    notes: reported.notes,
  };
}

async function storeOutputs(
  assignment: Assignment,
  workspace: string,
  into: Into,
): Promise<{ readonly outputs: readonly OutputReference[]; readonly problem: string | null }> {
  const outputs: OutputReference[] = [];
  let problem: string | null = null;
  if (assignment.outputs.length > limits.outputsPerStepMax) {
    return { outputs, problem: `A step has at most ${limits.outputsPerStepMax} outputs.` };
  }
  for (const output of assignment.outputs) {
    const stored = await storeOutput(output, workspace, into);
    if (stored.ok) outputs.push(stored.value);
    else problem ??= stored.problem;
  }
  return { outputs, problem };
}

/** Files of reports as outputs, `report-junit`; none there is no problem. */
async function storeReports(
  { reports, outputs: declared }: Assignment,
  workspace: string,
  into: Into,
): Promise<Pick<Taken, "outputs" | "notes"> & { readonly tests: TestSummary | null }> {
  const outputs: OutputReference[] = [];
  const notes: string[] = [];
  let tests: TestSummary | null = null;
  for (const { format, files } of reports) {
    const name = reportOutput(format);
    try {
      const found = await filesNamed(`The report "${format}"`, files, workspace);
      if (found.ok && found.value.length === 0) continue;
      const kept = found.ok ? await storeOutput({ name, files }, workspace, into) : found;
      if (!found.ok || !kept.ok) {
        notes.push(`report ${format}: not kept: ${kept.ok ? "" : kept.problem}`);
        continue;
      }
      if (!declared.some((output) => output.name === name)) outputs.push(kept.value);
      const counted = await countTests(found.value, workspace, into.mask);
      tests = addTests(tests ?? noTests, counted.tests);
      notes.push(...counted.notes);
    } catch (error) {
      notes.push(`report ${format}: not kept: ${wordsOf(error)}`);
    }
  }
  return { outputs, notes, tests };
}

/** Sorted, so that the tests that are named are the same every time. */
async function countTests(
  paths: readonly string[],
  workspace: string,
  mask: Mask,
): Promise<{ readonly tests: TestSummary; readonly notes: readonly string[] }> {
  const notes: string[] = [];
  let tests = noTests;
  for (const path of [...paths].sort(compareText).slice(0, limits.testReportFilesMax)) {
    const full = join(workspace, path);
    // A link was stored as a link; what it leads to counts where it is, if it is named, too.
    if (lstatSync(full, { throwIfNoEntry: false })?.isFile() !== true) continue;
    const read = await readJunit(full, mask);
    if (read.ok) tests = addTests(tests, read.value);
    else notes.push(`report junit: ${path} is not counted: ${read.problem}`);
  }
  if (paths.length > limits.testReportFilesMax)
    notes.push(`report junit: only ${limits.testReportFilesMax} of ${paths.length} files are counted`);
  return { tests, notes };
}
