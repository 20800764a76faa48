/**
 * What peers say that lie: besides all that their honest core goes on saying. A liar knows everything that was ever said
 * (`Overheard`) and signs with its own key alone: it cannot speak in another's name, only try to.
 *
 * `workerActs` and `controlActs` are what the design claims to survive. `rulingActs` are those of a control peer that
 * misuses its vote or its reign: a quorum that bears crashes does not bear them, and they are for worlds that are
 * beyond the design.
 */

import { inputsDigest } from "../protocol/attempt-content.ts";
import type { GrantedLease, Message, SignedResult } from "../protocol/messages.ts";
import { sealAnnouncements } from "../protocol/announcement.ts";
import { sealEnvelope } from "../protocol/envelope.ts";
import { unreachable } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { emptyLog, logId, sealEntry } from "../protocol/log.ts";
import type { Charter } from "../protocol/membership.ts";
import { encodeMessage } from "../protocol/messages.ts";
import { type Ballot, origin } from "../protocol/registers/ballot.ts";
import { encodeValue, sha256Hex } from "../protocol/values.ts";
import type { Keys } from "../node/ports.ts";
import type { PeerName } from "./observation.ts";
import type { Overheard } from "./overheard.ts";
import { type PermitAct, permitLie } from "./permit-liars.ts";
import type { Chance } from "./random.ts";

export const workerActs = [
  "result-never-held",
  "result-of-another",
  "result-stolen",
  "result-replayed",
  "result-invented",
  "result-given-other-inputs",
  "release-of-another",
  "session-of-another",
  "output-of-another",
  "output-beyond",
  "votes",
  "history",
  "garbled",
  "oversized",
  "flood",
  "gossip-unsigned",
  "gossip-foreign",
  "gossip-oversized",
  "gossip-replayed",
] as const;

export const controlActs = [
  "ballot-of-another",
  "history",
  "history-replayed",
  "result-stolen",
  "welcome-elsewhere",
  "garbled",
  "oversized",
  "gossip-unsigned",
  "gossip-foreign",
  "gossip-oversized",
  "gossip-replayed",
] as const;

export const rulingActs = [
  "promise-empty",
  "vote-twice",
  "grant-invented",
  "acknowledge-invented",
  "history-invented",
  "admission-invented",
] as const;

export type Act =
  | (typeof workerActs)[number]
  | (typeof controlActs)[number]
  | (typeof rulingActs)[number]
  | PermitAct;

export function isRulingAct(act: Act): boolean {
  return (rulingActs as readonly Act[]).includes(act);
}

/** What a liar says: to one peer, or to whoever hears gossip. */
export type Lie = { readonly to: PeerName | null; readonly frame: Message | Uint8Array };

export type LiarAround = {
  readonly charter: Charter;
  readonly self: PeerName;
  readonly keys: Keys;
  readonly certificate: Uint8Array;
  readonly overheard: Overheard;
  readonly wallMs: number;
  readonly controls: readonly PeerName[];
  readonly workers: readonly PeerName[];
  readonly idOf: (name: PeerName) => string;
};

