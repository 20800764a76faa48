/**
 * Where peers were last reached, and where they are said to be: kept in the node's database, so that a peer finds the
 * others again after a restart, also when they moved since the charter was written.
 *
 * An address is a hint: whoever answers there proves with its key which peer it is. So nothing here is signed, and all
 * of it is bounded: addresses of one peer, peers, and the length of an address.
 *
 *   said by whom    self      the peer itself, on its own link: replaces what it said before
 *                   charter   the owner of the domain; never dropped while the charter lists it
 *                   invite    the invite by which this node joined
 *                   dialled   it answered there
 *                   told      a control peer knows it from somebody else
 */

import { multiaddr } from "@multiformats/multiaddr";
import { limits } from "../../protocol/limits.ts";
import { decodeUntrusted, encodeValue } from "../../protocol/values.ts";
import type { Clock, Storage } from "../ports.ts";
import { wordsOf } from "./error-words.ts";

const ranks = ["self", "charter", "invite", "dialled", "told"] as const;
type Source = (typeof ranks)[number];

type Known = { readonly address: string; source: Source; heardMs: number; workedMs: number };

const prefix = "address/";

export class AddressBook {
  readonly #storage: Storage;
  readonly #clock: Pick<Clock, "wallMs">;
  readonly #peers = new Map<string, Known[]>();

  private constructor(storage: Storage, clock: Pick<Clock, "wallMs">) {
    this.#storage = storage;
    this.#clock = clock;
  }

  static async open(storage: Storage, clock: Pick<Clock, "wallMs">): Promise<AddressBook> {
    const book = new AddressBook(storage, clock);
    for (const [key, bytes] of await storage.list(prefix)) {
      const peer = key.slice(prefix.length);
      const known = parseKnown(bytes).filter(({ address }) => isAddressOf(address, peer));
      if (known.length > 0) book.#peers.set(peer, known);
    }
    return book;
  }

  /** How many peers are in it. */
  get size(): number {
    return this.#peers.size;
  }

