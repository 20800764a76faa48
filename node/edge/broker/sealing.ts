/**
 * Sealing a secret, on the machine of the person who sets it: its value is encrypted for each of its recipients. What leaves
 * this machine cannot be read by anybody else.
 */

import { Decrypter, Encrypter } from "age-encryption";
import {
  encodeHeader,
  plaintextOf,
  type Recipient,
  type SecretBody,
  valueIn,
} from "../../../protocol/credentials/sealed-secret.ts";
import type { SecretHeader } from "../../../protocol/credentials/secret.ts";

/** @param value null: there is none, as of a secret that is burnt or removed, and of tokens that the domain makes. */
export async function sealSecret(secret: SecretHeader, value: Uint8Array | null): Promise<SecretBody> {
  const header = encodeHeader(secret);
  if (value === null) return { header, sealed: new Uint8Array() };
  return { header, sealed: await encryptFor(secret.recipients, plaintextOf(header, value)) };
}

/** @param recipients all of one kind, which the header's own check sees to: age would let them be mixed, and the weakest count. */
export async function encryptFor(
  recipients: readonly Recipient[],
  plaintext: Uint8Array,
): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  for (const { recipient } of recipients) encrypter.addRecipient(recipient);
  return encrypter.encrypt(plaintext);
}

/** The value, with a key that it is sealed for; null: with this one it does not open, or it was sealed under another header. */
export async function openSealed(
  { header, sealed }: SecretBody,
  identity: string,
): Promise<Uint8Array | null> {
  const decrypter = new Decrypter();
  try {
    decrypter.addIdentity(identity);
    return valueIn(await decrypter.decrypt(sealed), header);
  } catch {
    // What age says of it is about its own format, and nothing that could be put right.
    return null;
  }
}
