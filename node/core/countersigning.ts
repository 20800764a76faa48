/**
 * Asks the other control peers of the domain to sign what this one signs, until a majority has: permits, releases, outcomes. Each
 * judges for itself (`endorsing.ts`).
 */

import { equals } from "uint8arrays/equals";
import { openEnvelope, sealEnvelope, type Signer, type Verifier } from "../../protocol/envelope.ts";
import { limits } from "../../protocol/limits.ts";
import type { Charter } from "../../protocol/membership.ts";
import type { Message } from "../../protocol/messages.ts";
import { quorumOf, sealQuorum } from "../../protocol/quorum.ts";
import { encodeValue } from "../../protocol/values.ts";
import type { Now } from "./effects.ts";

export type Countersigned = "permit" | "release" | "outcome";

/** What is signed, and about which step. */
export type Matter = { readonly what: Countersigned; readonly run: string; readonly index: number };

export type CountersigningContext = {
  readonly keys: Signer & Verifier;
  charter(): Charter;
  send(to: string, message: Message): void;
  /** Linked control peers that vote with this one. */
  fellows(): Iterable<string>;
};

type Asked = {
  readonly matter: Matter;
  readonly statement: Uint8Array;
  readonly envelopes: Map<string, Uint8Array>;
  readonly refusals: Map<string, string>;
  readonly atMs: number;
  signed: Uint8Array | null;
};

export class Countersigning {
  readonly #context: CountersigningContext;
  readonly #asked = new Map<string, Asked>();

  constructor(context: CountersigningContext) {
    this.#context = context;
  }

  clear(): void {
    this.#asked.clear();
  }

  forget(matter: Matter): void {
    this.#asked.delete(keyOf(matter));
  }

  /** Control peers that would not sign, and why. */
  refusals(matter: Matter): ReadonlyMap<string, string> {
    return this.#asked.get(keyOf(matter))?.refusals ?? new Map();
  }

  /** True while the others need not be asked again. */
  isAsked(matter: Matter, { monotonicMs }: Now): boolean {
    const asked = this.#asked.get(keyOf(matter));
    return asked !== undefined && monotonicMs - asked.atMs < limits.endorseAgainMs;
  }

  /** Signs, and asks the others to. @param evidence what they judge by besides what they have themselves. */
  ask(matter: Matter, value: unknown, evidence: readonly Uint8Array[], now: Now): void {
    const { keys, charter } = this.#bound();
    const statement = encodeValue(value);
    const own = sealEnvelope(matter.what, charter.domain, value, keys);
    const refusals = this.#asked.get(keyOf(matter))?.refusals ?? new Map<string, string>();
    const envelopes = new Map([[keys.peer, own]]);
    const asked: Asked = { matter, statement, envelopes, refusals, atMs: now.monotonicMs, signed: null };
    this.#asked.set(keyOf(matter), asked);
    for (const peer of this.#context.fellows())
      if (peer !== keys.peer)
        this.#context.send(peer, { kind: "endorse", what: matter.what, statement, evidence });
    this.#count(asked);
  }

  endorsed(from: string, message: Extract<Message, { kind: "endorsed" }>): void {
    const asked = this.#asked.get(keyOf(message));
    if (asked === undefined) return;
    const { keys, charter } = this.#bound();
    const opened = openEnvelope(message.envelope, { kind: message.what, domain: charter.domain }, keys);
    if (!opened.ok || opened.value.envelope.signer !== from) return;
    if (!equals(opened.value.envelope.payload, asked.statement)) return;
    asked.envelopes.set(from, message.envelope);
    asked.refusals.delete(from);
    this.#count(asked);
  }

  notEndorsed(from: string, message: Extract<Message, { kind: "not-endorsed" }>): void {
    this.#asked.get(keyOf(message))?.refusals.set(from, message.why);
  }

  /** What a majority has signed, each time once. */
  takeSigned(matter: Matter): Uint8Array | null {
    const asked = this.#asked.get(keyOf(matter));
    const signed = asked?.signed ?? null;
    if (signed !== null) this.forget(matter);
    return signed;
  }

  #count(asked: Asked): void {
    if (asked.envelopes.size >= quorumOf(this.#context.charter()))
      asked.signed = sealQuorum([...asked.envelopes.values()]);
  }

  #bound() {
    return { keys: this.#context.keys, charter: this.#context.charter() };
  }
}

function keyOf({ what, run, index }: Matter): string {
  return `${what}/${run}/${index}`;
}
