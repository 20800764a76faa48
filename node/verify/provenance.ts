/**
 * Provenance of an output, from the records of its run: what a control peer says when it has verified them itself.
 *
 * Of what only the worker knows (which machine, what ran beside) it says that the worker says so. The level is what is
 * demanded of workers, in SLSA's words and never more: nobody else has assessed it.
 */

import { refOf, sourceOf } from "../../planner/policy/origins.ts";
import type { Verifier } from "../../protocol/envelope.ts";
import type { AttemptEnded } from "../../protocol/events.ts";
import { failure, type Result, success } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type { Submission } from "../../protocol/manifest.ts";
import type { Charter } from "../../protocol/membership.ts";
import type { Plan, PlannedStep } from "../../protocol/plan.ts";
import { buildLevel } from "../../protocol/provenance/level.ts";
import { type Resource, type Statement, statementOf } from "../../protocol/provenance/statement.ts";
import type { OutputReference, StepReport } from "../../protocol/report.ts";
import type { ExportedRun } from "../../protocol/run-export.ts";
import type { TreeFile } from "../../protocol/tree.ts";
import { type Exposure, exposuresIn } from "../view/exposed.ts";
import { type Account, openEvidence } from "./evidence.ts";
import { Findings } from "./finding.ts";
import { verifyRun } from "./verify.ts";

export type OutputName = { readonly run: string; readonly step: string; readonly output: string };

/** What can be said of an output once its files are known. */
export type Provenance = {
  readonly tree: string;
  readonly statement: (files: readonly TreeFile[]) => Statement;
};

/** The problem is a sentence. */
export function provenanceOf(
  exported: ExportedRun,
  { run, step, output }: OutputName,
  keys: Verifier,
): Result<Provenance, string> {
  const { verdict, findings } = verifyRun(exported, null, keys);
  if (verdict !== "kept") return failure(`Run ${run} deviates from its plan: ${findings[0]?.recorded ?? ""}`);
  const { charter, submission, accounts } = openEvidence(exported, keys, new Findings());
  if (charter === null || submission === null) return failure(`The records of run ${run} are not there.`);
  const ends = new Map<string, Ended>();
  for (const { told } of accounts)
    for (const { event, result } of told)
      // Without the worker's signature nobody knows who made it.
      if (
        event.kind === "attempt-ended" &&
        event.report !== null &&
        result !== null &&
        counts(event, accounts)
      )
        ends.set(event.step, { ...event, report: event.report });
  const planned = submission.manifest.plan.steps.find(({ name }) => name === step);
  if (planned === undefined) return failure(`The plan of run ${run} has no step "${step}".`);
  const end = ends.get(step);
  if (end?.report.outcome !== "passed")
    return failure(`The step "${step}" of run ${run} has not passed: what it made has no provenance.`);
  const made = outputOf(end, output);
  if (made === null) return failure(`The step "${step}" of run ${run} made no output "${output}".`);
  const { plan } = submission.manifest;
  const begun = new Set(
    accounts.flatMap(({ told }) =>
      told.flatMap(({ event }) =>
        event.kind === "attempt-started" || event.kind === "attempt-ended" ? [event.step] : [],
      ),
    ),
  );
  const statement = (files: readonly TreeFile[]): Statement => {
    const regular = files.filter(({ mode }) => mode !== "link");
    return statementOf({
      domain: charter.domain,
      charter: exported.charter,
      run,
      step,
      output,
      pipeline: plan.pipeline,
      ref: refOf(plan),
      plan: submission.planId,
      attempt: end.attempt,
      worker: end.worker,
      level: levelOf(planned, charter),
      exposed: exposedBefore(plan, planned).filter((one) => begun.has(one.step)),
      dependencies: dependenciesOf(submission, planned, ends),
      tree: made.tree,
      files: regular.length > limits.provenanceFilesMax ? [] : regular,
    });
  };
  return success({ tree: made.tree, statement });
}

/** Of the step, and of all that had to end before it began: that is the same in the records of every control peer. */
function exposedBefore(plan: Plan, step: PlannedStep): readonly Exposure[] {
  const byName = new Map(plan.steps.map((one) => [one.name, one]));
  const before = new Set([step.name]);
  // What is added while it is walked is walked, too.
  for (const name of before) for (const need of byName.get(name)?.needs ?? []) before.add(need.step);
  return exposuresIn(plan).filter((one) => before.has(one.step));
}

/** True for the attempt that decided; what ended well behind a gate has once that was opened. */
function counts({ step, final, held }: AttemptEnded, accounts: readonly Account[]): boolean {
  if (final || held !== true) return final;
  const events = accounts.flatMap(({ told }) => told.map(({ event }) => event));
  return events.some((event) => event.kind === "gate-opened" && event.step === step && event.after === true);
}

type Ended = AttemptEnded & { readonly report: StepReport };

function outputOf({ report }: Ended, name: string): OutputReference | null {
  return report.outputs.find((output) => output.name === name) ?? null;
}

function levelOf(step: PlannedStep, { name }: Charter): string {
  return `Build L${buildLevel(step, name)}, self-assessed`;
}

function dependenciesOf(
  { manifest: { source, plan } }: Submission,
  step: PlannedStep,
  ends: ReadonlyMap<string, Ended>,
): readonly Resource[] {
  const files: Resource =
    source.kind === "tree"
      ? { name: "source", digest: { sha256: source.tree, ...commitOf(plan.context.commit) } }
      : {
          name: "source",
          uri: `${sourceOf(source.repository)}@${source.commit}`,
          digest: { gitCommit: source.commit },
        };
  const inputs = step.inputs.flatMap(({ step: from, output }) => {
    const end = ends.get(from);
    const made = end === undefined ? null : outputOf(end, output);
    return made === null ? [] : [{ name: `${from}.${output}/`, digest: { sha256: made.tree } }];
  });
  return [files, ...usesOf(plan), ...imageOf(step), ...inputs];
}

function usesOf({ uses = [] }: Plan): readonly Resource[] {
  return uses.map(({ name, source, commit, digest }) => ({
    name,
    uri: source,
    digest: { sha256: digest, ...commitOf(commit) },
  }));
}

function imageOf({ image }: PlannedStep): readonly Resource[] {
  if (image === undefined) return [];
  const sha256 = /@sha256:([0-9a-f]{64})$/u.exec(image.name)?.[1];
  return [
    { name: "image", uri: `oci:${image.name}`, ...(sha256 === undefined ? {} : { digest: { sha256 } }) },
  ];
}

function commitOf(commit: string | null): Readonly<Record<string, string>> {
  return commit === null ? {} : { gitCommit: commit };
}
