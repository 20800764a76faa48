/** The owner takes back what a worker or a person was allowed: signs it anew and asks every control peer, until the domain has it. */

import { type Document, sealDocument } from "../protocol/documents.ts";
import type { Charter } from "../protocol/membership.ts";
import { revocationTopic } from "../protocol/revocation.ts";
import { simulatedKeys } from "./keys.ts";
import type { Observation, PeerName } from "./observation.ts";
import type { Peer, Seen } from "./peer.ts";

const askAgainUs = 700_000;

export type RevokingAround = {
  readonly charter: Charter;
  readonly wallMs: () => number;
  readonly in: (afterUs: number, action: () => void) => void;
  readonly controls: () => readonly Peer[];
  /** The number of a new question. */
  readonly ask: () => number;
  readonly see: (peer: PeerName, seen: Seen) => void;
};

export class Revoking {
  readonly #around: RevokingAround;
  readonly #wanted = new Set<PeerName>();
  readonly #revoked = new Set<PeerName>();
  readonly #asked = new Map<number, PeerName>();

  constructor(around: RevokingAround) {
    this.#around = around;
  }

  /** @param name a peer's or a person's. */
  revoke(name: PeerName): void {
    if (this.#wanted.has(name)) return;
    this.#wanted.add(name);
    this.#ask(name);
  }

  observe(observation: Observation): void {
    if (observation.kind !== "answered") return;
    const name = this.#asked.get(observation.question);
    const { answer } = observation;
    // Another home may have put it, and nobody heard: then it is no news.
    const isPut = answer.ok || answer.reason === "stale";
    if (name === undefined || !isPut || this.#revoked.has(name)) return;
    this.#revoked.add(name);
    this.#around.see("world", { kind: "revoked", name, id: simulatedKeys(name).peer });
  }

  /** What is not yet as it must be in the end, in words. */
  open(): string[] {
    return [...this.#wanted].flatMap((name) => (this.#revoked.has(name) ? [] : [`${name} is not revoked`]));
  }

  #ask(name: PeerName): void {
    const { charter, wallMs, controls, ask, in: later } = this.#around;
    if (this.#revoked.has(name)) return;
    const { peer } = simulatedKeys(name);
    const named = { topic: revocationTopic, name: peer, version: 1, timeMs: wallMs() } as const;
    const document: Document = { otto: "document/1", ...named, body: { name, because: "stolen" } };
    const bytes = sealDocument(document, charter.domain, { keys: simulatedKeys("owner"), certificate: null });
    for (const to of controls().filter(({ answers }) => answers)) {
      const question = ask();
      this.#asked.set(question, name);
      to.tell({ kind: "put-document", bytes, question });
    }
    later(askAgainUs, () => this.#ask(name));
  }
}
