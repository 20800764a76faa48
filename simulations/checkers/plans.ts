/**
 * What a person signed is what everybody has: the very bytes at every control peer, and what a worker executes is what
 * they say, on a worker that has the labels that they ask for.
 */

import type { Assignment } from "../../node/ports.ts";
import { nameBundle } from "../../protocol/manifest.ts";
import { type PlannedStep, requirementsOf } from "../../protocol/plan.ts";
import { sha256Hex } from "../../protocol/values.ts";
import { type Checker, type PeerName, Violation } from "../observation.ts";
import { KnownLiars } from "./known-liars.ts";

export function plansChecker(): Checker {
  const started: { readonly peer: PeerName; readonly assignment: Assignment }[] = [];
  const labels = new Map<PeerName, readonly string[]>();
  const liars = new KnownLiars();
  return {
    name: "plans",
    looksAt: ["fault", "sent session", "step-started"],
    observe: (observation) => {
      liars.observe(observation);
      const { peer } = observation;
      if (observation.kind === "sent" && observation.message.kind === "session")
        labels.set(peer, observation.message.labels);
      if (observation.kind === "step-started") started.push({ peer, assignment: observation.assignment });
    },
    finish: ({ finished, controls, submissions }) => {
      const plans = new Map(submissions.map(({ run, manifest }) => [run, manifest.plan.steps]));
      for (const { peer, assignment } of started) {
        const planned = plans.get(assignment.run)?.find(({ name }) => name === assignment.step);
        const has = liars.has(peer) ? null : (labels.get(peer) ?? []);
        if (planned !== undefined) checkStart(peer, assignment, planned, has);
      }
      if (!finished) return;
      for (const { peer, exported } of controls)
        for (const { run, digest, released } of submissions) {
          const { bundle } = exported(run);
          // One release may be signed at several times; each says the same of the same submission.
          const isOther = (bytes: Uint8Array): boolean =>
            released === undefined ? sha256Hex(bytes) !== digest : nameBundle(bytes)?.run !== run;
          if (bundle === null || isOther(bundle))
            throw new Violation("plans", `${peer} has another plan of ${run} than was signed, or none`);
        }
    },
  };
}

/** As the worker itself would say, and not as the home judges it: a bare label, or a number that is large enough. */
function hasLabel(labels: ReadonlySet<string>, wanted: string): boolean {
  const [, name = "", least = ""] = /^([^><=]+)>=(\d+)$/u.exec(wanted) ?? [];
  if (name === "") return labels.has(wanted);
  return [...labels].some((label) => {
    const [of, amount] = label.split("=");
    return of === name && Number(amount) >= Number(least);
  });
}

/** @param has the labels of the worker; null: not known, since it lied. */
function checkStart(
  peer: PeerName,
  { run, step, commands, timeoutMs }: Assignment,
  planned: PlannedStep,
  has: readonly string[] | null,
): void {
  if (JSON.stringify([commands, timeoutMs]) !== JSON.stringify([planned.commands, planned.timeoutMs]))
    throw new Violation(
      "plans",
      `${peer} runs ${commands.join("; ")} for ${run}/${step}, which is not its plan`,
    );
  const own = new Set(has);
  const missing = has === null ? [] : requirementsOf(planned).filter((label) => !hasLabel(own, label));
  if (missing.length > 0)
    throw new Violation("plans", `${run}/${step} wants ${missing.join()}, and was started at ${peer}`);
}
