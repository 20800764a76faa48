/**
 * Provenance as a file: Sigstore bundles of one signature each, one a line. A bundle has room for no more than one signer;
 * one line alone is what the tools of Sigstore read.
 *
 * @source https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto
 */

import { Buffer } from "node:buffer";
import * as z from "zod/mini";
import { failure, type Result, success } from "../errors.ts";
import { limits } from "../limits.ts";
import { payloadType } from "./statement.ts";

const mediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";

const text = z.string();
const bundle = z.object({
  mediaType: z.literal(mediaType),
  verificationMaterial: z.object({ publicKey: z.object({ hint: text }) }),
  dsseEnvelope: z.object({
    payload: text,
    payloadType: z.literal(payloadType),
    signatures: z.array(z.object({ sig: text, keyid: text })).check(z.length(1)),
  }),
});

type PeerSignature = { readonly peer: string; readonly signature: Uint8Array };

/** A statement, and who signed exactly these bytes. */
export type SignedStatement = { readonly payload: Uint8Array; readonly signatures: readonly PeerSignature[] };

export function encodeBundles({ payload, signatures }: SignedStatement): string {
  return signatures.map((signature) => `${JSON.stringify(bundleOf(payload, signature))}\n`).join("");
}

function bundleOf(payload: Uint8Array, { peer, signature }: PeerSignature): z.infer<typeof bundle> {
  return {
    mediaType,
    verificationMaterial: { publicKey: { hint: peer } },
    dsseEnvelope: {
      payload: Buffer.from(payload).toString("base64"),
      payloadType,
      signatures: [{ sig: Buffer.from(signature).toString("base64"), keyid: peer }],
    },
  };
}

/** True for what may be such a file, and is no exported run. */
export function isBundles(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7b;
}

/** Reads what anybody may have written; no signature is checked. The problem is the end of a sentence. */
export function decodeBundles(bytes: Uint8Array): Result<SignedStatement, string> {
  const lines = Buffer.from(bytes)
    .toString("utf8")
    .split("\n")
    .filter((line) => line.trim() !== "");
  if (lines.length > limits.controlPeersMax)
    return failure("it has more signatures than a domain has control peers");
  const signatures: PeerSignature[] = [];
  let payload: Buffer | null = null;
  for (const line of lines) {
    const found = bundleIn(line);
    if (found === null) return failure("it is no Sigstore bundle of version 0.3 with one signature a line");
    const { dsseEnvelope: envelope } = found;
    const said = Buffer.from(envelope.payload, "base64");
    if (payload !== null && !said.equals(payload)) return failure("its lines speak of different things");
    payload = said;
    const [{ sig, keyid } = { sig: "", keyid: "" }] = envelope.signatures;
    signatures.push({ peer: keyid, signature: Buffer.from(sig, "base64") });
  }
  return payload === null ? failure("it is empty") : success({ payload, signatures });
}

function bundleIn(line: string): z.infer<typeof bundle> | null {
  try {
    const parsed = bundle.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
