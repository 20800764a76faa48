/**
 * Who was revoked counts for nothing any more, a minute after that was the domain's or, when nothing is wrong any more, a few seconds:
 * no control peer grants a step to such a worker or accepts a result of its, and none signs a permit that names such a person.
 */

import { acksIn, type Message } from "../../protocol/messages.ts";
import type { Permit } from "../../protocol/permits.ts";
import { decodedOnce } from "../decoded.ts";
import { simulatedKeys } from "../keys.ts";
import { type Checker, type Observation, Violation } from "../observation.ts";
import { KnownLiars } from "./known-liars.ts";

const minuteUs = 60_000_000;
const soonUs = 5_000_000;

export function revocationsChecker(): Checker {
  /** By the peer's or person's id, since when. */
  const revoked = new Map<string, number>();
  const liars = new KnownLiars();
  let healedUs = Infinity;
  const isOver = (id: string, atUs: number): boolean => {
    const sinceUs = revoked.get(id) ?? Infinity;
    return atUs > Math.min(sinceUs + minuteUs, Math.max(sinceUs, healedUs) + soonUs);
  };
  const sent = ({ peer, to, message, atUs }: Extract<Observation, { kind: "sent" }>): void => {
    if (liars.has(peer)) return;
    if (message.kind === "endorsed" && message.what === "permit")
      for (const person of approversIn(message))
        if (isOver(person, atUs)) throw violation(`${peer} signs a permit that names ${person}`);
    if (!isOver(simulatedKeys(to).peer, atUs)) return;
    const [lease] = message.kind === "grant" ? message.leases : [];
    if (lease !== undefined) throw violation(`${peer} grants ${lease.run}/${lease.index} to ${to}`);
    const [accepted] = acksIn(message).filter(({ verdict }) => verdict === "accepted");
    if (accepted !== undefined)
      throw violation(`${peer} accepts what ${to} says of ${accepted.lease.run}/${accepted.lease.index}`);
  };
  return {
    name: "revocations",
    looksAt: ["fault", "revoked", "sent grant", "sent ack", "sent endorsed"],
    observe: (observation) => {
      liars.observe(observation);
      if (observation.kind === "fault" && observation.fault === null) healedUs = observation.atUs;
      if (observation.kind === "revoked") revoked.set(observation.id, observation.atUs);
      if (observation.kind === "sent" && revoked.size > 0) sent(observation);
    },
    finish: () => undefined,
  };
}

function approversIn({ envelope }: Extract<Message, { kind: "endorsed" }>): readonly string[] {
  const payload = (decodedOnce(envelope) as readonly [string, string, string, Uint8Array])[3];
  return (decodedOnce(payload) as Permit).approvedBy;
}

function violation(what: string): Violation {
  return new Violation("revocations", `${what}, who was revoked`);
}
