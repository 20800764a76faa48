/**
 * Finds a plan that a run had: by the beginning of its id, or the last one of a ref or of an environment.
 *
 * Looks through the newest runs, up to a bound, and says so when nothing is found there.
 */

import type { FoundPlan, RunSummary } from "../../protocol/calls.ts";
import { OttoError, unreachable } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type { WantedPlan } from "../../protocol/requests.ts";
import type { RunView } from "../view/run.ts";

export type KnownRuns = {
  /** Newest first, at most so many. */
  newest(countMax: number): Promise<readonly RunSummary[]>;
  /** Null when only events of the run are known here. */
  planOf(run: string): Promise<Omit<FoundPlan, "run"> | null>;
  viewOf(run: string): Promise<RunView>;
};

/** Throws `OTTO_NO_SUCH_PLAN`, and `OTTO_USAGE` when several plans begin so. */
export async function findPlan(wanted: WantedPlan, runs: KnownRuns): Promise<FoundPlan> {
  const newest = await runs.newest(limits.runsSearchedMax);
  // A run that was refused never ran; that one had the plan is reason enough to compare with it by its id.
  const ran = newest.filter(({ state }) => state !== "refused");
  switch (wanted.by) {
    case "id":
      return byId(wanted.id, newest, runs);
    case "ref":
      return byRef(wanted, ran, runs);
    case "environment":
      return byEnvironment(wanted, ran, runs);
    default:
      return unreachable(wanted);
  }
}

async function byId(id: string, newest: readonly RunSummary[], runs: KnownRuns): Promise<FoundPlan> {
  const found = new Map<string, FoundPlan>();
  for (const { run } of newest) {
    const known = await runs.planOf(run);
    if (known === null || !known.planId.startsWith(id) || found.has(known.planId)) continue;
    found.set(known.planId, { run, ...known });
    if (known.planId === id) break;
  }
  const [first, second] = [...found.values()];
  if (first === undefined) throw notFound(`no run had a plan whose id begins with ${id}`);
  if (second === undefined || found.has(id)) return found.get(id) ?? first;
  throw new OttoError("OTTO_USAGE", {
    what: `The ids of ${found.size} plans begin with ${id}: ${first.planId}, ${second.planId}${found.size > 2 ? " and others" : ""}.`,
    state: "Nothing was compared.",
    next: "Write more of the id.",
  });
}

async function byRef(
  { pipeline, branch, tag }: Extract<WantedPlan, { by: "ref" }>,
  ran: readonly RunSummary[],
  runs: KnownRuns,
): Promise<FoundPlan> {
  for (const { run } of ran.filter((summary) => summary.pipeline === pipeline)) {
    const known = await runs.planOf(run);
    const context = known?.plan.context;
    const isOfRef = branch === null ? context?.tag === tag : context?.branch === branch;
    if (known !== null && isOfRef) return { run, ...known };
  }
  const where = branch === null ? `the tag ${tag ?? ""}` : `the branch ${branch}`;
  throw notFound(`the pipeline ${pipeline} has not run on ${where}`);
}

/** The one whose step there passed last: a run that waited for an approval may be older than others that did not. */
async function byEnvironment(
  { pipeline, environment }: Extract<WantedPlan, { by: "environment" }>,
  ran: readonly RunSummary[],
  runs: KnownRuns,
): Promise<FoundPlan> {
  let last: { readonly found: FoundPlan; readonly passedMs: number } | null = null;
  for (const { run } of ran.filter((summary) => summary.pipeline === pipeline)) {
    const known = await runs.planOf(run);
    if (known?.plan.steps.some((step) => step.environment === environment) !== true) continue;
    const passedMs = lastPassedMs(await runs.viewOf(run), environment);
    if (passedMs !== null && (last === null || passedMs > last.passedMs))
      last = { found: { run, ...known }, passedMs };
  }
  if (last !== null) return last.found;
  throw notFound(`no step of the pipeline ${pipeline} has passed in the environment ${environment}`);
}

function lastPassedMs({ steps }: RunView, environment: string): number | null {
  const times = steps
    .filter(({ planned, state }) => planned?.environment === environment && state.kind === "passed")
    .map(({ attempts }) => attempts.at(-1)?.ended?.timeMs ?? 0);
  return times.length === 0 ? null : Math.max(...times);
}

function notFound(what: string): OttoError {
  return new OttoError("OTTO_NO_SUCH_PLAN", {
    what: `Of the newest ${limits.runsSearchedMax} runs that this node knows, ${what}.`,
    state: "Nothing was compared.",
    next: "List the runs with `otto status`, or compare with a commit: otto explain --diff REVISION",
  });
}
