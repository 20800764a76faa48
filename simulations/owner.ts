/**
 * The owner of a simulated domain, who has other control peers take over while it runs: asks whoever answers, again and
 * again, until the domain's newest charter names the peers that are wanted, each with the database that it has now.
 */

import { controlKeys } from "../node/core/control.ts";
import type { SignedCharter } from "../protocol/membership.ts";
import { type ControlPeer, isNewer, openCharter, sealCharter, successorOf } from "../protocol/membership.ts";
import { decodeValue } from "../protocol/values.ts";
import { simulatedKeys, simulatedVerifier } from "./keys.ts";
import type { PeerName } from "./observation.ts";
import type { Peer, Seen } from "./peer.ts";

const askAgainUs = 700_000;

export type OwnerAround = {
  readonly first: SignedCharter;
  /** All control peers, members or not. */
  readonly controls: () => readonly Peer[];
  readonly wallMs: () => number;
  readonly in: (afterUs: number, action: () => void) => void;
  /** Tells a control peer what the owner has signed. */
  readonly ask: (to: Peer, charter: Uint8Array) => void;
};

export class Owner {
  readonly #around: OwnerAround;
  #wanted: readonly PeerName[] | null = null;
  #asks = 0;

  constructor(around: OwnerAround) {
    this.#around = around;
  }

  /** The newest charter that any control peer has heard of. */
  get newest(): SignedCharter {
    let newest = this.#around.first;
    for (const { charter } of this.#around.controls())
      if (isNewer(charter.charter, newest.charter)) newest = charter;
    return newest;
  }

  isMember({ traits }: Peer): boolean {
    return this.newest.charter.controls.some(({ peer }) => peer === traits.keys.peer);
  }

  /** True when the domain survives that a member's disk is lost. */
  mayLose(peer: Peer): boolean {
    return this.isMember(peer) && this.#isWhole() && this.newest.charter.controls.length >= 3;
  }

  /** The members that there are, each with the disk that it has now. */
  letIn(): void {
    this.want(this.#members().map(({ name }) => name));
  }

  want(names: readonly PeerName[]): void {
    const isAsking = this.#wanted !== null;
    this.#wanted = names;
    if (!isAsking) this.#ask();
  }

  /** True when every member has its table and the database that the charter names: one of them may be lost. */
  #isWhole(): boolean {
    return this.#isWanted() && this.#members().every((peer) => this.#hasInstalled(peer));
  }

  /** What is not yet as it must be in the end, in words. */
  open(): string[] {
    if (!this.#isWanted()) return ["the control peers are not those that are wanted"];
    return this.#members()
      .filter((peer) => peer.lives && !this.#hasInstalled(peer))
      .map(({ name }) => `${name} has no table`);
  }

  #members(): Peer[] {
    return this.#around.controls().filter((peer) => this.isMember(peer));
  }

  #hasInstalled(peer: Peer): boolean {
    const stored = peer.disk.durable(controlKeys.configuration);
    if (stored === undefined) return false;
    const [store, bytes] = decodeValue(stored) as [string, Uint8Array];
    const opened = openCharter(bytes, null, simulatedVerifier);
    // Not what it has heard of: who was a member of an earlier configuration has kept that one until it is given the table.
    return (
      store === peer.store && opened.ok && opened.value.configuration === this.newest.charter.configuration
    );
  }

  #wantedControls(): ControlPeer[] {
    const controls = this.#around.controls();
    return (this.#wanted ?? []).flatMap((name) => {
      const peer = controls.find((one) => one.name === name);
      return peer === undefined ? [] : [{ peer: peer.traits.keys.peer, store: peer.store, addresses: [] }];
    });
  }

  #isWanted(): boolean {
    if (this.#wanted === null) return true;
    const named = (controls: readonly ControlPeer[]): string =>
      controls.map(({ peer, store }) => `${peer}/${store}`).join(" ");
    return named(this.#wantedControls()) === named(this.newest.charter.controls);
  }

  #ask(): void {
    this.#asks += 1;
    const answering = this.#around.controls().filter((peer) => peer.answers);
    const to = answering[this.#asks % Math.max(1, answering.length)];
    if (to !== undefined && !this.#isWanted()) {
      const next = successorOf(this.newest.charter, this.#wantedControls(), this.#around.wallMs());
      this.#around.ask(to, sealCharter(next, simulatedKeys("owner")));
    }
    this.#around.in(askAgainUs, () => this.#ask());
  }
}

/** A charter as an outsider writes it down. */
export function configured(
  { charter, bytes }: SignedCharter,
  nameOf: (id: string) => PeerName,
): Extract<Seen, { kind: "configured" }> {
  const members = charter.controls.map(({ peer }) => nameOf(peer));
  return { kind: "configured", configuration: charter.configuration, members, charter: bytes };
}
