/**
 * I5: a ballot has one proposer incarnation, and one round of a ballot is one thing, whoever hears of it.
 */

import type { Ballot } from "../../protocol/registers/ballot.ts";
import type { WireRecord } from "../../protocol/registers/messages.ts";
import { hashedOnce } from "../decoded.ts";
import { type Checker, Violation } from "../observation.ts";

export function ballotsChecker(): Checker {
  const proposers = new Map<string, string>();
  const rounds = new Map<string, string>();
  return {
    name: "ballots",
    looksAt: ["sent prepare", "sent accept", "sent reign"],
    observe: (observation) => {
      if (observation.kind !== "sent") return;
      const { message, life } = observation;
      if (message.kind !== "prepare" && message.kind !== "accept" && message.kind !== "reign") return;
      const ballot = ballotName(message.ballot);
      const proposer = proposers.get(ballot) ?? life;
      if (proposer !== life)
        throw new Violation("ballots", `I5: ${proposer} and ${life} both propose under ${ballot}`);
      proposers.set(ballot, life);
      if (message.kind !== "accept") return;
      const round = `${ballot} #${message.round}`;
      const text = textOf(message.records);
      if ((rounds.get(round) ?? text) !== text)
        throw new Violation("ballots", `I5: two different rounds ${round}`);
      rounds.set(round, text);
    },
    finish: () => undefined,
  };
}

/** A round goes to several voters; what is in it is put into words once. */
const texts = new WeakMap<readonly WireRecord[], string>();

function textOf(records: readonly WireRecord[]): string {
  const known = texts.get(records);
  if (known !== undefined) return known;
  const text = records.map(({ names, value }) => `${names.join()}=${hashedOnce(value)}`).join();
  texts.set(records, text);
  return text;
}

/** Every message of a reign names its ballot, and several checkers ask for each. */
const ballotNames = new WeakMap<Ballot, string>();

export function ballotName(ballot: Ballot): string {
  let name = ballotNames.get(ballot);
  if (name === undefined) {
    const { configuration, epoch, peer, incarnation } = ballot;
    name = `${configuration}.${epoch}/${peer.slice(-6)}/${incarnation}`;
    ballotNames.set(ballot, name);
  }
  return name;
}
