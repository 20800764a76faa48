/**
 * Registers as they are on the disk of a control peer, and the one place where that is read.
 *
 *   register/<name>      one register (register//<name>: one that is called as a group is, or begins so)
 *   register/group/<n>   steps of one run that were claimed together (`groups.ts`): what they hold once, and their places
 *
 * A register may be in several entries, since what changes after it was claimed is written alone. It is what the one with the
 * highest stamp says, in whatever order they are read.
 */

import { assert } from "../errors.ts";
import { decodeValue, encodeValue } from "../values.ts";
import { type Ballot, comparePositions, type Position } from "./ballot.ts";
import type { AcceptedRecord } from "./records.ts";
import { placeIn } from "./register-map.ts";
import { runOfStepRegister, stepRegister } from "./registers.ts";

/** Where the vote is (`storedPlaces`). */
export const acceptorKey = "acceptor";

export const registersPrefix = "register/";

const groupNames = "group/";

/** Where groups are, each with a number of its own. */
export const groupsPrefix = registersPrefix + groupNames;

type StoredEntry = readonly [key: string, value: Uint8Array];

/** Steps of one run, by their places in its plan. */
export type StepsOfRun = { readonly run: string; readonly places: readonly number[] };

/** Steps that share an entry, and the record that they were put with. */
export type Group = StepsOfRun & { readonly key: string; readonly record: AcceptedRecord };

/** The key of a register that is stored alone: none of a group, whatever a home has called the register. */
export function registerKey(name: string): string {
  const isApart = name.startsWith(groupNames) || name.startsWith("/");
  return isApart ? `${registersPrefix}/${name}` : registersPrefix + name;
}

/** A register that is stored alone. */
export function storedRecord({ ballot, round, value }: AcceptedRecord): Uint8Array {
  return encodeValue([ballot.configuration, ballot.epoch, ballot.peer, ballot.incarnation, round, value]);
}

export function storedGroup({
  run,
  places,
  record: { ballot, round, value },
}: Pick<Group, "run" | "places" | "record">): Uint8Array {
  const { configuration, epoch, peer, incarnation } = ballot;
  return encodeValue([configuration, epoch, peer, incarnation, round, value, run, places]);
}

/** What is stored alone. */
export function readRecord(bytes: Uint8Array): AcceptedRecord {
  const fields = decodeValue(bytes) as StoredFields;
  assert(fields.length === 6, "a register that is stored alone has six fields");
  return recordOf(fields);
}

/** The registers that a peer's entries hold, others than theirs are passed over; and which of them are in one together. */
export function readRegisters(entries: Iterable<StoredEntry>): {
  readonly registers: ReadonlyMap<string, AcceptedRecord>;
  readonly groups: readonly Group[];
} {
  const registers = new Map<string, AcceptedRecord>();
  const groups: Group[] = [];
  for (const [key, bytes] of entries) {
    if (!key.startsWith(registersPrefix)) continue;
    const entry = readEntry(key, bytes);
    const { record } = entry;
    if ("run" in entry) groups.push(entry);
    const names =
      "run" in entry ? entry.places.map((place) => stepRegister(entry.run, place)) : [nameIn(key)];
    for (const name of names) {
      const other = registers.get(name);
      if (other === undefined || comparePositions(record, other) > 0) registers.set(name, record);
    }
  }
  return { registers, groups };
}

/** Null where they are not all steps of one run, or are written otherwise than a home does. */
export function stepsOfOneRun(names: readonly string[]): StepsOfRun | null {
  const run = runOfStepRegister(names[0] ?? "");
  if (run === null) return null;
  const before = stepRegister(run, 0).slice(0, -1);
  const places: number[] = [];
  for (const name of names) {
    const place = name.startsWith(before) ? placeIn(name, before.length) : -1;
    if (place < 0) return null;
    places.push(place);
  }
  return { run, places };
}

/** A vote as it is on the disk. */
export function storedPlaces(promised: Ballot, at: Position, chosen: Position): Uint8Array {
  return encodeValue([promised, at.ballot, at.round, chosen.ballot, chosen.round]);
}

export function readPlaces(bytes: Uint8Array): [promised: Ballot, at: Position, chosen: Position] {
  const [promised, ballot, round, chosenBallot, chosenRound] = decodeValue(bytes) as [
    Ballot,
    Ballot,
    number,
    Ballot,
    number,
  ];
  return [promised, { ballot, round }, { ballot: chosenBallot, round: chosenRound }];
}

type RecordFields = readonly [
  configuration: number,
  epoch: number,
  peer: string,
  incarnation: string,
  round: number,
  value: Uint8Array,
];

type StoredFields = RecordFields | readonly [...RecordFields, run: string, places: readonly number[]];

function readEntry(key: string, bytes: Uint8Array): Group | Pick<Group, "record"> {
  const fields = decodeValue(bytes) as StoredFields;
  const record = recordOf(fields);
  if (fields.length === 6) return { record };
  assert(fields.length === 8, `${key} holds one register, or steps of one run`);
  const [, , , , , , run, places] = fields;
  const areSteps = typeof run === "string" && places.length > 0 && places.every(isPlace);
  assert(areSteps, `${key} holds steps of one run`);
  return { run, places, key, record };
}

function recordOf([configuration, epoch, peer, incarnation, round, value]: StoredFields): AcceptedRecord {
  return { ballot: { configuration, epoch, peer, incarnation }, round, value };
}

function nameIn(key: string): string {
  const name = key.slice(registersPrefix.length);
  return name.startsWith("/") ? name.slice(1) : name;
}

function isPlace(place: unknown): boolean {
  return Number.isSafeInteger(place) && Number(place) >= 0;
}
