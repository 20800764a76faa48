/** A lone home with as many steps and workers as asked: what a pull costs it, in time and in bytes. */

import type { ControlEffect } from "../../../node/core/effects.ts";
import { sealEnvelope } from "../../../protocol/envelope.ts";
import { inputsDigest } from "../../../protocol/attempt-content.ts";
import { encodeMessage, type GrantedLease, type SignedResult } from "../../../protocol/messages.ts";
import { limits } from "../../../protocol/limits.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { plannedStep, reportOf } from "../view/example.ts";
import { Bench, said } from "./bench.ts";
import { exampleCharter } from "./example.ts";

export class Fleet {
  readonly bench = new Bench();
  readonly #workers: readonly ReturnType<typeof simulatedKeys>[];
  #pulls = 0;

  /** @param steps of runs of a size that a plan may have, none of which needs another. */
  constructor({ steps, workers }: { readonly steps: number; readonly workers: number }) {
    this.#workers = Array.from({ length: workers }, (_, index) => simulatedKeys(`worker${index}`));
    for (const [index, { peer }] of this.#workers.entries()) {
      this.bench.tell({ kind: "peer-up", peer, role: "worker" });
      // No machine has as much memory as another.
      const labels = ["os=linux", `memory=${8_192 + index}`];
      this.bench.hear({ kind: "session", session: `${peer}:1`, labels, slots: 1, held: [] }, peer);
    }
    const perRun = Math.min(steps, limits.stepsPerPlanMax / 10);
    for (let run = 0; run < steps / perRun; run += 1)
      this.bench.submit(
        Array.from({ length: perRun }, (_, index) =>
          plannedStep(`step${index}`, [], { labels: ["os=linux"] }),
        ),
        `n${run}`,
      );
  }

  /** One worker after another asks for a step, is granted it and reports it. Returns what the home did for it. */
  cycle(): readonly ControlEffect[] {
    const keys = this.#workers[this.#pulls % this.#workers.length];
    if (keys === undefined) throw new Error("The fleet has no worker.");
    this.#pulls += 1;
    const session = `${keys.peer}:1`;
    const nonce = `${session}/${this.#pulls}`;
    const pulled = this.bench.hear({ kind: "pull", session, nonce, slots: 1, again: false }, keys.peer);
    const [lease] = said(pulled, "grant").flatMap(({ leases }) => leases);
    if (lease === undefined) throw new Error("The pull was granted nothing.");
    return [...pulled, ...this.#report(lease, keys)];
  }

  #report(
    { run, index, token, attempt }: GrantedLease,
    keys: ReturnType<typeof simulatedKeys>,
  ): ControlEffect[] {
    const inputs = inputsDigest({ inputs: [] });
    const report = reportOf();
    const result: SignedResult = {
      otto: "result/1",
      run,
      index,
      token,
      step: `step${index}`,
      attempt,
      inputs,
      report,
    };
    const envelope = sealEnvelope("result", exampleCharter.domain, result, keys);
    return this.bench.hear({ kind: "result", envelope }, keys.peer);
  }
}

/** What goes to disks and to other peers. */
export function bytesOf(effects: readonly ControlEffect[]): number {
  let bytes = 0;
  for (const effect of effects) {
    if (effect.kind === "send") bytes += encodeMessage(effect.message).length;
    if (effect.kind !== "store") continue;
    for (const operation of effect.operations)
      bytes += operation.key.length + (operation.kind === "put" ? operation.value.length : 0);
  }
  return bytes;
}
