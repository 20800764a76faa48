/**
 * Announcements: what is gossiped. Each carries its author's signature and certificate, since it arrives through
 * peers that have nothing to do with it. A hint, never truth: what it names is fetched and judged by itself.
 */

import { openEnvelope, type RefusedBecause, sealEnvelope, type Signer, type Verifier } from "./envelope.ts";
import { failure, type Result, success } from "./errors.ts";
import { limits } from "./limits.ts";
import { type Charter, openCertificate } from "./membership.ts";
import { decodeMessage, type Message } from "./messages.ts";
import { decodeUntrusted, encodeValue } from "./values.ts";

export type Announcement = {
  readonly from: string;
  readonly message: Extract<Message, { readonly kind: "announce" }>;
};

/** Signs an encoded message for everybody in the domain. */
export function sealAnnouncement(
  message: Uint8Array,
  domain: string,
  signer: Signer,
  certificate: Uint8Array,
): Uint8Array {
  return encodeValue([sealEnvelope("announcement", domain, message, signer), certificate]);
}

/** Judges what came by gossip: size, shape, domain, signature, and that its author is a member. */
export function openAnnouncement(
  bytes: Uint8Array,
  charter: Charter,
  wallMs: number,
  keys: Verifier,
): Result<Announcement, RefusedBecause> {
  if (bytes.length > limits.gossipBytesMax) return failure("oversized");
  const pair = decodeUntrusted(bytes);
  if (!pair.ok || !Array.isArray(pair.value) || pair.value.length !== 2) return failure("malformed");
  const [envelope, shown] = pair.value as unknown[];
  if (!(envelope instanceof Uint8Array) || !(shown instanceof Uint8Array)) return failure("malformed");
  const opened = openEnvelope(envelope, { kind: "announcement", domain: charter.domain }, keys);
  if (!opened.ok) return opened;
  const certificate = openCertificate(shown, charter, wallMs, keys);
  if (!certificate.ok) return certificate;
  const from = opened.value.envelope.signer;
  if (certificate.value.peer !== from) return failure("stranger");
  const message = opened.value.value instanceof Uint8Array ? decodeMessage(opened.value.value) : null;
  if (message === null || !message.ok || message.value.kind !== "announce") return failure("malformed");
  return success({ from, message: message.value });
}
