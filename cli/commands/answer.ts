/**
 * Answers to steps that wait: `otto approve`, `otto settle`, and `otto callback`, which makes the right to settle one
 * into a token that an outside system can be given.
 */

import { readFile } from "node:fs/promises";
import { askFor } from "../../node/edge/client.ts";
import type { RunView, StepView } from "../../node/view/run.ts";
import {
  answerDetailCharactersMax,
  sealAnswer,
  shownProvenanceBytesMax,
  type Verdict,
  verdicts,
} from "../../protocol/answers.ts";
import type { GateSeen } from "../../protocol/calls.ts";
import { type ExitCode, OttoError } from "../../protocol/errors.ts";
import { decodeBundles, type SignedStatement } from "../../protocol/provenance/bundle.ts";
import { mayBeGated, type PlannedStep } from "../../protocol/plan.ts";
import { suggestion } from "../../planner/suggestions.ts";
import { person } from "../person.ts";
import { visible } from "../render/sanitize.ts";
import { viewOf } from "../run-view.ts";
import { gatesOf, givenDigits, shownLines } from "./gate.ts";
import { type Target, type TargetOptions, targetWords, withTarget } from "../target.ts";
import { shellWord } from "../words.ts";

export type ApproveOptions = TargetOptions & {
  readonly reject?: boolean;
  readonly comment?: string;
  readonly provenance?: readonly string[];
  /** How what a gate judges begins, as it was shown before: something else is not approved. */
  readonly given?: string;
};

export async function approve(
  run: string,
  step: string | undefined,
  options: ApproveOptions,
): Promise<ExitCode> {
  const provenances = await Promise.all((options.provenance ?? []).map(readProvenance));
  const detail = options.comment ?? (provenances.length > 0 ? "with a provenance" : undefined);
  const said = { verdict: options.reject === true ? "failed" : "passed", detail, provenances } as const;
  return tell(options, async (target) => {
    const view = await viewOf(run, target);
    const gates = (await gatesOf(target)).filter((gate) => gate.run === view.run);
    const [only] = gates;
    const gate = step === undefined && gates.length === 1 ? only : gates.find((one) => one.step === step);
    if (options.given !== undefined) assertGiven(run, gate, options.given);
    const waiting = gate ?? chooseStep(view, step, "approve");
    await askFor(await target.open(), callOf(target, waiting, said), "done");
    const words = said.verdict === "passed" ? "You approved" : "You declined";
    const shown = gate === undefined ? [] : shownLines(gate).map(visible);
    return [`${words} ${waiting.step} of run ${run}${shown.length > 0 ? ":" : "."}`, ...shown, ""].join("\n");
  });
}

/** Throws unless the gate judges what the person has looked at. */
function assertGiven(run: string, gate: GateSeen | undefined, given: string): void {
  if (gate !== undefined && given.length >= givenDigits && gate.given.startsWith(given)) return;
  const isShort = given.length < givenDigits;
  throw new OttoError("OTTO_USAGE", {
    what: isShort
      ? `--given takes at least ${givenDigits} digits of what \`otto gate why\` shows, and "${given}" has ${given.length}.`
      : gate === undefined
        ? `No step of run ${run} that fits waits at a gate, and --given is for those.`
        : `${gate.step} of run ${run} is to be approved for something else by now: ${gate.given}.`,
    state: "Nothing was said.",
    next: `Look at what it is given with \`otto gate why ${run}\`.`,
  });
}

export async function settle(
  run: string,
  step: string,
  verdict: string,
  options: TargetOptions & { readonly comment?: string },
): Promise<ExitCode> {
  const known = verdicts.find((one) => one === verdict);
  if (known === undefined) {
    throw new OttoError("OTTO_USAGE", {
      what: `"${verdict}" is no verdict.`,
      state: "The step waits on.",
      next: `Say passed, failed or inconclusive (${suggestion(verdict, verdicts, "verdict")})`,
    });
  }
  return tell(options, async (target) => {
    const waiting = chooseStep(await viewOf(run, target), step, "wait");
    const said = { verdict: known, detail: options.comment };
    await askFor(await target.open(), callOf(target, waiting, said), "done");
    const settles = known !== "inconclusive";
    return settles
      ? `${waiting.step} of run ${run} is settled: ${known}.\n`
      : `${waiting.step} of run ${run} waits on; what you said is recorded.\n`;
  });
}