/** What the liar says this time; nothing when it has not heard what it would need. */
export function lie(act: Act, around: LiarAround, chance: Chance): readonly Lie[] {
  const { overheard, self, controls } = around;
  const to = chance.pick(controls);
  const toAll = (frame: Message | Uint8Array): Lie[] => controls.map((control) => ({ to: control, frame }));
  const own = overheard.grants.filter((grant) => grant.to === self).at(-1)?.lease;
  const anothers = overheard.grants.filter((grant) => grant.to !== self).at(-1)?.lease;
  switch (act) {
    case "result-never-held": {
      const [some] = overheard.grants;
      if (some === undefined) return [];
      const { lease } = some;
      return toAll(resultOf(around, { ...lease, token: lease.token + chance.between(-1, 3) }, chance));
    }
    case "result-of-another":
      return anothers === undefined ? [] : toAll(resultOf(around, anothers, chance));
    case "result-stolen":
    case "result-replayed": {
      const isOwn = act === "result-replayed";
      const known = overheard.results.filter(({ from }) => (from === self) === isOwn);
      return known.length === 0 ? [] : toAll({ kind: "result", envelope: chance.pick(known).envelope });
    }
    case "result-invented":
      return own === undefined
        ? []
        : [...toAll(resultOf(around, own, chance)), ...toAll(resultOf(around, own, chance))];
    case "result-given-other-inputs":
      return own === undefined
        ? []
        : toAll(resultOf(around, { ...own, inputs: [{ name: "other", tree: digestOf(own.run) }] }, chance));
    case "release-of-another":
      return anothers === undefined
        ? []
        : toAll({
            kind: "release",
            leases: [anothers].map(refOf),
            how: chance.percent(50) ? "begun" : "unstarted",
          });
    case "session-of-another": {
      const session = overheard.sessions.filter(({ of }) => of !== self).at(-1)?.session;
      const held = anothers === undefined ? [] : [refOf(anothers)];
      if (session === undefined) return [];
      return toAll({ kind: "session", session, labels: ["gpu"], slots: 9, held });
    }
    case "output-of-another":
    case "output-beyond": {
      const lease = act === "output-of-another" ? anothers : own;
      return lease === undefined ? [] : toAll(madeUpOutput(lease, act === "output-beyond"));
    }
    case "votes":
    case "ballot-of-another":
      return votes(act, around, chance).flatMap(toAll);
    case "history":
      return anothers === undefined ? [] : toAll(forgedHistory(around, anothers));
    case "history-replayed":
      return overheard.entries.length === 0
        ? []
        : toAll({ kind: "events", entries: [chance.pick(overheard.entries)], answer: false });
    case "welcome-elsewhere":
      return around.workers.map((worker) => ({
        to: worker,
        frame: { kind: "welcome", home: around.idOf(to), leaseMs: around.charter.leaseMs },
      }));
    case "garbled":
      return [{ to, frame: garbled(chance) }];
    case "oversized":
      return [{ to, frame: new Uint8Array(limits.frameBytesMax + 1) }];
    case "flood": {
      const session = overheard.sessions.filter(({ of }) => of === self).at(-1)?.session ?? "nobody";
      const pull = (nonce: number): Message => {
        const again = chance.percent(50);
        return { kind: "pull", session, nonce: `${self} ${nonce}`, slots: limits.pullSlotsMax, again };
      };
      return Array.from({ length: 20 }, (_, nonce) => ({ to, frame: pull(nonce) }));
    }
    case "gossip-unsigned":
    case "gossip-foreign":
    case "gossip-oversized":
    case "gossip-replayed":
      return gossip(act, around, chance);
    case "promise-empty":
    case "vote-twice":
    case "grant-invented":
    case "acknowledge-invented":
    case "history-invented":
    case "admission-invented":
      return misrule(act, around, chance);
    default:
      return permitLie(act, around, chance);
  }
}

/** A signed result for a lease, of a step that did whatever the liar likes. */
function resultOf({ charter, keys }: LiarAround, lease: GrantedLease, chance: Chance): Message {
  const { run, index, token, attempt } = lease;
  const tree = sha256Hex(encodeValue([run, index, chance.next()]));
  const result: SignedResult = {
    otto: "result/1",
    run,
    index,
    token,
    step: `step${index}`,
    attempt,
    inputs: inputsDigest(lease),
    report: {
      outcome: chance.pick(["passed", "failed", "timed-out"]),
      problem: "",
      durationMs: 1,
      commands: [],
      outputs: [{ name: chance.pick(["files", "more"]), tree, files: 1, bytes: 1 }],
      log: { bytes: 0, droppedBytes: 0, digest: null },
      tail: "",
    },
  };
  return { kind: "result", envelope: sealEnvelope("result", charter.domain, result, keys) };
}

function digestOf(text: string): string {
  return sha256Hex(encodeValue(text));
}

function refOf({ run, index, token }: GrantedLease): { run: string; index: number; token: number } {
  return { run, index, token };
}

/** Register messages: a worker's under its own name, or a control peer's under another's. */
function votes(
  act: "votes" | "ballot-of-another",
  { keys, overheard }: LiarAround,
  chance: Chance,
): Message[] {
  const known = overheard.ballots.filter((ballot) => ballot.peer !== keys.peer).at(-1);
  if (known === undefined) return [];
  const peer = act === "votes" ? keys.peer : known.peer;
  const ballot: Ballot = { ...known, peer, epoch: known.epoch + chance.between(0, 5) };
  const [accept] = overheard.accepts;
  const records = (accept?.records ?? []).map(({ names }) => ({
    names,
    value: encodeValue({ kind: "invite" }),
  }));
  const round = (accept?.round ?? 0) + 1;
  const at = { ballot, round };
  const page = { page: 0, last: true, at, chosen: at, ballots: [ballot], records: [] };
  const lies: Message[] = [
    { kind: "prepare", ballot },
    { kind: "reign", ballot, base: { ballot: known, round: accept?.round ?? 0 } },
    { kind: "accept", ballot, round, chosen: round - 1, records },
    { kind: "heartbeat", ballot, sentMs: 0, round, chosen: round },
    { kind: "repair", ballot, ask: `${keys.peer}/1`, ...page },
  ];
  // A worker has no vote; a control peer has one, and gives it in its own name.
  if (act === "votes")
    lies.push(
      { kind: "accepted", ballot: known, round },
      { kind: "promise", ballot: known, at: origin },
      { kind: "gap", ballot: known, ask: "lie", since: origin, names: [] },
    );
  return lies;
}

