/**
 * Who a domain is: its charter. Who else belongs to it is in `certificate.ts` and `invite.ts`.
 *
 * A domain is named by its owner's key: `id` is a hash of the name and that key, so a charter cannot be swapped
 * for another's. The charter lists the control peers, and since when and until when each was one: so it says of any
 * moment whose word counted then, and how many of them it took.
 */

import { failure, type Result, success } from "./errors.ts";
import { openEnvelope, type RefusedBecause, sealEnvelope, type Signer, type Verifier } from "./envelope.ts";
import { limits } from "./limits.ts";
import { isShownName } from "./names.ts";
import { areOwners, type Owners, ownersId } from "./owners.ts";
import type { Revoked } from "./revocation.ts";
import { encodeValue, sha256Hex } from "./values.ts";

export type Role = "control" | "worker" | "person";

export type ControlPeer = {
  readonly peer: string;
  /** Names its database: a peer whose database was wiped or replaced has another, and does not vote with it. */
  readonly store: string;
  /** Multiaddrs at which workers and people reach it. */
  readonly addresses: readonly string[];
  /** When the owner took it in, for the last time, milliseconds since 1970; absent: when the domain was founded. */
  readonly fromMs?: number;
};

/** A time in which a peer was a control peer: what it signed then still holds. Who came back and left again has several. */
type FormerControl = {
  readonly peer: string;
  /** As of a control peer. */
  readonly fromMs?: number;
  /** When the owner took it out, milliseconds since 1970: what it signs later counts for nothing. */
  readonly sinceMs: number;
};

export type Charter = {
  readonly otto: "charter/1";
  readonly domain: string;
  readonly name: string;
  /** Whose key, or the name of all who own it together (`owners.ts`). */
  readonly owner: string;
  /** Absent: one key owns it. */
  readonly owners?: Owners;
  /** Rises with every change. */
  readonly version: number;
  /** Rises with every change of who votes, once the domain is formed. */
  readonly configuration: number;
  /** How many control peers the domain has; fewer are listed while it is being formed. */
  readonly size: number;
  readonly controls: readonly ControlPeer[];
  readonly former: readonly FormerControl[];
  readonly leaseMs: number;
};

/** A charter, opened and as its owner signed it. */
export type SignedCharter = { readonly charter: Charter; readonly bytes: Uint8Array };

/** A charter, with what whoever holds it has heard besides: that is never signed, nor said to anybody. */
export type Roll = Charter & { readonly revoked?: Revoked };

export function domainId(name: string, owner: string): string {
  return sha256Hex(encodeValue({ name, owner })).slice(0, 32);
}

/** True once every control peer is known: before that nothing is decided. */
export function isFormed(charter: Charter): boolean {
  return charter.controls.length === charter.size;
}

/** True for one of those whose word counts now. */
export function isListed({ controls }: Pick<Charter, "controls">, peer: string): boolean {
  return controls.some((control) => control.peer === peer);
}

/** True for a control peer of this charter or of one before it: it may have recorded what happened, and certified. */
export function hasSpoken(charter: Charter, peer: string): boolean {
  return spokeUntilMs(charter, peer) !== null;
}

/** Until when the word of a control peer counts, milliseconds since 1970: `Infinity` while it is one. Null: it never was. */
export function spokeUntilMs({ controls, former }: Charter, peer: string): number | null {
  if (isListed({ controls }, peer)) return Infinity;
  const ends = former.filter((one) => one.peer === peer).map(({ sinceMs }) => sinceMs);
  return ends.length === 0 ? null : Math.max(...ends);
}

/**
 * True when a domain that has this charter by now had the control peers of the other one at that time or since, all of them and no
 * others: what they signed together counts as it did. So a founder signs nothing alone once the domain has grown.
 */
export function wereControls(then: Charter, now: Charter, timeMs: number): boolean {
  if (then.domain !== now.domain || isNewer(then, now)) return false;
  if (!then.controls.every(({ peer }) => (spokeUntilMs(now, peer) ?? 0) >= timeMs)) return false;
  // It was the domain's when its owner signed it, whoever has come back since.
  if (madeMs(then) >= timeMs) return true;
  const isOfThen = (one: string): boolean => then.controls.some(({ peer }) => peer === one);
  return (
    now.controls.every(({ peer, fromMs = 0 }) => isOfThen(peer) || fromMs >= timeMs) &&
    now.former.every(
      ({ peer, fromMs = 0, sinceMs }) => isOfThen(peer) || fromMs >= timeMs || sinceMs < timeMs,
    )
  );
}

/** When others became control peers by this charter, milliseconds since 1970; 0: nobody has. */
function madeMs({ controls, former }: Charter): number {
  const times = [...controls.map(({ fromMs = 0 }) => fromMs), ...former.map(({ sinceMs }) => sinceMs)];
  return Math.max(0, ...times);
}

/** How many control peers the domain had at a time, milliseconds since 1970. */
export function sizeAt(charter: Charter, timeMs: number): number {
  const { size, controls, former } = charter;
  const peers = new Set([...controls, ...former].map(({ peer }) => peer));
  const then = [...peers].filter((peer) => wasControl(charter, peer, timeMs));
  return size - controls.length + then.length;
}