/** Prints a token that settles one step of one run, and nothing else. */
export async function callback(run: string, step: string, options: TargetOptions): Promise<ExitCode> {
  return tell(options, async (target) => {
    const waiting = chooseStep(await viewOf(run, target), step, "wait");
    const { answer } = callOf(target, waiting, { verdict: null, detail: "" });
    return `${Buffer.from(answer).toString("base64url")}\n`;
  });
}

async function readProvenance(path: string): Promise<SignedStatement> {
  try {
    const decoded = decodeBundles(await readFile(path));
    if (decoded.ok) return decoded.value;
    throw new Error(decoded.problem);
  } catch (error) {
    throw new OttoError("OTTO_FILE_UNREADABLE", {
      what: `The provenance ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}.`,
      state: "The step waits on.",
      next: "Make it with `otto provenance RUN STEP OUTPUT -o FILE`.",
      cause: error,
    });
  }
}

function tell(options: TargetOptions, perform: (target: Target) => Promise<string>): Promise<ExitCode> {
  return withTarget(options, async (target) => {
    process.stdout.write(await perform(target));
  });
}

type Waiting = {
  readonly run: string;
  readonly manifest: string;
  readonly step: string;
  /** At a gate: what the step is given. */
  readonly given?: string;
};

function callOf(
  target: Target,
  { run, manifest, step, given }: Waiting,
  {
    verdict,
    detail = "",
    provenances = [],
  }: {
    readonly verdict: Verdict | null;
    readonly detail: string | undefined;
    readonly provenances?: readonly SignedStatement[];
  },
) {
  if (detail.length > answerDetailCharactersMax) {
    throw new OttoError("OTTO_USAGE", {
      what: `The comment has ${detail.length} characters; at most ${answerDetailCharactersMax} are possible.`,
      state: "The step waits on.",
      next: "Shorten it.",
    });
  }
  const { domain, certificate } = target.standing();
  const shown = provenances.length === 0 ? {} : { provenances };
  const looked = given === undefined ? {} : { given, ...shown };
  const signed = { otto: "answer/1", run, manifest, step, verdict, detail, ...looked } as const;
  const answer = sealAnswer(signed, domain, { keys: person(), certificate });
  if (answer.length > shownProvenanceBytesMax) {
    throw new OttoError("OTTO_USAGE", {
      what: `The provenances have ${answer.length} bytes together; at most ${shownProvenanceBytesMax} can be shown to a gate.`,
      state: "The step waits on.",
      next: "Hand on fewer files in one output: a provenance names each.",
    });
  }
  return { call: "answer", certificate: target.certificate, answer, said: null } as const;
}

/** The step that is named, or the only one that waits. What cannot be answered yet is refused by the home. */
function chooseStep(view: RunView, named: string | undefined, kind: "approve" | "wait"): Waiting {
  const { run, admitted } = view;
  const fits = (step: StepView): boolean => step.planned?.action?.kind === kind;
  const waiting = view.steps.filter((step) => fits(step) && step.state.kind === "pending");
  const known = view.steps.filter(fits).map(({ name }) => name);
  const step = named ?? (waiting.length === 1 ? waiting[0]?.name : undefined);
  if (admitted !== null && step !== undefined && known.includes(step))
    return { run, manifest: admitted.manifest, step };
  const noun = kind === "approve" ? "approval" : "answer";
  const next =
    waiting.length > 1
      ? `Name one: ${waiting.map(({ name }) => shellWord(name)).join(", ")}`
      : named === undefined
        ? `See what it does with \`otto status ${run}\`.`
        : suggestion(named, known, "step");
  throw new OttoError("OTTO_NO_SUCH_STEP", {
    what:
      named !== undefined
        ? `The run has no step ${named} that waits for an ${noun}.`
        : waiting.length > 1
          ? `Several steps of run ${run} wait for an ${noun}.`
          : `No step of run ${run} waits for an ${noun} now.`,
    state: "Nothing was said.",
    next,
  });
}

/** How a step that waits is answered, as a command. */
export function answerCommand(
  { run, step, planned }: { run: string; step: string; planned: PlannedStep | null },
  options: TargetOptions,
): string | null {
  const action = planned?.action;
  if (planned !== null && mayBeGated(planned))
    return `otto gate why ${run} ${shellWord(step)}${targetWords(options)}`;
  if (action?.kind === "approve") return `otto approve ${run} ${shellWord(step)}${targetWords(options)}`;
  if (action?.kind !== "wait" || action.callback === null) return null;
  return `otto settle ${run} ${shellWord(step)} passed${targetWords(options)}`;
}
