/**
 * SSH keys: private ones as people have them in files, and signatures by and of them. Keys are read by a library, signatures are
 * made by Node's own cryptography. Only the vault, and the command line of whoever sets a secret, read a private one.
 */

import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import {
  decodePair,
  decodeSshSignature,
  encodeNamed,
  encodePair,
  type SessionBind,
  type SignRequest,
} from "../../../protocol/credentials/ssh-agent.ts";
import { type AgentRefusal, judgeSignature } from "../../../protocol/credentials/ssh-judge.ts";
import type { PrivateKey as SshpkPrivateKey } from "sshpk";
import type { SshLogin } from "../../../protocol/credentials/ssh-login.ts";
import { failure, type Result, success } from "../../../protocol/errors.ts";

export type SshKey = {
  readonly private: KeyObject;
  /** The public half, as hosts are shown it. */
  readonly public: Uint8Array;
};

type Algorithm = {
  readonly type: string;
  readonly hash: string | null;
  /** Of each of the two numbers of an ECDSA signature; null: there are none. */
  readonly bytes: number | null;
  readonly curve: string | null;
};

/** Without the ones whose hash is SHA-1. */
const algorithms: Readonly<Record<string, Algorithm>> = {
  "ssh-ed25519": { type: "ed25519", hash: null, bytes: null, curve: null },
  "ecdsa-sha2-nistp256": { type: "ec", hash: "sha256", bytes: 32, curve: "prime256v1" },
  "ecdsa-sha2-nistp384": { type: "ec", hash: "sha384", bytes: 48, curve: "secp384r1" },
  "ecdsa-sha2-nistp521": { type: "ec", hash: "sha512", bytes: 66, curve: "secp521r1" },
  "rsa-sha2-256": { type: "rsa", hash: "sha256", bytes: null, curve: null },
  "rsa-sha2-512": { type: "rsa", hash: "sha512", bytes: null, curve: null },
};

const curve25519 = { kty: "OKP", crv: "Ed25519" } as const;
const octetsOfCurve25519 = 32;

/**
 * The library takes the parts of an Ed25519 key for numbers when it writes them: one of 512 keys begins with a zero that it leaves
 * out, and no one else can read what it wrote.
 */
function octets(part: Buffer): Buffer {
  const bytes = part.subarray(Math.max(0, part.length - octetsOfCurve25519));
  return Buffer.concat([Buffer.alloc(octetsOfCurve25519 - bytes.length), bytes]);
}

function partOf({ parts }: Pick<SshpkPrivateKey, "parts">, name: string): Buffer {
  const part = parts.find((one) => one.name === name);
  if (part === undefined) throw new Error(`the key has no part ${name}`);
  return part.data;
}

/** Why a file is no key that an agent can sign with, as the end of a sentence; else the key. */
export async function readSshKey(
  text: Uint8Array,
): Promise<SshKey | { readonly why: "it is protected by a passphrase" | "it is no private SSH key" }> {
  const { default: sshpk } = await import("sshpk");
  try {
    const parsed = sshpk.parsePrivateKey(Buffer.from(text));
    if (parsed.type !== "ed25519")
      return {
        private: createPrivateKey(parsed.toBuffer("pkcs8", {})),
        public: parsed.toPublic().toBuffer("rfc4253"),
      };
    const [seed, point] = [octets(partOf(parsed, "k")), octets(partOf(parsed, "A"))];
    const jwk = { ...curve25519, d: seed.toString("base64url"), x: point.toString("base64url") };
    return {
      private: createPrivateKey({ key: jwk, format: "jwk" }),
      public: encodeNamed("ssh-ed25519", point),
    };
  } catch (error) {
    // What else the library says may quote the key.
    const isLocked = error instanceof sshpk.KeyEncryptedError;
    return { why: isLocked ? "it is protected by a passphrase" : "it is no private SSH key" };
  }
}

/** The signature of a login, when all of it is as the secret says and the host itself signed the session. */
export async function signLogin(
  key: SshKey,
  login: SshLogin,
  { bind, request }: { readonly bind: SessionBind; readonly request: SignRequest },
): Promise<Result<Uint8Array, AgentRefusal>> {
  const judged = judgeSignature(login, request, { bind, own: key.public });
  if (!judged.ok) return judged;
  if (!(await isSignedByHost(bind))) return failure("host");
  const signature = signed(key, judged.value, request.data);
  return signature === null ? failure("key") : success(signature);
}

/** Null: the key is of another kind than the algorithm. */
function signed({ private: key }: SshKey, algorithm: string, data: Uint8Array): Uint8Array | null {
  const known = fitting(algorithm, key);
  if (known === null) return null;
  const bytes = sign(known.hash, data, { key, dsaEncoding: "ieee-p1363" });
  return encodeNamed(algorithm, known.bytes === null ? bytes : encodePair(bytes));
}

async function isSignedByHost({ hostKey, session, signature }: SessionBind): Promise<boolean> {
  const { default: sshpk } = await import("sshpk");
  const decoded = decodeSshSignature(signature);
  if (decoded === null) return false;
  try {
    const key = createPublicKey(sshpk.parseKey(Buffer.from(hostKey), "rfc4253").toString("pkcs8"));
    const known = fitting(decoded.algorithm, key);
    if (known === null) return false;
    const bytes = known.bytes === null ? decoded.bytes : decodePair(decoded.bytes, known.bytes);
    return bytes !== null && verify(known.hash, session, { key, dsaEncoding: "ieee-p1363" }, bytes);
  } catch {
    // It is no key: nobody signed with it.
    return false;
  }
}

function fitting(algorithm: string, key: KeyObject): Algorithm | null {
  const known = Object.hasOwn(algorithms, algorithm) ? algorithms[algorithm] : undefined;
  if (known === undefined || key.asymmetricKeyType !== known.type) return null;
  const curve = key.asymmetricKeyDetails?.namedCurve ?? null;
  return curve === known.curve ? known : null;
}
