/**
 * What a control peer holds on its disk is one home's whole table after one round, nothing of two: when it starts, when it
 * promises a ballot, while it gathers a repair, and when it has taken up that or a reign. A candidate takes the furthest of
 * such tables for the truth.
 */

import { controlKeys } from "../../node/core/control.ts";
import { equals } from "uint8arrays/equals";
import { comparePositions } from "../../protocol/registers/ballot.ts";
import { type RegisterValue, runOfStepRegister, runRegister } from "../../protocol/registers/registers.ts";
import { readPlaces, readRegisters } from "../../protocol/registers/stored.ts";
import { decodedOnce } from "../decoded.ts";
import { type Checker, type PeerName, Violation } from "../observation.ts";
import type { Disk } from "../storage.ts";
import { ballotName } from "./ballots.ts";
import { type Table, TableHistory } from "./table-history.ts";

export function tablesChecker(): Checker {
  const history = new TableHistory();
  const disks = new Map<PeerName, Disk>();
  /** Peers that were given a table and have not said yet that they have it. */
  const given = new Set<PeerName>();
  return {
    name: "tables",
    looksAt: [
      "up",
      "received reign",
      "received repair",
      "sent reign",
      "sent accept",
      "sent promise",
      "sent accepted",
      "sent more",
    ],
    observe: (observation) => {
      const { peer } = observation;
      if (observation.kind === "up" && observation.role === "control") {
        disks.set(peer, observation.disk);
        isWhole(peer, observation.disk, history);
      }
      if (observation.kind === "received") {
        const { message } = observation;
        if (message.kind === "reign" || (message.kind === "repair" && message.last)) given.add(peer);
      }
      if (observation.kind !== "sent") return;
      const { message } = observation;
      if (message.kind === "reign") history.begin(message.ballot, message.base);
      if (message.kind === "accept") history.propose(message.ballot, message.round, message.records);
      const disk = disks.get(peer);
      const isGiven = message.kind === "accepted" && given.delete(peer);
      const tells = isGiven || message.kind === "promise" || message.kind === "more";
      if (tells && disk !== undefined) isWhole(peer, disk, history);
    },
    finish: () => undefined,
  };
}

function isWhole(peer: PeerName, disk: Disk, history: TableHistory): void {
  const stored = disk.get(controlKeys.acceptor);
  if (stored === undefined) return;
  const [, at, chosen] = readPlaces(stored);
  const place = `${ballotName(at.ballot)} #${at.round}`;
  const wrong = (what: string): Violation =>
    new Violation("tables", `${peer} says that it holds the table of ${place}, ${what}`);
  const table = history.table(at);
  if (table === null) throw wrong("which there never was");
  if (comparePositions(chosen, at) > 0) throw wrong("and knows more than that to be chosen");
  const { registers: held } = readRegisters(disk.list(controlKeys.registers));
  for (const [name, { value }] of held) {
    const expected = table.get(name);
    if (expected === undefined) throw wrong(`and has ${name}, which is not of it`);
    if (!equals(expected, value)) throw wrong(`and has another ${name}`);
    if (isForgotten(name, table)) throw wrong(`and has ${name}, whose run is closed`);
  }
  for (const name of table.keys())
    if (!held.has(name) && !isForgotten(name, table)) throw wrong(`and lacks ${name}`);
}

function isForgotten(name: string, table: Table): boolean {
  const run = runOfStepRegister(name);
  const bytes = run === null ? undefined : table.get(runRegister(run));
  const value = bytes === undefined ? null : (decodedOnce(bytes) as RegisterValue);
  return value?.kind === "run" && value.outcome !== null;
}