  /** Where to look for the peer, best first: where it was reached lately, then who said so. */
  addressesOf(peer: string): readonly string[] {
    return (this.#peers.get(peer) ?? []).toSorted(byPromise).map(({ address }) => address);
  }

  /** What others may be told of the peer: what it said itself, and where it was reached. */
  certainOf(peer: string): readonly string[] {
    return (this.#peers.get(peer) ?? [])
      .filter(({ source, workedMs }) => source === "self" || workedMs > 0)
      .toSorted(byPromise)
      .map(({ address }) => address);
  }

  /**
   * Takes in where somebody says that the peer is. What the same source said before and does not say now is dropped,
   * unless it worked. Nonsense is ignored.
   *
   * @returns true when an address is new.
   */
  learn(peer: string, addresses: readonly string[], source: Exclude<Source, "dialled">): boolean {
    const heardMs = this.#clock.wallMs();
    const before = this.#peers.get(peer) ?? [];
    const own = addresses.filter((address) => isAddressOf(address, peer));
    const said = new Set(own.slice(0, limits.addressesPerPeerMax).map((address) => placeOf(address, peer)));
    const kept = before.filter(
      (known) => known.source !== source || known.workedMs > 0 || said.has(known.address),
    );
    let isNew = false;
    for (const address of said) {
      const known = kept.find((candidate) => candidate.address === address);
      if (known === undefined) kept.push({ address, source, heardMs, workedMs: 0 });
      else if (ranks.indexOf(source) < ranks.indexOf(known.source)) known.source = source;
      isNew ||= known === undefined;
    }
    if (isNew || kept.length !== before.length) this.#keep(peer, kept);
    return isNew;
  }

  /** Takes in the addresses of an invite, which say themselves to whom they lead. */
  learnInvited(addresses: readonly string[]): void {
    const byPeer = Map.groupBy(addresses, (address) => address.split("/p2p/")[1] ?? "");
    for (const [peer, those] of byPeer) if (peer !== "") this.learn(peer, those, "invite");
  }

  /** The peer answered at this address. */
  worked(peer: string, address: string): void {
    const place = placeOf(address, peer);
    const nowMs = this.#clock.wallMs();
    const known = this.#peers.get(peer) ?? [];
    const found = known.find((candidate) => candidate.address === place);
    if (found === undefined)
      known.push({ address: place, source: "dialled", heardMs: nowMs, workedMs: nowMs });
    else found.workedMs = nowMs;
    this.#keep(peer, known);
  }

  #keep(peer: string, known: readonly Known[]): void {
    const best = known.toSorted(byPromise);
    // Whatever is said of a peer, the owner's word of it stays.
    const chartered = best.filter(({ source }) => source === "charter");
    const rest = best.filter(({ source }) => source !== "charter");
    const room = Math.max(1, limits.addressesPerPeerMax - chartered.length);
    const kept = [...chartered.slice(0, limits.addressesPerPeerMax - 1), ...rest.slice(0, room)];
    this.#peers.set(peer, kept);
    this.#write([peer]);
    if (this.#peers.size > limits.addressBookPeersMax) this.#forgetOne(peer);
  }

  /** The peer that was reached least lately goes, those of the charter last. */
  #forgetOne(newest: string): void {
    const worth = (known: readonly Known[]): number =>
      known.some(({ source }) => source === "charter")
        ? Number.MAX_SAFE_INTEGER
        : Math.max(0, ...known.map(({ heardMs, workedMs }) => Math.max(heardMs / 2, workedMs)));
    let least: { readonly peer: string; readonly worth: number } | null = null;
    for (const [peer, known] of this.#peers)
      if (peer !== newest && (least === null || worth(known) < least.worth))
        least = { peer, worth: worth(known) };
    if (least === null) return;
    this.#peers.delete(least.peer);
    this.#write([least.peer]);
  }

  /** Durable with whatever the node syncs next: a hint that is lost is heard again. */
  #write(peers: readonly string[]): void {
    const operations = peers.map((peer) => {
      const known = this.#peers.get(peer);
      const key = prefix + peer;
      if (known === undefined) return { kind: "delete", key } as const;
      const rows = known.map(({ address, source, heardMs, workedMs }) => [
        address,
        source,
        heardMs,
        workedMs,
      ]);
      return { kind: "put", key, value: encodeValue(rows) } as const;
    });
    this.#storage
      .write(operations)
      .catch((error: unknown) => process.stderr.write(`otto: addresses were not kept: ${wordsOf(error)}\n`));
  }
}

/** True for an address that can be dialled for this peer: not too long, not another peer's. */
function isAddressOf(address: string, peer: string): boolean {
  if (address.length > limits.addressCharactersMax) return false;
  try {
    const parts = multiaddr(address).getComponents();
    const named = parts.findLast(({ name }) => name === "p2p")?.value;
    return parts.some(({ name }) => name === "tcp") && (named === undefined || named === peer);
  } catch {
    return false;
  }
}

/** Without the peer that it leads to, so that one place is not in the book twice. */
function placeOf(address: string, peer: string): string {
  const suffix = `/p2p/${peer}`;
  return address.endsWith(suffix) ? address.slice(0, -suffix.length) : address;
}

function byPromise(left: Known, right: Known): number {
  if (left.workedMs !== right.workedMs) return right.workedMs - left.workedMs;
  const byRank = ranks.indexOf(left.source) - ranks.indexOf(right.source);
  return byRank === 0 ? right.heardMs - left.heardMs : byRank;
}

function parseKnown(bytes: Uint8Array): Known[] {
  const decoded = decodeUntrusted(bytes);
  if (!decoded.ok || !Array.isArray(decoded.value)) return [];
  return decoded.value.flatMap((row: unknown) => {
    if (!Array.isArray(row)) return [];
    const [address, source, heardMs, workedMs] = row as unknown[];
    if (typeof address !== "string" || !isSource(source)) return [];
    if (typeof heardMs !== "number" || typeof workedMs !== "number") return [];
    return [{ address, source, heardMs, workedMs }];
  });
}

function isSource(value: unknown): value is Source {
  return ranks.some((rank) => rank === value);
}
