/**
 * Explained before and verified after: pipelines as people write them are planned, run in simulated worlds, and what
 * happened is held against what the plan said could happen.
 */

import { expect, it } from "vitest";
import { outcomeOfCause } from "../../node/view/attempt.ts";
import { branchesOf } from "../../planner/branches.ts";
import { openEntry } from "../../protocol/log.ts";
import type { Plan } from "../../protocol/plan.ts";
import { endOfReport } from "../../protocol/report.ts";
import { unsupportedIn } from "../../protocol/unsupported.ts";
import { allCheckers } from "../../simulations/checkers/all.ts";
import { simulatedKeys, verifySimulated } from "../../simulations/keys.ts";
import { type Checker, Violation } from "../../simulations/observation.ts";
import { runWorld } from "../../simulations/world.ts";
import { charterOf } from "../../simulations/workload.ts";
import { generatedPipeline, planGenerated } from "../planner/generated-pipelines.ts";
import { map, type Written, type WrittenMap } from "../planner/written-tree.ts";

const worlds = 100;

/** The pipeline of this number without what a mesh cannot do yet, or has nobody for. */
function runnable(seed: number): WrittenMap {
  const without = (value: Written): Written => {
    if (Array.isArray(value)) return value.map(without);
    if (!(value instanceof Map)) return value;
    const said = [...(value as WrittenMap)].filter(([key]) => !unmet.has(key));
    // A world lasts ten minutes.
    const isTime = (key: string): boolean => key === "within" || key === "timeout";
    return map(said.map(([key, item]) => [key, isTime(key) ? "1m" : without(item)]));
  };
  return new Map(
    [...(without(generatedPipeline(seed)) as WrittenMap)].map(([key, value]) => [
      key,
      key === "notify" ? (value as readonly WrittenMap[]).map(told) : value,
    ]),
  );
}

const unmet = new Set(["credentials", "requires", "labels", "by", "domain"]);

/** Nobody knows how the run before ended. */
function told(notification: WrittenMap): WrittenMap {
  return new Map([...notification, ["on", ["passed", "failed"]]]);
}

/** How each step of a run ended, as any control peer tells it. */
function endsIn(entries: readonly Uint8Array[], domain: string): ReadonlyMap<string, string> {
  const ends = new Map<string, string>();
  for (const bytes of entries) {
    const opened = openEntry(bytes, domain, { verify: verifySimulated });
    if (!opened.ok) throw new Error(opened.problem);
    for (const event of opened.value.entry.events) {
      if (event.kind === "step-skipped") ends.set(event.step, "skipped");
      if (event.kind === "step-settled") ends.set(event.step, event.outcome);
      if (event.kind === "attempt-ended" && event.final)
        ends.set(event.step, event.report === null ? outcomeOfCause(event.cause) : endOfReport(event.report));
    }
  }
  return ends;
}

/** Every step ended in a way that was said to be possible. @param seen counts ends, by what they are. */
function branchesChecker(plan: Plan, seen: Map<string, number>): Checker {
  const { domain } = charterOf([simulatedKeys("control0")], 1);
  const { steps, impossible } = branchesOf(plan);
  const never = (step: string, end: string): boolean => {
    const shown = steps.find((one) => one.step === step);
    if (shown !== undefined && !shown.branches.some(({ outcomes }) => outcomes.includes(end))) return true;
    return impossible.some((one) =>
      one.kind === "step"
        ? one.step === step && end !== "skipped"
        : one.need === step && one.outcomes.includes(end),
    );
  };
  return {
    name: "branches",
    observe: () => undefined,
    finish: ({ controls, submissions }) => {
      for (const { peer, exported } of controls)
        for (const { run } of submissions)
          for (const [step, end] of endsIn(exported(run).entries, domain)) {
            seen.set(end, (seen.get(end) ?? 0) + 1);
            if (never(step, end))
              throw new Violation(
                "branches",
                `${step} ended as ${end} at ${peer}, which was said to be impossible`,
              );
          }
    },
  };
}

it(`what ${worlds} generated plans allow is what happens, and all that happens is verified`, async () => {
  const broken: string[] = [];
  const seen = new Map<string, number>();
  const kinds = new Set<string>();
  for (let seed = 1; seed <= worlds; seed += 1) {
    const { plan, text } = await planGenerated(20_000 + seed, runnable(20_000 + seed));
    expect(unsupportedIn(plan, "dev"), text).toEqual([]);
    for (const { action } of plan.steps) kinds.add(action?.kind ?? "run");
    const checkers = [...allCheckers(), branchesChecker(plan, seen)];
    const { violation } = await runWorld({ seed, checkers, encoded: false, plans: [plan] });
    if (violation !== null) broken.push(`seed ${seed}: ${violation.message}`);
  }
  expect(broken).toEqual([]);
  expect([...kinds].sort()).toEqual(["approve", "pipeline", "run", "uses", "wait"]);
  for (const end of ["passed", "failed", "timed-out", "cancelled", "skipped", "untidy", "outdated"])
    expect([end, (seen.get(end) ?? 0) > 0]).toEqual([end, true]);
});
