/**
 * Which control peers vote, as one of them knows it: the configuration that it has a vote in, what the others say of
 * theirs, and the table that a new member is given.
 *
 *   no vote --install of a configuration that names this peer and its store--> votes in it
 *      ^                                                                        |
 *      |       its home decides the next one (`protocol/registers/home.ts`), is closed, and installs it at its members
 *      +--- the store is not the one that the charter names: wiped, or put back from a copy
 *
 * Promises: a peer votes only with the database that the charter names, and only after its own install; whoever has
 * installed a configuration has forgotten the one before, so that of two in a row only one can decide. Any member that has
 * its table can install another; what it hands over holds all that the configuration before had decided.
 */

import type { RefusedBecause, Verifier } from "../../protocol/envelope.ts";
import { limits } from "../../protocol/limits.ts";
import {
  type Charter,
  hasSpoken,
  isFormed,
  isNewer,
  openCharter,
  type SignedCharter,
} from "../../protocol/membership.ts";
import type { Message } from "../../protocol/messages.ts";
import { comparePositions, type Position } from "../../protocol/registers/ballot.ts";
import type { TableAt } from "../../protocol/registers/acceptor.ts";
import type { ConfigurationMessage, PromisedRecord } from "../../protocol/registers/messages.ts";
import { pagesOf } from "../../protocol/registers/pages.ts";
import { decodeValue, encodeValue } from "../../protocol/values.ts";
import type { WriteOperation } from "../ports.ts";

/** Where the charter is kept whose configuration this peer has a vote in. */
export const configurationKey = "configuration";

type Spoken = Omit<Extract<ConfigurationMessage, { kind: "configuration" }>, "kind">;

type Incoming = {
  readonly bytes: Uint8Array;
  readonly records: PromisedRecord[];
  readonly at: Position;
  size: number;
};

export type ConfigurationsOptions = {
  readonly self: string;
  /** Names this peer's database. */
  readonly store: string;
  readonly addresses: readonly string[];
  /** The newest charter that this peer knows of, whether or not it votes in it. */
  readonly charter: SignedCharter;
  /** What a former life stored under `configurationKey`. */
  readonly stored: Uint8Array | undefined;
  readonly keys: Verifier;
};

export class Configurations {
  readonly #options: ConfigurationsOptions;
  readonly #linked = new Set<string>();
  readonly #spoken = new Map<string, Spoken>();
  readonly #incoming = new Map<string, Incoming>();
  #known: Charter;
  #installed: SignedCharter | null;
  /** Chosen by this peer's configuration, perhaps without this peer. */
  #chosen: SignedCharter | null = null;
  #againAtMs = 0;

