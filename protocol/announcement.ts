/**
 * Announcements: what is gossiped, several in one piece. Each piece carries its author's signature and certificate,
 * since it arrives through peers that have nothing to do with it. A hint, never truth: what it names is fetched and
 * judged by itself.
 */

import {
  openEnvelope,
  recalled,
  type RefusedBecause,
  sealEnvelope,
  type Signer,
  type Verifier,
} from "./envelope.ts";
import { failure, type Result, success } from "./errors.ts";
import { limits } from "./limits.ts";
import type { Certificate } from "./certificate.ts";
import { decodeMessage, type Message } from "./messages.ts";
import { decodeUntrusted, encodeValue } from "./values.ts";

export type Announcements = {
  readonly from: string;
  readonly messages: readonly Extract<Message, { readonly kind: "announce" }>[];
};

export type Sealing = {
  readonly domain: string;
  readonly signer: Signer;
  readonly certificate: Uint8Array;
  /** Different each time: the same words said again are gossiped again. */
  readonly nonce: string;
};

/** Signs encoded messages for everybody in the domain. */
export function sealAnnouncements(messages: readonly Uint8Array[], sealing: Sealing): Uint8Array {
  const { domain, signer, certificate, nonce } = sealing;
  return encodeValue([sealEnvelope("announcement", domain, [nonce, messages], signer), certificate]);
}

export type Opening = {
  readonly domain: string;
  readonly keys: Verifier;
  /** Judges the certificate that an author shows. */
  readonly certified: (bytes: Uint8Array) => Result<Certificate, RefusedBecause>;
};

/** Judges what came by gossip: size, shape, domain, signature, and that its author is a member. */
export function openAnnouncements(
  bytes: Uint8Array,
  { domain, keys, certified }: Opening,
): Result<Announcements, RefusedBecause> {
  if (bytes.length > limits.gossipBytesMax) return failure("oversized");
  const read = recalled(keys, { what: "announcements", domain }, bytes, () =>
    readAnnouncements(bytes, domain, keys),
  );
  if (!read.ok) return read;
  const { from, messages, shown } = read.value;
  const certificate = certified(shown);
  if (!certificate.ok) return certificate;
  if (certificate.value.peer !== from) return failure("stranger");
  return messages === null ? failure("malformed") : success({ from, messages });
}

type Read = {
  readonly from: string;
  /** Null: what its author signed are no announcements. */
  readonly messages: Announcements["messages"] | null;
  /** The certificate that is shown with them, not judged. */
  readonly shown: Uint8Array;
};

/** What the bytes say, whoever hears them. */
function readAnnouncements(bytes: Uint8Array, domain: string, keys: Verifier): Result<Read, RefusedBecause> {
  const pair = decodeUntrusted(bytes);
  if (!pair.ok || !Array.isArray(pair.value) || pair.value.length !== 2) return failure("malformed");
  const [envelope, shown] = pair.value as unknown[];
  if (!(envelope instanceof Uint8Array) || !(shown instanceof Uint8Array)) return failure("malformed");
  const opened = openEnvelope(envelope, { kind: "announcement", domain }, keys);
  if (!opened.ok) return opened;
  return success({ from: opened.value.envelope.signer, messages: messagesIn(opened.value.value), shown });
}

function messagesIn(value: unknown): Announcements["messages"] | null {
  if (!Array.isArray(value) || value.length !== 2) return null;
  const [nonce, said] = value as unknown[];
  if (typeof nonce !== "string" || !Array.isArray(said)) return null;
  if (said.length === 0 || said.length > limits.announcementsGatheredMax) return null;
  const messages: Extract<Message, { kind: "announce" }>[] = [];
  for (const bytes of said) {
    const message = bytes instanceof Uint8Array ? decodeMessage(bytes) : null;
    if (message === null || !message.ok || message.value.kind !== "announce") return null;
    messages.push(message.value);
  }
  return messages;
}
