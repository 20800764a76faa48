/** Which calls are for some of the domain's members alone, and in whose name a call counts. */

import { OttoError } from "../../protocol/errors.ts";
import type { Certificate } from "../../protocol/certificate.ts";
import { limits } from "../../protocol/limits.ts";
import { secretTopic } from "../../protocol/credentials/sealed-secret.ts";
import { type Charter, isListed } from "../../protocol/membership.ts";
import type { Request } from "../../protocol/requests.ts";

type Whose = "nobody" | "listed" | "no worker";

/**
 * Over the network not everybody asks everything; over the local socket whoever the machine lets does. A worker hands on what is
 * asked at its own socket, so whoever is at its machine asks a control peer for what is a control peer's.
 *
 * What control peers ask each other is asked by those whom the newest charter lists: a certificate as one is also what a peer has that
 * is not one yet, and for a while one that was taken out.
 */
const reserved: Partial<Record<Request["call"], Whose>> = {
  stop: "nobody",
  backup: "nobody",
  "use-invite": "listed",
  certify: "listed",
};

/** Null: the call is for this member, too. */
export function whyReserved(
  request: Request,
  { peer, role }: Pick<Certificate, "peer" | "role">,
  charter: Charter,
): OttoError | null {
  const { call } = request;
  const who = whoseIs(request);
  if (who === null || (who === "no worker" && role !== "worker")) return null;
  if (who === "listed" && role === "control" && isListed(charter, peer)) return null;
  const whose = {
    nobody: "nobody over the network",
    listed: "a control peer that the charter lists",
    "no worker": "a person or a control peer",
  }[who];
  const next =
    who === "nobody"
      ? "Ask on the machine of the node itself, with --node."
      : "Ask a control peer as a person of the domain, with --peer, or on its own machine.";
  return new OttoError("OTTO_NOT_A_MEMBER", {
    what: `The call ${call} is for ${whose}, and this came from a ${role}${role === "control" ? " peer that is not" : ""}.`,
    state: "Nothing was done.",
    next,
  });
}

/** Null: everybody's. Sealed secrets are for those who seal and open them: no machine that runs steps keeps them for a later day. */
function whoseIs(request: Request): Whose | null {
  if (request.call === "documents") return request.topic === secretTopic ? "no worker" : null;
  return Object.hasOwn(reserved, request.call) ? (reserved[request.call] ?? null) : null;
}

/**
 * The call as it counts: who is told to have asked for it is whose key has asked over the network, besides the name that was said. A
 * control peer hands on what it was asked, and has judged that itself.
 */
export function attributed(request: Request, peer: string | null, charter: Charter): Request {
  if (!("by" in request) || peer === null || isListed(charter, peer)) return request;
  return { ...request, by: `${request.by.slice(0, limits.nameCharactersMax)} (${peer})` };
}

/** True for what those are told who have nothing that lets them ask. */
export function isTrespass({ code }: OttoError): boolean {
  return code === "OTTO_NOT_A_MEMBER" || code === "OTTO_INVITE_INVALID" || code === "OTTO_MESSAGE_INVALID";
}
