/**
 * The history of every register, from what is seen of a world.
 *
 * An intent is written down when it is first sent: a worker's pull and result, a person's wish, and what a home proposes
 * to the voters. A home that dies may have had its way, so an intent whose outcome nobody was told stays pending.
 * A change has returned when anybody was told of it: a grant, an acknowledgement, an answer, an event in a log.
 */

import { simulatedKeys } from "../keys.ts";
import type { Submission } from "../../protocol/manifest.ts";
import type { LoggedEvent } from "../../protocol/events.ts";
import { type Ack, acksIn, type SignedResult } from "../../protocol/messages.ts";
import type { WireRecord } from "../../protocol/registers/messages.ts";
import {
  type RegisterValue,
  runRegister,
  stepRegister,
  type StepValue,
} from "../../protocol/registers/registers.ts";
import { scheduleRegister } from "../../protocol/registers/schedule.ts";
import { decodedOnce, hashedOnce } from "../decoded.ts";
import type { Observation, PeerName } from "../observation.ts";
import type { Input, Operation } from "./operation.ts";

type Open = {
  readonly register: string;
  readonly call: number;
  readonly input: Input;
  returned: number | null;
};

export class RegisterHistory {
  #seen = 0;
  readonly #operations = new Map<string, Open>();
  readonly #proposed = new Set<string>();
  readonly #known = new WeakSet<readonly WireRecord[]>();
  /** When each pull, each result and each wish was first sent. */
  readonly #sent = new Map<string, number>();
  readonly #ids = new Map<PeerName, string>();
  readonly #questions = new Map<number, { readonly run: string; readonly call: number }>();
  readonly #plans = new Map<string, ReadonlyMap<string, number>>();

  /** What was asked of each register, in the order of the calls. */
  operations(): ReadonlyMap<string, readonly Operation[]> {
    const registers = new Map<string, Operation[]>();
    for (const { register, call, input, returned } of this.#operations.values()) {
      const list = registers.get(register) ?? [];
      registers.set(register, list);
      list.push({ register, call, return: returned, input });
    }
    for (const list of registers.values()) list.sort((left, right) => left.call - right.call);
    return registers;
  }

  observe(observation: Observation): void {
    this.#seen += 1;
    switch (observation.kind) {
      case "submitted":
        return this.#submitted(observation.submission);
      case "up":
        return void this.#ids.set(observation.peer, simulatedKeys(observation.peer).peer);
      case "sent":
        return this.#message(observation);
      case "lied":
        // Who holds a lease may say what it likes of it, and that counts.
        if (observation.message?.kind === "result") this.#result(observation.message.envelope);
        return;
      case "recorded":
        for (const event of observation.events) this.#recorded(event);
        return;
      case "asked-to-cancel": {
        const { question, run } = observation;
        this.#questions.set(question, { run, call: this.#seen });
        this.#first(`cancel ${run}`);
        return;
      }
      case "answered":
        return this.#answered(observation);
      default:
        return;
    }
  }

