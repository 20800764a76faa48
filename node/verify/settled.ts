/** How steps that no worker does were settled, held against their plan and against what people signed. */

import { teamIn } from "../../planner/policy/people.ts";
import type { OpenedAnswer } from "../../protocol/answers.ts";
import { unreachable } from "../../protocol/errors.ts";
import type { StepAnswered, StepSettled } from "../../protocol/events.ts";
import type { Submission } from "../../protocol/manifest.ts";
import { mayBeGated, type PlannedStep, type StepAction } from "../../protocol/plan.ts";
import type { SettleCause } from "../../protocol/registers/settling.ts";
import type { outcomeOfMembers } from "../core/settlements.ts";
import type { Account, Told } from "./evidence.ts";
import type { Findings } from "./finding.ts";

type Said = { readonly answer: OpenedAnswer | null; readonly step: PlannedStep; readonly manifest: string };

/** @param members how the steps of a nested pipeline ended, by what was told of them. */
export function checkSettled(
  event: StepSettled,
  said: Said,
  members: ReturnType<typeof outcomeOfMembers>,
  findings: Findings,
): void {
  const { cause, outcome } = event;
  const { step } = said;
  const { action } = step;
  const causes = mayBeGated(step) ? gateCauses : causesOf(action);
  if (!causes.includes(cause))
    findings.add(
      "settled-otherwise",
      step.name,
      `The step is settled by ${causes.join(", ") || "its worker"}.`,
      `It was settled by ${cause}.`,
    );
  const outcomes = cause === "members" ? [members.outcome] : outcomesOf(cause, step.action);
  if (!outcomes.includes(outcome))
    findings.add(
      "settled-otherwise",
      step.name,
      `Settled by ${cause}, the step ends as ${outcomes.join(" or ")}.`,
      `It is recorded as ${outcome}.`,
    );
  if (cause === "approved" || cause === "declined" || cause === "callback")
    checkAnswer(
      event,
      said,
      cause === "callback" ? outcome : cause === "approved" ? "passed" : "failed",
      findings,
    );
}

/** A step that is another domain's ended as a majority of that domain's control peers signed; who refuses it signs nothing. */
export function checkReleased(
  event: StepSettled,
  {
    elsewhere,
    owner,
    index,
  }: { readonly elsewhere: Told["elsewhere"]; readonly owner: string | null; readonly index: number },
  findings: Findings,
): void {
  const { step, run, outcome, evidence } = event;
  if (elsewhere === null && evidence === null && outcome === "failed") return;
  const said = elsewhere?.ok === true ? elsewhere.value : null;
  const isOfIt =
    said !== null &&
    said.from.charter.name === owner &&
    said.outcome.run === run &&
    said.outcome.index === index &&
    said.outcome.outcome === outcome;
  if (!isOfIt)
    findings.add(
      "outcome-invalid",
      step,
      `The step is the domain ${owner ?? "of nobody"}'s: a majority of its control peers signs how it ended.`,
      elsewhere === null ? "Nothing is signed." : "What is signed does not hold, or is of something else.",
    );
}

/** What a person signed about a step that waits. @param verdict what that must have been. */
export function checkAnswer(
  event: StepAnswered | StepSettled,
  { answer, step, manifest }: Said,
  verdict: string,
  findings: Findings,
): void {
  const { action } = step;
  // Evidence that does not hold was found before; where there is none it is missing here.
  if (answer === null) {
    findings.add(
      "answer-missing",
      step.name,
      "Whoever answers signs it.",
      `No signature of ${event.by ?? "anybody"} holds for what is recorded.`,
    );
    return;
  }
  const { person } = answer;
  const signed = answer.answer;
  if (signed.manifest !== manifest)
    findings.add(
      "answer-invalid",
      step.name,
      "An answer is good for the submission that it was signed for.",
      `${person.name} signed for another one.`,
    );
  // A callback has no verdict of its own: its bearer says how it is.
  const isCallback = action?.kind === "wait" && signed.verdict === null;
  if (!isCallback && signed.verdict !== verdict)
    findings.add(
      "answer-invalid",
      step.name,
      `${person.name} answered ${verdict}.`,
      `Signed is ${signed.verdict ?? "nothing"}.`,
    );
  // Who was in a team that day is in the policy, which the records of a run do not hold.
  const named = action?.kind === "approve" ? action.by : [];
  const isOpen = named.length === 0 || named.some((one) => teamIn(one) !== null);
  if (action?.kind === "approve" && !isOpen && !named.includes(person.name))
    findings.add(
      "answer-not-entitled",
      step.name,
      `Those who may answer are ${action.by.join(", ")}.`,
      `${person.name} did.`,
    );
}

/** An approval takes as many people as its plan says, whoever recorded their answers. */
export function checkApprovals(
  accounts: readonly Account[],
  submission: Submission,
  findings: Findings,
): void {
  const people = new Map<string, Set<string>>();
  const approved = new Set<string>();
  for (const { told } of accounts)
    for (const { event, answer } of told) {
      if (event.kind !== "step-answered" && event.kind !== "step-settled") continue;
      if (event.kind === "step-settled" && event.cause === "approved") approved.add(event.step);
      if (answer?.answer.verdict !== "passed" || answer.answer.manifest !== submission.manifestCid) continue;
      const own = people.get(event.step) ?? new Set();
      people.set(event.step, own.add(answer.person.peer));
    }
  for (const { name, action } of submission.manifest.plan.steps) {
    if (action?.kind !== "approve" || !approved.has(name)) continue;
    const count = people.get(name)?.size ?? 0;
    if (count < action.count)
      findings.add(
        "approvals-missing",
        name,
        `It takes ${action.count} to approve it.`,
        `The signatures of ${count} are there.`,
      );
  }
}

/** How a gate ends that is not opened, and a step that is another domain's. */
const gateCauses: readonly SettleCause[] = ["declined", "expired", "released"];

function causesOf(action: StepAction | undefined): readonly SettleCause[] {
  switch (action?.kind) {
    case undefined:
    case "uses":
      return [];
    case "approve":
      return ["approved", "declined", "expired"];
    case "wait":
      return [
        ...(action.callback === null ? [] : (["callback"] as const)),
        ...(action.poll === null ? [] : (["poll"] as const)),
        "expired",
      ];
    case "pipeline":
      return ["members"];
    default:
      return unreachable(action);
  }
}

function outcomesOf(
  cause: Exclude<SettleCause, "members">,
  action: StepAction | undefined,
): readonly StepSettled["outcome"][] {
  switch (cause) {
    case "approved":
      return ["passed"];
    case "declined":
      return ["failed"];
    case "callback":
      return ["passed", "failed"];
    case "poll":
      // Only time ends a wait whose poll looks for no failure.
      return action?.kind === "wait" && action.poll?.fails == null ? ["passed"] : ["passed", "failed"];
    case "released":
      return ["passed", "failed", "timed-out"];
    case "expired":
      return ["timed-out"];
    default:
      return unreachable(cause);
  }
}
