/**
 * A key on disk: who a peer or a person is. Ed25519 from node:crypto; the public half is the libp2p peer id.
 */

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { isOwnersId, verifyOwners } from "../../protocol/owners.ts";
import { peerIdOf, publicKeyOf } from "../../protocol/peer-id.ts";
import { OttoError } from "../../protocol/errors.ts";
import { makeFolder } from "./data-folder.ts";
import { wordsOf } from "./error-words.ts";
import type { Keys } from "../ports.ts";

export type Identity = Keys & {
  /** Private seed and public key, 64 bytes: what libp2p takes. */
  readonly raw: Uint8Array;
};

const publicKeysKept = 4_096;
const seedBytes = 32;
/** What stands before the seed. @source RFC 8410, section 7. */
const pkcs8OfEd25519 = Buffer.from("302e020100300506032b657004220420", "hex");

/** Reads the key in a file, or makes one that only its owner can read. */
export function openIdentity(path: string): Identity {
  let pem: string;
  try {
    pem = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw unreadable(path, error);
    pem = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    try {
      makeFolder(dirname(path));
      writeFileSync(path, pem, { mode: 0o600, flag: "wx" });
    } catch (cause) {
      throw unwritable(path, cause);
    }
  }
  try {
    return identityOf(createPrivateKey(pem));
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** A key that is in no file. @param seed of one that was made before, 32 bytes. */
export function identityOfSeed(seed: Uint8Array = randomBytes(seedBytes)): Identity {
  const key = Buffer.concat([pkcs8OfEd25519, seed]);
  return identityOf(createPrivateKey({ key, format: "der", type: "pkcs8" }));
}

export function seedOf({ raw }: Identity): Uint8Array {
  return raw.slice(0, seedBytes);
}

export function identityOf(privateKey: KeyObject): Identity {
  const { d, x } = privateKey.export({ format: "jwk" });
  const publicBytes = Buffer.from(x ?? "", "base64url");
  const raw = Buffer.concat([Buffer.from(d ?? "", "base64url"), publicBytes]);
  return {
    peer: peerIdOf(publicBytes),
    raw,
    sign: (bytes) => sign(null, bytes, privateKey),
    verify: verifySignature,
  };
}

const publicKeys = new Map<string, KeyObject>();

/** True when the signature is the peer's over exactly these bytes. */
export function verifySignature(peer: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (isOwnersId(peer)) return verifyOwners(peer, bytes, signature, verifySignature);
  if (signature.length !== 64) return false;
  let key = publicKeys.get(peer);
  if (key === undefined) {
    const publicBytes = publicKeyOf(peer);
    if (publicBytes === null) return false;
    const x = Buffer.from(publicBytes).toString("base64url");
    key = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x } });
    if (publicKeys.size >= publicKeysKept) publicKeys.clear();
    publicKeys.set(peer, key);
  }
  return verify(null, bytes, key, signature);
}

function unwritable(path: string, cause: unknown): OttoError {
  return new OttoError("OTTO_DATA_FOLDER_INVALID", {
    what: `No key can be made at ${path}: ${wordsOf(cause)}.`,
    state: "Nothing was started.",
    next: "Give this user the right to write there, or name another place: OTTO_HOME, or --data for a node.",
    cause,
  });
}

function unreadable(path: string, cause: unknown): OttoError {
  return new OttoError("OTTO_DATA_FOLDER_INVALID", {
    what: `The key in ${path} cannot be read.`,
    next: "Give this user the right to read it, or restore it from a backup; a new key is a new peer.",
    cause,
  });
}