  #submitted({ run, manifest }: Submission): void {
    this.#plans.set(run, new Map(manifest.plan.steps.map(({ name }, index) => [name, index])));
  }

  #message({ to, message }: Extract<Observation, { kind: "sent" }>): void {
    if (message.kind === "pull") this.#first(`pull ${message.nonce}`);
    else if (message.kind === "result") {
      if (message.pull !== undefined) this.#first(`pull ${message.pull.nonce}`);
      this.#result(message.envelope);
    } else if (message.kind === "accept") this.#intend(message.records);
    else if (message.kind === "grant")
      for (const { run, index, token } of message.leases)
        this.#return(`${stepRegister(run, index)} claim ${token} ${message.nonce}`);
    for (const ack of acksIn(message)) this.#acknowledged(this.#ids.get(to) ?? to, ack);
  }

  #acknowledged(worker: string, { lease: { run, index, token }, verdict }: Ack): void {
    const register = stepRegister(run, index);
    if (verdict === "accepted") return this.#returnFinish(register, token, worker);
    const input = { kind: `told-${verdict}`, token, worker } as const;
    const call = this.#sent.get(`result ${register} ${token} ${worker}`) ?? this.#seen;
    this.#told(`${register} ${verdict} ${token} ${worker}`, { register, call, input });
  }

  #result(envelope: Uint8Array): void {
    const [, , signer, payload] = decodedOnce(envelope) as [string, string, string, Uint8Array];
    const { run, index, token } = decodedOnce(payload) as SignedResult;
    this.#first(`result ${stepRegister(run, index)} ${token} ${signer}`);
  }

  /** What a home proposes for the first time; a later home lays it down again, which is no new intent. */
  #intend(records: readonly WireRecord[]): void {
    // The same records go to every voter.
    if (this.#known.has(records)) return;
    this.#known.add(records);
    for (const { names, value } of records)
      for (const name of names) {
        const proposed = `${name} ${hashedOnce(value)}`;
        if (this.#proposed.has(proposed)) continue;
        this.#proposed.add(proposed);
        for (const intent of intentsOf(name, decodedOnce(value) as RegisterValue)) {
          const key = `${name} ${intent.key}`;
          if (this.#operations.has(key)) continue;
          const call = (intent.asked === null ? undefined : this.#sent.get(intent.asked)) ?? this.#seen;
          this.#operations.set(key, { register: name, call, input: intent.input, returned: null });
        }
      }
  }

  #recorded(event: LoggedEvent): void {
    if (event.kind === "run-admitted") return this.#return(`${runRegister(event.run)} admit`);
    if (event.kind === "run-closed") return this.#return(`${runRegister(event.run)} close ${event.outcome}`);
    if (event.kind === "cancel-requested") return this.#return(`${runRegister(event.run)} cancel`);
    if (event.kind === "schedule-set")
      return this.#return(`${scheduleRegister(event.pipeline)} set ${event.revision} ${event.sinceMs}`);
    if (event.kind === "schedule-removed")
      return this.#return(`${scheduleRegister(event.pipeline)} remove ${event.run}`);
    if (!("step" in event)) return;
    const index = this.#plans.get(event.run)?.get(event.step);
    if (index === undefined) return;
    const register = stepRegister(event.run, index);
    if (event.kind === "step-waiting") return this.#return(`${register} await`);
    if (event.kind === "step-answered") return this.#return(`${register} answer ${event.by}`);
    if (event.kind === "step-settled")
      return this.#return(`${register} settle ${event.outcome} ${event.cause}`);
    if (event.kind === "gate-opened" && event.after === true) return this.#return(`${register} permit`);
    if (event.kind !== "attempt-ended") return;
    const { token, worker, cause, report } = event;
    const how = event.held === true ? "held" : event.final ? "last" : "again";
    const isExpiry = cause === "lost" || cause === "released" || (cause === "cancelled" && report === null);
    this.#return(
      isExpiry ? `${register} expire ${token} ${how}` : `${register} finish ${token} ${worker} ${how}`,
    );
  }

  #answered({ question, answer }: Extract<Observation, { kind: "answered" }>): void {
    const asked = this.#questions.get(question);
    if (asked === undefined) return;
    const register = runRegister(asked.run);
    if (answer.ok) return this.#return(`${register} cancel`);
    const { reason } = answer;
    if (reason !== "closed" && reason !== "no-such-run") return;
    const input = { kind: reason === "closed" ? "told-closed" : "told-absent" } as const;
    this.#told(`${register} ${reason} ${question}`, { register, call: asked.call, input });
  }

  /** The worker was told that its result counts: of two intents the event behind it says which. */
  #returnFinish(register: string, token: number, worker: string): void {
    const keys = ["last", "again", "held"].map((how) => `${register} finish ${token} ${worker} ${how}`);
    const known = keys.filter((key) => this.#operations.has(key));
    const [only] = known;
    if (known.length === 1 && only !== undefined) this.#return(only);
    // Nobody proposed what was acknowledged: it returned, and nothing makes it fit.
    if (known.length === 0) {
      const input = { kind: "finish", token, worker, again: false } as const;
      this.#told(`${register} finish ${token} ${worker} last`, { register, call: this.#seen, input });
    }
  }

  #told(key: string, { register, call, input }: Pick<Open, "register" | "call" | "input">): void {
    if (!this.#operations.has(key))
      this.#operations.set(key, { register, call, input, returned: this.#seen });
  }

  #return(key: string): void {
    const open = this.#operations.get(key);
    if (open !== undefined) open.returned ??= this.#seen;
  }

  #first(what: string): void {
    if (!this.#sent.has(what)) this.#sent.set(what, this.#seen);
  }
}