  constructor(options: ConfigurationsOptions) {
    this.#options = options;
    this.#known = options.charter.charter;
    this.#installed = this.#restored(options.stored);
    const installed = this.#installed?.charter;
    if (installed !== undefined && isNewer(installed, this.#known)) this.#known = installed;
  }

  /** The newest charter that this peer knows of. */
  get charter(): Charter {
    return this.#known;
  }

  /** The charter whose configuration this peer has a vote in, or null. */
  get installed(): SignedCharter | null {
    return this.#installed;
  }

  /** What the others that are linked said of themselves. */
  get spoken(): ReadonlyMap<string, Spoken> {
    return this.#spoken;
  }

  /** Takes up a newer charter, by word of mouth: it changes who is believed, never who votes. */
  learn(charter: Charter): void {
    if (isNewer(charter, this.#known)) this.#known = charter;
  }

  up(peer: string): Message {
    this.#linked.add(peer);
    return this.#greeting();
  }

  down(peer: string): void {
    this.#linked.delete(peer);
    this.#spoken.delete(peer);
    this.#incoming.delete(peer);
  }

  heard(peer: string, { configuration, store, addresses }: Spoken): void {
    if (this.#linked.has(peer)) this.#spoken.set(peer, { configuration, store, addresses });
  }

  /**
   * True when the peer votes in the same configuration as this one, as far as it has said. Nobody does any more when
   * another has the table of a later one: that one decides, and hands it to whom it is for.
   */
  isFellow(peer: string): boolean {
    const spoken = this.#spoken.get(peer);
    return (
      this.#installed !== null &&
      !this.#isOvertaken &&
      spoken?.configuration === this.#installed.charter.configuration &&
      isMember(this.#installed.charter, peer, spoken.store)
    );
  }

  /** How many members of a charter are here or linked, with the databases that it names. */
  present(charter: Charter): number {
    const { self, store } = this.#options;
    return charter.controls.filter(({ peer, store: named }) =>
      peer === self ? named === store : this.#spoken.get(peer)?.store === named,
    ).length;
  }

  /** The configuration that this peer voted in has decided which one follows. False: that was known. */
  choose(chosen: SignedCharter): boolean {
    if (this.#chosen !== null) return false;
    this.#chosen = chosen;
    this.learn(chosen.charter);
    return true;
  }

  /** True for a charter that gives this peer a vote. */
  isOwn(charter: Charter): boolean {
    return isMember(charter, this.#options.self, this.#options.store);
  }

  /** Members that wait for the table of the newest configuration that this peer can hand on. */
  waiting(): string[] {
    const newest = this.#newest;
    if (newest === null) return [];
    return [...this.#spoken].flatMap(([peer, { configuration, store }]) =>
      configuration < newest.charter.configuration && isMember(newest.charter, peer, store) ? [peer] : [],
    );
  }

  /** The messages that give a member its table. */
  installing({ records, at, chosen }: TableAt): Message[] {
    const newest = this.#newest;
    if (newest === null) return [];
    const pages = pagesOf(records);
    return pages.map((page, index) => ({
      kind: "install",
      charter: newest.bytes,
      records: page,
      at,
      chosen,
      first: index === 0,
      last: index === pages.length - 1,
    }));
  }

  /** Gathers the pages of an install. Returns the whole of it when it is whole and for this peer. */
  gather(
    from: string,
    message: Extract<ConfigurationMessage, { kind: "install" }>,
  ): (SignedCharter & TableAt) | RefusedBecause | null {
    const { at, chosen } = message;
    const begun: Incoming = { bytes: message.charter, records: [], at, size: 0 };
    const known = message.first ? begun : this.#incoming.get(from);
    // A page of another table comes late, from a link that broke.
    if (known === undefined || comparePositions(known.at, at) !== 0) return null;
    known.records.push(...message.records);
    for (const { value } of message.records) known.size += value.length;
    this.#incoming.set(from, known);
    if (known.size > limits.installBytesMax) {
      this.#incoming.delete(from);
      return "oversized";
    }
    if (!message.last) return null;
    this.#incoming.delete(from);
    const { self, store, keys } = this.#options;
    const opened = openCharter(known.bytes, this.#known.domain, keys);
    if (!opened.ok) return opened.problem;
    const charter = opened.value;
    if (!isFormed(charter) || !hasSpoken(charter, from)) return "role";
    if (charter.configuration <= this.#votesIn || !isMember(charter, self, store)) return null;
    return { charter, bytes: known.bytes, records: known.records, at, chosen };
  }

  /** This peer votes in a configuration from here on. What it must store before it says so. */
  install({ charter, bytes }: SignedCharter): WriteOperation {
    this.#installed = { charter, bytes };
    this.#chosen = null;
    this.learn(charter);
    return { kind: "put", key: configurationKey, value: encodeValue([this.#options.store, bytes]) };
  }

  /** What every linked control peer is told after an install, and again by a member that waits for its table. */
  greetings(): { readonly to: string; readonly message: Message }[] {
    return [...this.#linked].map((to) => ({ to, message: this.#greeting() }));
  }

  /** True now and then while this peer should have a table and has none. */
  mustAskAgain(nowMs: number): boolean {
    const { self, store } = this.#options;
    const behind = this.#known.configuration > this.#votesIn && isMember(this.#known, self, store);
    if (!behind || nowMs < this.#againAtMs) return false;
    this.#againAtMs = nowMs + limits.fetchAgainMs;
    return true;
  }

  get #isOvertaken(): boolean {
    for (const { configuration } of this.#spoken.values()) if (configuration > this.#votesIn) return true;
    return false;
  }

  get #votesIn(): number {
    return this.#installed?.charter.configuration ?? 0;
  }

  get #newest(): SignedCharter | null {
    return this.#chosen ?? this.#installed;
  }

  #greeting(): Message {
    const { store, addresses } = this.#options;
    return { kind: "configuration", configuration: this.#votesIn, store, addresses };
  }

  /**
   * The first configuration begins with an empty table, at peers whose databases are the ones that founded it; any
   * other is installed.
   */
  #restored(stored: Uint8Array | undefined): SignedCharter | null {
    const { self, store, charter, keys } = this.#options;
    if (stored !== undefined) {
      const [ownStore, bytes] = decodeValue(stored) as [string, Uint8Array];
      const opened = openCharter(bytes, charter.charter.domain, keys);
      return opened.ok && ownStore === store ? { charter: opened.value, bytes } : null;
    }
    const founding = charter.charter.configuration === 1 && isFormed(charter.charter);
    return founding && isMember(charter.charter, self, store) ? charter : null;
  }
}

function isMember(charter: Charter, peer: string, store: string): boolean {
  return charter.controls.some((control) => control.peer === peer && control.store === store);
}
