/** A control peer by itself, and what it said: for tests of what a home decides. */

import { ControlCore, keysAtStart } from "../../../node/core/control.ts";
import type { ControlEffect, ControlInput } from "../../../node/core/effects.ts";
import type { StoredEntry } from "../../../node/ports.ts";
import { sealEnvelope } from "../../../protocol/envelope.ts";
import type { LoggedEvent } from "../../../protocol/events.ts";
import { limits } from "../../../protocol/limits.ts";
import { inputsDigest } from "../../../protocol/attempt-content.ts";
import type { GrantedLease, Message, SignedResult } from "../../../protocol/messages.ts";
import type { PlannedStep } from "../../../protocol/plan.ts";
import type { StepReport } from "../../../protocol/report.ts";
import { submissionOf } from "../../../simulations/workload.ts";
import { reportOf } from "../view/example.ts";
import { exampleCharter, home, memberOf, worker, workerKeysOf } from "./example.ts";

/** A lone control peer: what it says to itself is delivered at once, what it stores is kept. */
export class Bench {
  readonly disk = new Map<string, Uint8Array>();
  core: ControlCore;
  nowMs = 10_000;
  #starts = 0;
  readonly #granted = new Map<string, GrantedLease>();
  readonly #steps = new Map<string, readonly PlannedStep[]>();

  constructor() {
    this.core = this.#start();
    this.tick();
  }

  get now() {
    return { monotonicMs: this.nowMs, wallMs: 1_700_000_000_000 + this.nowMs };
  }

  restart(): ControlEffect[] {
    this.core = this.#start();
    return this.tick();
  }

  /** Inputs that come in one turn; what they lead to comes in turns of its own. */
  tell(...together: readonly ControlInput[]): ControlEffect[] {
    const effects: ControlEffect[] = [];
    const inputs: ControlInput[] = [];
    for (let turn = together; turn.length > 0; turn = inputs.splice(0, 1))
      for (const effect of this.core.decide(turn, this.now)) {
        effects.push(effect);
        if (effect.kind === "store") this.#store(effect);
        if (effect.kind === "send" && effect.message.kind === "grant")
          for (const lease of effect.message.leases)
            this.#granted.set(`${lease.run}/${lease.index} ${lease.token}`, lease);
        if (effect.kind === "send" && effect.to === home)
          inputs.push({ kind: "message", from: home, message: effect.message });
      }
    return effects;
  }

  tick(afterMs = 0): ControlEffect[] {
    this.nowMs += afterMs;
    return this.tell({ kind: "tick" });
  }

  hear(message: Message, from = worker): ControlEffect[] {
    return this.tell({ kind: "message", from, message });
  }

  /** Submits a run whose files are here: it is admitted. */
  submit(
    steps: readonly PlannedStep[],
    nonce = "n1",
    locked = false,
  ): { readonly run: string; readonly effects: ControlEffect[] } {
    const { bundle, submission } = submissionOf(steps, exampleCharter, nonce, locked);
    const { run, digest } = submission;
    this.#steps.set(run, steps);
    const taken = this.tell({ kind: "bundle", run, digest, from: null, bytes: bundle, question: 1 });
    return { run, effects: [...taken, ...this.tell({ kind: "source", run, problem: null })] };
  }

  /** A worker comes and asks for work; what it was given is written down. */
  pull(slots = 1, life = "w"): ControlEffect[] {
    return [...this.pullOnly(slots, life), ...this.tick(limits.notesHeldMs)];
  }

  /** The same, and no time has passed since. */
  pullOnly(slots = 1, life = "w"): ControlEffect[] {
    this.tell({ kind: "peer-up", peer: worker, role: "worker" });
    const session = `${life}:1`;
    const greeted = this.hear({ kind: "session", session, labels: [], slots, held: [] });
    const nonce = `${session}/${this.nowMs}`;
    return [...greeted, ...this.hear({ kind: "pull", session, nonce, slots, again: false })];
  }

  /** What the worker reports of the attempt that it was granted under the token. */
  result(run: string, index: number, token: number, report: StepReport = reportOf()): ControlEffect[] {
    return this.hear(this.resultOf(run, index, token, report));
  }

  resultOf(run: string, index: number, token: number, report: StepReport = reportOf()): Message {
    const granted = this.#granted.get(`${run}/${index} ${token}`);
    const inputs = inputsDigest(granted ?? { inputs: [] });
    const { attempt = 1 } = granted ?? {};
    const step = this.#steps.get(run)?.[index]?.name ?? "a";
    const result: SignedResult = { otto: "result/1", run, index, token, step, attempt, inputs, report };
    return {
      kind: "result",
      envelope: sealEnvelope("result", exampleCharter.domain, result, workerKeysOf),
    };
  }

  #start(): ControlCore {
    this.#starts += 1;
    const stored: StoredEntry[] = [...this.disk].filter(([key]) =>
      keysAtStart.some((prefix) => key.startsWith(prefix)),
    );
    const incarnation = `control0.${this.#starts}`;
    return new ControlCore({ ...memberOf(exampleCharter), incarnation, stored }, this.now);
  }

  #store({ operations }: Extract<ControlEffect, { kind: "store" }>): void {
    for (const operation of operations) {
      if (operation.kind === "put") this.disk.set(operation.key, operation.value);
      else this.disk.delete(operation.key);
    }
  }
}

export function said<Kind extends Message["kind"]>(
  effects: readonly ControlEffect[],
  kind: Kind,
): Extract<Message, { kind: Kind }>[] {
  return effects.flatMap((effect) =>
    effect.kind === "send" && effect.message.kind === kind
      ? [effect.message as Extract<Message, { kind: Kind }>]
      : [],
  );
}

export function events(effects: readonly ControlEffect[]): LoggedEvent[] {
  return effects.flatMap((effect) => (effect.kind === "recorded" ? effect.events : []));
}

export function answers(effects: readonly ControlEffect[]): unknown[] {
  return effects.flatMap((effect) => (effect.kind === "answer" ? [effect.answer] : []));
}