/** True for one of those that `sizeAt` counts. */
export function wasControl({ controls, former }: Charter, peer: string, timeMs: number): boolean {
  return (
    controls.some((one) => one.peer === peer && (one.fromMs ?? 0) <= timeMs) ||
    former.some((one) => one.peer === peer && (one.fromMs ?? 0) <= timeMs && timeMs < one.sinceMs)
  );
}

/** True when the first charter takes the place of the second. */
export function isNewer(charter: Charter, known: Charter): boolean {
  return (charter.configuration - known.configuration || charter.version - known.version) > 0;
}

/** The next configuration of a formed domain from `wallMs` on: other control peers, or the same ones with other databases. */
export function successorOf(charter: Charter, controls: readonly ControlPeer[], wallMs: number): Charter {
  const leaving = charter.controls
    .filter(({ peer }) => !isListed({ controls }, peer))
    .map(({ peer, fromMs }) => ({ peer, ...sinceOf(fromMs), sinceMs: wallMs }));
  // Who comes back was none meanwhile: with it those that were there would be too few for what they signed.
  const former = [...charter.former, ...leaving];
  const dated = controls.map(({ peer, store, addresses }) => {
    const staying = charter.controls.find((one) => one.peer === peer);
    return { peer, store, addresses, ...sinceOf(staying === undefined ? wallMs : staying.fromMs) };
  });
  const next = { version: charter.version + 1, configuration: charter.configuration + 1 };
  return { ...charter, ...next, size: controls.length, controls: dated, former };
}

/** Null when the second charter may follow the first; else why not, as the end of a sentence. */
export function whyNotSuccessor(charter: Charter, next: Charter): string | null {
  const peers = next.controls.map(({ peer }) => peer);
  if (next.domain !== charter.domain || next.leaseMs !== charter.leaseMs) return "it is of another domain";
  if (next.configuration !== charter.configuration + 1 || next.version <= charter.version)
    return `it does not follow configuration ${charter.configuration}, which the domain has`;
  if (peers.length === 0 || peers.length > limits.controlPeersMax)
    return `a domain has 1 to ${limits.controlPeersMax} control peers`;
  if (!isFormed(next) || new Set(peers).size !== peers.length)
    return "its control peers are not as many as it says";
  const forgotten = [...charter.former, ...charter.controls].some(({ peer }) => !hasSpoken(next, peer));
  return forgotten ? "it forgets a peer that was a control peer" : null;
}

function sinceOf(fromMs: number | undefined): { readonly fromMs?: number } {
  return fromMs === undefined ? {} : { fromMs };
}

export function sealCharter(roll: Roll, owner: Signer): Uint8Array {
  const { revoked: _, ...charter } = roll;
  return sealEnvelope("charter", charter.domain, charter, owner);
}

/** Opens a charter. `domain` null: any domain (the first contact by an invite checks it against the invite). */
export function openCharter(
  bytes: Uint8Array,
  domain: string | null,
  keys: Verifier,
): Result<Charter, RefusedBecause> {
  const opened = openEnvelope(bytes, { kind: "charter", domain }, keys);
  if (!opened.ok) return opened;
  const charter = opened.value.value;
  if (!isCharter(charter)) return failure("malformed");
  const { owner, name } = charter;
  const own = domainId(name, owner) === charter.domain && opened.value.envelope.domain === charter.domain;
  if (charter.owners !== undefined && ownersId(charter.owners) !== owner) return failure("stranger");
  if (!own || opened.value.envelope.signer !== owner) return failure("stranger");
  return success(charter);
}

/** True when what the peer signs or asks at this time counts as a stranger's; clocks may differ, so from a while before on. */
export function isRevoked({ revoked }: Roll, peer: string, wallMs: number): boolean {
  const sinceMs = revoked?.get(peer)?.atMs;
  return sinceMs !== undefined && wallMs >= sinceMs - limits.signedApartMsMax;
}

function isCharter(value: unknown): value is Charter {
  const charter = value as Charter | null;
  return (
    charter?.otto === "charter/1" &&
    !("revoked" in charter) &&
    (charter.owners === undefined || areOwners(charter.owners)) &&
    [charter.domain, charter.owner].every((text) => typeof text === "string") &&
    isShownName(charter.name) &&
    [charter.version, charter.configuration, charter.size, charter.leaseMs].every(
      (count) => Number.isSafeInteger(count) && count > 0,
    ) &&
    Array.isArray(charter.former) &&
    charter.former.every(
      (one: FormerControl | null) =>
        typeof one?.peer === "string" && isMoment(one.fromMs) && Number.isSafeInteger(one.sinceMs),
    ) &&
    Array.isArray(charter.controls) &&
    charter.controls.every(
      (control: ControlPeer | null) =>
        typeof control?.peer === "string" &&
        typeof control.store === "string" &&
        isMoment(control.fromMs) &&
        areTexts(control.addresses),
    )
  );
}

function isMoment(value: unknown): boolean {
  return value === undefined || Number.isSafeInteger(value);
}

export function isRole(value: unknown): value is Role {
  return value === "control" || value === "worker" || value === "person";
}

export function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}
