/**
 * What exclusive steps reach is a target that remembers the highest fencing token that it saw, and refuses lower ones.
 * Each step shows its token when it begins and once more when it is over, as a deployment does that is stopped half done.
 *
 * No effect under an old token: who comes late, after another has begun, is refused. And who runs by right, with a lease
 * that has not run out, is never refused, unless it said itself that it was done before it began. Both over all steps and runs that share a lock, and over the attempts at a step.
 */

import { type Checker, type PeerName, Violation } from "../observation.ts";
import { KnownLiars } from "./known-liars.ts";

/** As in `effects.ts`: a machine that was suspended sees a moment late that its time was up. */
const awakeUs = 600_000;

type Shown = { readonly attempt: string; readonly token: number };

/** @param late told of every effect that the target has refused. */
export function fencesChecker(late: () => void = () => undefined): Checker {
  const highest = new Map<string, Shown>();
  const asleep = new Map<PeerName, number>();
  const running = new Map<string, { readonly shown: Shown; readonly targets: readonly string[] }>();
  const liars = new KnownLiars();
  return {
    name: "fences",
    looksAt: ["fault", "paused", "resumed", "step-over", "step-started"],
    observe: (observation) => {
      const { peer, atUs } = observation;
      liars.observe(observation);
      if (observation.kind === "paused" && observation.how === "suspend")
        asleep.set(peer, Number.POSITIVE_INFINITY);
      if (observation.kind === "resumed") asleep.set(peer, atUs + awakeUs);
      if (observation.kind === "step-over") {
        const over = running.get(`${peer} ${observation.assignment}`);
        running.delete(`${peer} ${observation.assignment}`);
        for (const target of over?.targets ?? []) lateEffect(target, over?.shown, highest.get(target), late);
      }
      if (observation.kind !== "step-started" || !observation.effect) return;
      const { id, run, step, attempt, fence, variables } = observation.assignment;
      if (fence === null) throw new Violation("fences", `${run}/${step} reaches outside without a token`);
      const shown: Shown = { attempt: `${run}/${step} #${attempt}`, token: fence };
      const lock = variables["OTTO_LOCK"];
      const targets = [`${run}/${step}`, ...(lock === undefined ? [] : [`lock ${lock}`])];
      running.set(`${peer} ${id}`, { shown, targets });
      for (const target of targets) {
        const before = highest.get(target);
        const isNew = before === undefined || fence > before.token;
        if (isNew) highest.set(target, shown);
        else if ((asleep.get(peer) ?? 0) < atUs && !liars.has(peer))
          throw new Violation(
            "fences",
            `${shown.attempt} runs by right at ${peer} under ${fence}, and ${target} has seen ${before.token} of ${before.attempt}`,
          );
        else late();
      }
    },
    finish: () => undefined,
  };
}

/** What is shown once more, when somebody else may have begun meanwhile. */
function lateEffect(
  target: string,
  shown: Shown | undefined,
  newest: Shown | undefined,
  late: () => void,
): void {
  if (shown === undefined || newest === undefined || newest.attempt === shown.attempt) return;
  if (shown.token < newest.token) return late();
  throw new Violation(
    "fences",
    `${target} takes an effect of ${shown.attempt} under ${shown.token} after ${newest.attempt} under ${newest.token}`,
  );
}