/** An entry of a log that is another's, or that its author may not write. */
function forgedHistory({ charter, keys }: LiarAround, { run, token, attempt }: GrantedLease): Message {
  const incarnation = "forged";
  const log = { id: logId(charter.domain, keys.peer, incarnation), incarnation, head: emptyLog, before: "" };
  const event = {
    kind: "attempt-ended",
    run,
    step: "step0",
    timeMs: 0,
    attempt,
    token,
    worker: keys.peer,
    cause: "finished",
    final: true,
    report: null,
  } as const;
  const { bytes } = sealEntry(log, charter.domain, run, [{ event, result: null }], forging(keys));
  return { kind: "events", entries: [bytes], answer: false };
}

/** Signs as well as somebody can who has not got the key. */
function forging(keys: Keys): Keys {
  const { peer } = keys;
  return { peer, sign: (bytes) => keys.sign(bytes).map((byte) => byte ^ 1), verify: () => false };
}

/** Bytes that were a message once. */
function garbled(chance: Chance): Uint8Array {
  const bytes = encodeMessage({ kind: "announce", run: "run", bundle: digestOf("bundle") }).slice();
  for (let flips = chance.between(1, 4); flips > 0; flips -= 1)
    bytes[chance.integer(bytes.length)] = chance.integer(256);
  return bytes;
}

function gossip(
  act: Extract<Act, `gossip-${string}`>,
  { charter, keys, certificate, overheard }: LiarAround,
  chance: Chance,
): Lie[] {
  const message = encodeMessage({
    kind: "announce",
    run: `made-up-${chance.integer(9)}`,
    bundle: digestOf("no"),
  });
  const nonce = String(chance.next());
  const sealed = (domain: string, signer: Keys, bytes = message): Uint8Array =>
    sealAnnouncements([bytes], { domain, signer, certificate, nonce });
  switch (act) {
    case "gossip-unsigned":
      return [{ to: null, frame: sealed(charter.domain, { ...keys, sign: () => new Uint8Array() }) }];
    case "gossip-foreign":
      return [{ to: null, frame: sealed("another", keys) }];
    case "gossip-oversized":
      return [{ to: null, frame: sealed(charter.domain, keys, new Uint8Array(limits.gossipBytesMax)) }];
    case "gossip-replayed":
      return overheard.announcements.length === 0
        ? []
        : [{ to: null, frame: chance.pick(overheard.announcements) }];
    default:
      return unreachable(act);
  }
}

/** What only a control peer can do that is beyond the design. */
function misrule(act: (typeof rulingActs)[number], around: LiarAround, chance: Chance): Lie[] {
  const { overheard, charter, keys, controls, workers } = around;
  const ballot = overheard.ballots.at(-1);
  const grant = overheard.grants.at(-1);
  const accept = overheard.accepts.at(-1);
  const toControls = (frame: Message): Lie[] => controls.map((to) => ({ to, frame }));
  switch (act) {
    case "promise-empty":
      return ballot === undefined ? [] : toControls({ kind: "promise", ballot, at: origin });
    case "vote-twice":
      return accept === undefined
        ? []
        : toControls({ kind: "accepted", ballot: accept.ballot, round: accept.round + chance.integer(3) });
    case "grant-invented":
      return grant === undefined
        ? []
        : workers.map((to) => ({
            to,
            frame: { kind: "grant", nonce: "", leases: [grant.lease], bundles: { [grant.lease.run]: "" } },
          }));
    case "acknowledge-invented":
      return overheard.grants.map(({ to, lease }) => ({
        to,
        frame: { kind: "ack", lease: refOf(lease), verdict: "accepted" },
      }));
    case "history-invented": {
      if (grant === undefined) return [];
      const { run, token, attempt } = grant.lease;
      const incarnation = `invented${chance.integer(1_000_000)}`;
      const id = logId(charter.domain, keys.peer, incarnation);
      const told = { kind: "attempt-ended", run, step: "step0", timeMs: 0, attempt, token } as const;
      const event = { ...told, worker: keys.peer, cause: "finished", final: true, report: null } as const;
      const log = { id, incarnation, head: emptyLog, before: "" };
      const { bytes } = sealEntry(log, charter.domain, run, [{ event, result: null }], keys);
      return toControls({ kind: "events", entries: [bytes], answer: false });
    }
    case "admission-invented":
      return overheard.grants.flatMap(({ lease: { run } }) =>
        workers.map((to) => ({ to, frame: { kind: "announced", run, state: "admitted", reason: "" } })),
      );
    default:
      return unreachable(act);
  }
}

function madeUpOutput({ run, index, attempt }: GrantedLease, beyond: boolean): Message {
  const bytes = new Uint8Array(64);
  const offset = beyond ? Number.MAX_SAFE_INTEGER : 0;
  return { kind: "output", run, index, attempt, offset, bytes, digest: sha256Hex(bytes), ask: true };
}
