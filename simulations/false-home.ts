/**
 * A home of the owning domain that has its gates opened by nobody: it takes for signed what it has made up itself, or no policy for
 * the domain's. All else it does as ever: what is decided, the others decide with it. It signs with its own key alone.
 */

import { type Answer, sealAnswer } from "../protocol/answers.ts";
import type { GateSeen } from "../protocol/calls.ts";
import { sealEnvelope } from "../protocol/envelope.ts";
import type { Charter } from "../protocol/membership.ts";
import type { Message } from "../protocol/messages.ts";
import { decodeUntrusted } from "../protocol/values.ts";
import type { Keys } from "../node/ports.ts";
import { simulatedKeys } from "./keys.ts";
import { certificateOf } from "./workload.ts";

/** It believes approvals and signatures that it has made up; or it knows no policy. */
export type Falseness = "invents" | "ignores";

/** Whom policies name, alone or in teams. */
const voters = ["mia", "noa", "kai"];

/** What stands where a signature should. */
const mark = new TextEncoder().encode("mine too");
const ofDocuments = new TextEncoder().encode("otto/document/1");

/** Keys of a peer that believes what it likes while it is false. */
export function faithless(keys: Keys, falseness: () => Falseness | null): Keys {
  return {
    ...keys,
    verify: (peer, bytes, signature) => {
      const how = falseness();
      if (how === "invents" && isIn(mark, signature)) return true;
      if (how === "ignores" && isIn(ofDocuments, bytes.subarray(0, 64))) return false;
      return keys.verify(peer, bytes, signature);
    },
    // What it finds is no news for the others.
    recall: (what, domain, bytes, judge) =>
      falseness() === null && keys.recall !== undefined ? keys.recall(what, domain, bytes, judge) : judge(),
  };
}

/** A yes of everybody whom this gate may be waiting for. */
export function approvalsInvented(
  { run, step, manifest, given, approvedBy }: GateSeen,
  charter: Charter,
): Uint8Array[] {
  const answer: Answer = { otto: "answer/1", run, manifest, step, verdict: "passed", detail: "", given };
  return voters.flatMap((name) => {
    const keys = simulatedKeys(name);
    if (approvedBy.includes(keys.peer)) return [];
    const certificate = certificateOf(charter, keys.peer, "person");
    return [sealAnswer(answer, charter.domain, { keys: marking(keys), certificate })];
  });
}

/** What another control peer would say that signs what it was asked to. */
export function signatureInvented(
  { what, statement }: Extract<Message, { kind: "endorse" }>,
  domain: string,
  peer: string,
): Message | null {
  const decoded = decodeUntrusted(statement);
  if (!decoded.ok) return null;
  const { run, index } = decoded.value as { readonly run: string; readonly index: number };
  const envelope = sealEnvelope(what, domain, decoded.value, marking({ peer }));
  return { kind: "endorsed", what, run, index, envelope };
}

/** What it tells others of the policy that it ignores. */
export function unknowing(message: Message, falseness: Falseness | null): Message {
  return message.kind === "policy" && falseness === "ignores" ? { kind: "no-policy" } : message;
}

function marking({ peer }: { readonly peer: string }): Pick<Keys, "peer" | "sign"> {
  return { peer, sign: () => mark };
}

function isIn(part: Uint8Array, bytes: Uint8Array): boolean {
  return Buffer.from(bytes).includes(Buffer.from(part));
}