type Intent = {
  /** Tells it from every other intent on its register. */
  readonly key: string;
  readonly input: Input;
  /** What a worker or a person sent to have it so; null: the home's own. */
  readonly asked: string | null;
};

/**
 * The changes that lead to a proposed value. A round may hold several of one register, of which only the last value is
 * sent: those that it implies are intents too.
 */
function intentsOf(name: string, value: RegisterValue): Intent[] {
  switch (value.kind) {
    case "run": {
      const { outcome, cancelledBy: by } = value;
      const asked = `cancel ${name.slice("run/".length)}`;
      return [
        own("admit", { kind: "admit" }),
        ...(by === null ? [] : [{ key: "cancel", input: { kind: "cancel", by }, asked } as const]),
        ...(outcome === null ? [] : [own(`close ${outcome}`, { kind: "close", outcome })]),
      ];
    }
    case "schedule": {
      const { order, removed, newest, revision, sinceMs, settledMs } = value;
      if (order === null) return [own(`remove ${removed?.id ?? ""}`, { kind: "remove" })];
      if (newest === null)
        // A home that proposes it anew has another time.
        return [own(`set ${revision} ${sinceMs}`, { kind: "set", order: order.id, revision, sinceMs })];
      return [own(`fire ${settledMs}`, { kind: "fire", order: order.id, throughMs: settledMs })];
    }
    case "step":
      return [...answersIn(value), ...stepIntent(name, value)];
    default:
      return [];
  }
}

function answersIn(value: StepValue): Intent[] {
  if (value.state !== "waiting" && value.state !== "done") return [];
  const answers = value.answers ?? [];
  const isAsked = value.state === "waiting" || answers.length > 0;
  return [
    ...(isAsked ? [own("await", { kind: "await" })] : []),
    ...answers.map(({ by }) => own(`answer ${by}`, { kind: "answer", by })),
  ];
}

function stepIntent(name: string, value: StepValue): Intent[] {
  if (value.state === "leased") {
    const { token, nonce, worker } = value;
    const input = { kind: "claim", token, nonce, worker } as const;
    return [{ key: `claim ${token} ${nonce}`, input, asked: `pull ${nonce}` }];
  }
  if (value.state === "done" && value.settlement !== undefined)
    return [own(`settle ${value.outcome} ${value.settlement.cause}`, { kind: "settle" })];
  const ended = value.past.at(-1);
  if (ended === undefined) return [];
  const { token, worker, cause } = ended;
  const isHeld = value.state === "gated" && value.ended !== undefined;
  if (isHeld || (value.state === "done" && value.gate !== undefined)) {
    const held = { kind: "finish", token, worker, again: false, held: true } as const;
    return [
      { key: `finish ${token} ${worker} held`, input: held, asked: `result ${name} ${token} ${worker}` },
      ...(isHeld ? [] : [own("permit", { kind: "permit" })]),
    ];
  }
  const again = value.state === "queued" || value.state === "gated";
  const how = again ? "again" : "last";
  const isFinish = value.state === "done" ? value.report !== null : cause !== "lost" && cause !== "released";
  if (!isFinish) return [own(`expire ${token} ${how}`, { kind: "expire", token, again })];
  const input = { kind: "finish", token, worker, again } as const;
  return [{ key: `finish ${token} ${worker} ${how}`, input, asked: `result ${name} ${token} ${worker}` }];
}

function own(key: string, input: Input): Intent {
  return { key, input, asked: null };
}
