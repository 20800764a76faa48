/** A domain with one control peer, runs in it, and values of registers, for tests of what cores decide. */

import { type Charter, sealCharter } from "../../../protocol/membership.ts";
import type { PlannedStep } from "../../../protocol/plan.ts";
import {
  type Command,
  evaluate,
  type RegisterValue,
  type StepValue,
} from "../../../protocol/registers/registers.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { charterOf, storeOf, submissionOf, type Workload } from "../../../simulations/workload.ts";

export const controlKeysOf = simulatedKeys("control0");
export const workerKeysOf = simulatedKeys("worker0");
export const home = controlKeysOf.peer;
export const worker = workerKeysOf.peer;
export const exampleCharter = charterOf([controlKeysOf], 10_000);

/** A control peer of a charter that simulated keys made, the first one unless told otherwise, as options of its core. */
export function memberOf(charter: Charter, keys = controlKeysOf) {
  return {
    charter: { charter, bytes: sealCharter(charter, simulatedKeys("owner")) },
    store: storeOf(keys.peer),
    addresses: [],
    keys,
  };
}

export function runOf(steps: readonly PlannedStep[], nonce = "n1"): Workload {
  return submissionOf(steps, exampleCharter, nonce);
}

/** The value of a step's register after these commands. */
export function stepAfter(...commands: readonly Command[]): StepValue {
  let value: RegisterValue | null = null;
  for (const command of commands) {
    const evaluation = evaluate(value, command);
    if (evaluation.kind === "refused") throw new Error(`${command.kind}: ${evaluation.reason}`);
    value = evaluation.value;
  }
  if (value?.kind !== "step") throw new Error("not a step");
  return value;
}

export const claimed: Command = { kind: "claim", worker, session: "w:1", nonce: "w:1/1" };

export function ended(token: number, outcome: "passed" | "failed" | "cancelled", again = false): Command {
  const cause = outcome === "passed" ? "finished" : outcome;
  return { kind: "finish", token, worker, cause, outcome, report: new Uint8Array(), again };
}
