/**
 * I6: nothing is audible before it is on disk: a promise, a vote, an entry of one's own log, how much of one is held.
 */

import { controlKeys } from "../../node/core/control.ts";
import { entryKey } from "../../node/core/history.ts";
import type { LogEntry } from "../../protocol/log.ts";
import {
  type Ballot,
  compareBallots,
  comparePositions,
  noBallot,
  type Position,
} from "../../protocol/registers/ballot.ts";
import { openCharter } from "../../protocol/membership.ts";
import type { AcceptedRecord } from "../../protocol/registers/records.ts";
import { runOfStepRegister } from "../../protocol/registers/registers.ts";
import {
  groupsPrefix,
  readPlaces,
  readRecord,
  readRegisters,
  storedRecord,
} from "../../protocol/registers/stored.ts";
import { decodeValue } from "../../protocol/values.ts";
import { once } from "../decoded.ts";
import { type Checker, type Observation, type PeerName, Violation } from "../observation.ts";
import { simulatedKeys, simulatedVerifier } from "../keys.ts";
import type { Disk } from "../storage.ts";
import { isClosedOn, remembers } from "../stored.ts";
import { ballotName } from "./ballots.ts";

type Sent = Extract<Observation, { kind: "sent" }>;

export function durabilityChecker(): Checker {
  const disks = new Map<PeerName, Disk>();
  /** The records of the round that a peer was last asked to accept. */
  const asked = new Map<
    PeerName,
    { readonly ballot: string; readonly round: number; readonly names: string[] }
  >();
  return {
    name: "durability",
    looksAt: ["up", "received accept", "sent promise", "sent accepted", "sent events", "sent confirmed"],
    observe: (observation) => {
      if (observation.kind === "up") disks.set(observation.peer, observation.disk);
      const disk = disks.get(observation.peer);
      if (disk === undefined) return;
      if (observation.kind === "received") {
        const { message } = observation;
        if (message.kind !== "accept") return;
        // In somebody else's name: it is refused.
        if (message.ballot.peer !== simulatedKeys(observation.from).peer) return;
        const names = message.records.flatMap(({ names }) => names);
        asked.set(observation.peer, { ballot: ballotName(message.ballot), round: message.round, names });
      }
      if (observation.kind !== "sent") return;
      const { message } = observation;
      if (message.kind === "promise") promiseIsKept(observation, message.ballot, disk);
      if (message.kind === "accepted" && !hasMovedOn(disk, message.ballot)) {
        voteIsKept(observation, message, disk);
        const round = asked.get(observation.peer);
        if (round?.ballot !== ballotName(message.ballot) || round.round !== message.round) return;
        const written = beginningOf(message);
        // It has taken up the table of a later reign since, with the same sync.
        if (compareBallots(acceptorOn(disk)?.[1].ballot ?? noBallot, message.ballot) > 0) return;
        let groups: ReadonlyMap<string, AcceptedRecord> | undefined;
        const together = () => (groups ??= groupsOn(disk));
        for (const name of round.names)
          recordIsKept(observation, { name, written, together, ...message }, disk);
      }
      if (message.kind === "events")
        for (const bytes of message.entries) entryIsKept(observation, bytes, disk);
      if (message.kind === "confirmed") logIsKept(observation, message, disk);
    },
    finish: () => undefined,
  };
}

const placesIn = once(readPlaces);

function acceptorOn(disk: Disk): readonly [promised: Ballot, at: Position, ...unknown[]] | null {
  const bytes = disk.durable(controlKeys.acceptor);
  return bytes === undefined ? null : placesIn(bytes);
}

function promiseIsKept({ peer }: Sent, ballot: Ballot, disk: Disk): void {
  const stored = acceptorOn(disk);
  if (hasMovedOn(disk, ballot)) return;
  if (stored === null || compareBallots(stored[0], ballot) < 0)
    throw new Violation("durability", `I6: ${peer} promised ${ballotName(ballot)} before it was on disk`);
}

function voteIsKept(
  { peer }: Sent,
  vote: { readonly ballot: Ballot; readonly round: number },
  disk: Disk,
): void {
  const stored = acceptorOn(disk);
  if (stored === null || comparePositions(stored[1], vote) < 0)
    throw new Violation(
      "durability",
      `I6: ${peer} accepted ${ballotName(vote.ballot)} #${vote.round} before it was on disk`,
    );
}

/** What the record of a round begins with on the disk: all but the value. */
function beginningOf({ ballot, round }: { readonly ballot: Ballot; readonly round: number }): Uint8Array {
  return storedRecord({ ballot, round, value: new Uint8Array() }).subarray(0, -1);
}

function recordIsKept(
  { peer }: Sent,
  vote: {
    readonly name: string;
    readonly ballot: Ballot;
    readonly round: number;
    readonly written: Uint8Array;
    /** What is stored together. */
    readonly together: () => ReadonlyMap<string, AcceptedRecord>;
  },
  disk: Disk,
): void {
  const bytes = disk.durable(controlKeys.registers + vote.name);
  // The record of this very round, as it almost always is, need not be read.
  if (bytes !== undefined && vote.written.every((byte, index) => byte === bytes[index])) return;
  const kept = [bytes === undefined ? undefined : readRecord(bytes), vote.together().get(vote.name)];
  if (kept.some((record) => record !== undefined && comparePositions(record, vote) >= 0)) return;
  const run = runOfStepRegister(vote.name);
  // The steps of a closed run are forgotten, and then the run.
  const isForgotten = run !== null && (isClosedOn(disk, run) || !remembers({ disk }, run));
  if (!isForgotten)
    throw new Violation(
      "durability",
      `I6: ${peer} accepted ${vote.name} in #${vote.round} before it was on disk`,
    );
}

function groupsOn(disk: Disk): ReadonlyMap<string, AcceptedRecord> {
  const durable = disk.list(groupsPrefix).flatMap(([key]) => {
    const bytes = disk.durable(key);
    return bytes === undefined ? [] : [[key, bytes] as const];
  });
  return readRegisters(durable).registers;
}

/** It was there, and then the whole table gave place to that of a later configuration. */
function hasMovedOn(disk: Disk, ballot: Ballot): boolean {
  const bytes = disk.durable(controlKeys.configuration);
  return bytes !== undefined && configurationIn(bytes) > ballot.configuration;
}

const configurationIn = once((bytes) => {
  const [, charter] = decodeValue(bytes) as [string, Uint8Array];
  const opened = openCharter(charter, null, simulatedVerifier);
  return opened.ok ? opened.value.configuration : 0;
});

function entryIsKept({ peer, life }: Sent, bytes: Uint8Array, disk: Disk): void {
  const { incarnation, seq, key } = placeOf(bytes);
  if (incarnation === life && disk.durable(key) === undefined)
    throw new Violation("durability", `I6: ${peer} told entry ${seq} of its log before it was on disk`);
}

const placeOf = once((entry) => {
  const [, , , payload] = decodeValue(entry) as [string, string, string, Uint8Array];
  const { log, incarnation, seq } = decodeValue(payload) as LogEntry;
  return { incarnation, seq, key: entryKey(log, seq) };
});

function logIsKept(
  { peer }: Sent,
  { log, seq }: { readonly log: string; readonly seq: number },
  disk: Disk,
): void {
  if (seq > 0 && disk.durable(entryKey(log, seq)) === undefined)
    throw new Violation("durability", `I6: ${peer} confirmed entry ${seq} of a log before it was on disk`);
}
