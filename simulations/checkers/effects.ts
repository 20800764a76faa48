/**
 * A step that reaches outside runs in one place at a time, and alone under its lock or in an environment that is locked,
 * over all runs, whatever the network does, as long as clocks keep within their bound; also where the worker's process was stopped. A
 * machine that was suspended cannot keep that and is left out: only its token protects there (`fences.ts`); and a liar that said it was done while its step
 * runs on, or before it has begun it.
 */

import { type Checker, type PeerName, Violation } from "../observation.ts";
import { KnownLiars } from "./known-liars.ts";

/** After it goes on, a machine gets this long to see that its time was up. */
const awakeUs = 600_000;

type Running = {
  readonly step: string;
  /** What no other step may have meanwhile. */
  readonly lock: string | undefined;
  readonly worker: PeerName;
  readonly token: number;
};

export function effectsChecker(): Checker {
  const running = new Map<string, Running>();
  const asleep = new Map<PeerName, number>();
  const liars = new KnownLiars();
  return {
    name: "effects",
    looksAt: ["fault", "paused", "resumed", "down", "step-over", "step-started"],
    observe: (observation) => {
      const { peer, atUs } = observation;
      liars.observe(observation);
      if (observation.kind === "paused" && observation.how === "suspend")
        asleep.set(peer, Number.POSITIVE_INFINITY);
      if (observation.kind === "resumed") asleep.set(peer, atUs + awakeUs);
      if (observation.kind === "down")
        for (const [key, { worker }] of running) if (worker === peer) running.delete(key);
      if (observation.kind === "step-over") running.delete(`${peer} ${observation.assignment}`);
      if (observation.kind !== "step-started" || !observation.effect) return;
      const { id, run, step, token, variables } = observation.assignment;
      const lock = variables["OTTO_LOCK"];
      for (const other of running.values())
        if (
          (other.step === `${run}/${step}` || (lock !== undefined && other.lock === lock)) &&
          (asleep.get(other.worker) ?? 0) < atUs &&
          !liars.has(other.worker) &&
          !liars.has(peer)
        )
          throw new Violation(
            "effects",
            `${other.step} runs at ${other.worker} under ${other.token}, ${run}/${step} at ${peer} under ${token}`,
          );
      running.set(`${peer} ${id}`, { step: `${run}/${step}`, lock, worker: peer, token });
    },
    finish: () => undefined,
  };
}
