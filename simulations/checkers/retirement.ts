/**
 * A run is forgotten only when its end is known for good: when a home raises the watermark over it, a majority of the control
 * peers has an entry on its disk that tells of the closing. So whichever of them dies, the account does not end without one.
 */

import { entriesOfRun } from "../../node/core/history.ts";
import { openEntry } from "../../protocol/log.ts";
import { retiredRegister, runOfRegister } from "../../protocol/registers/registers.ts";
import { simulatedVerifier } from "../keys.ts";
import { type Checker, type PeerName, Violation } from "../observation.ts";
import type { Disk } from "../storage.ts";
import { openCharter } from "../../protocol/membership.ts";
import { forgottenBy, TableHistory } from "./table-history.ts";

export function retirementChecker(): Checker {
  const history = new TableHistory();
  const disks = new Map<PeerName, Disk>();
  const members = new Map<number, readonly PeerName[]>();
  let domain = "";
  return {
    name: "retirement",
    looksAt: ["up", "configured", "sent reign", "sent accept"],
    observe: (observation) => {
      if (observation.kind === "up" && observation.role === "control")
        disks.set(observation.peer, observation.disk);
      if (observation.kind === "configured") {
        members.set(observation.configuration, observation.members);
        const charter = openCharter(observation.charter, null, simulatedVerifier);
        if (charter.ok) domain = charter.value.domain;
      }
      if (observation.kind !== "sent") return;
      const { message } = observation;
      if (message.kind === "reign") history.begin(message.ballot, message.base);
      if (message.kind !== "accept") return;
      const { ballot, round, records } = message;
      history.propose(ballot, round, records);
      const raised = records.find(({ names }) => names.includes(retiredRegister));
      const table = raised === undefined ? null : history.table({ ballot, round: round - 1 });
      if (raised === undefined || table === null) return;
      const voters = members.get(ballot.configuration) ?? [];
      for (const name of forgottenBy(raised.value, table)) {
        const run = runOfRegister(name);
        if (run === null) continue;
        const told = voters.filter((peer) => tellsOfEnd(disks.get(peer), run, domain));
        if (told.length * 2 > voters.length) continue;
        const what = `${run} is forgotten, and ${told.length} of ${voters.length} control peers keep a word of its end`;
        throw new Violation("retirement", what);
      }
    },
    finish: () => undefined,
  };
}

function tellsOfEnd(disk: Disk | undefined, run: string, domain: string): boolean {
  if (disk === undefined) return false;
  const { prefix, keyOf } = entriesOfRun(run);
  return disk.list(prefix).some(([key]) => {
    const bytes = disk.durable(keyOf(key));
    const opened = bytes === undefined ? null : openEntry(bytes, domain, simulatedVerifier);
    return opened?.ok === true && opened.value.entry.events.some(({ kind }) => kind === "run-closed");
  });
}
