/**
 * What an SSH client asks its agent and what it is answered: frames of the agent protocol, and the login that a client wants
 * signed inside of one. Pure.
 *
 * Only what a signing agent needs is understood. Whatever else there is - adding and removing keys, locking, smart cards, other
 * extensions - is told apart from it by one word, so that it is refused and written down.
 *
 * @source https://datatracker.ietf.org/doc/draft-ietf-sshm-ssh-agent/ and OpenSSH's PROTOCOL.agent, RFC 4252 section 7
 */

import { Buffer } from "node:buffer";
import { concat } from "uint8arrays/concat";
import { failure, type Result, success } from "../errors.ts";
import { encodeFrame } from "../frames.ts";

/** The frames of the protocol by their numbers. */
const numbers = {
  failure: 5,
  success: 6,
  identities: 11,
  identitiesAnswer: 12,
  sign: 13,
  signAnswer: 14,
  extension: 27,
  extensionFailure: 28,
} as const;

const sessionBind = "session-bind@openssh.com";
const userauthRequest = 50;

export type SignRequest = {
  /** The public key, as the host would be shown it. */
  readonly key: Uint8Array;
  readonly data: Uint8Array;
};

/** A client's proof of which host it speaks to: the host's own signature over the session. */
export type SessionBind = {
  readonly hostKey: Uint8Array;
  readonly session: Uint8Array;
  readonly signature: Uint8Array;
  /** The client hands its agent on to whoever is on that host. */
  readonly isForwarding: boolean;
};

export type AgentRequest =
  | { readonly kind: "identities" }
  | ({ readonly kind: "sign" } & SignRequest)
  | ({ readonly kind: "bind" } & SessionBind)
  /** Another one of the protocol, or none at all. */
  | { readonly kind: "other" };

/** @param frame without its length. */
export function decodeAgentRequest(frame: Uint8Array): AgentRequest {
  const fields = new Fields(frame);
  const number = fields.byte();
  switch (number) {
    case numbers.identities:
      return fields.isAtEnd ? { kind: "identities" } : { kind: "other" };
    case numbers.sign: {
      const request = { key: fields.bytes(), data: fields.bytes() };
      // Flags: the hash for RSA, which the login names as well.
      fields.count();
      return fields.isAtEnd ? { kind: "sign", ...request } : { kind: "other" };
    }
    case numbers.extension: {
      const name = fields.text();
      if (name !== sessionBind) return { kind: "other" };
      const [hostKey, session, signature] = [fields.bytes(), fields.bytes(), fields.bytes()];
      const isForwarding = fields.flag();
      return fields.isAtEnd ? { kind: "bind", hostKey, session, signature, isForwarding } : { kind: "other" };
    }
    default:
      return { kind: "other" };
  }
}

/** A login, as a client has it signed. */
export type SignedLogin = {
  readonly session: Uint8Array;
  readonly user: string;
  readonly algorithm: string;
  readonly key: Uint8Array;
  /** Null: the client's host does not know the method that names it. */
  readonly hostKey: Uint8Array | null;
};

const hostBound = "publickey-hostbound-v00@openssh.com";

/** What the bytes would log in as; anything else that a key could sign is refused. */
export function decodeLogin(data: Uint8Array): Result<SignedLogin, string> {
  const fields = new Fields(data);
  const session = fields.bytes();
  const number = fields.byte();
  const user = fields.text();
  const service = fields.text();
  const method = fields.text();
  const hasSignature = fields.flag();
  const algorithm = fields.text();
  const key = fields.bytes();
  const hostKey = method === hostBound ? fields.bytes() : null;
  const isLogin =
    fields.isAtEnd && number === userauthRequest && service === "ssh-connection" && hasSignature;
  if (!isLogin || (method !== "publickey" && method !== hostBound)) return failure("it is no login");
  return success({ session, user, algorithm, key, hostKey });
}

export function encodeDone(): Uint8Array {
  return encodeFrame(Uint8Array.of(numbers.success));
}

export function encodeRefusal(): Uint8Array {
  return encodeFrame(Uint8Array.of(numbers.failure));
}

export function encodeIdentities(keys: readonly Uint8Array[], comment: string): Uint8Array {
  const each = keys.flatMap((key) => [field(key), field(Buffer.from(comment))]);
  return encodeFrame(concat([Uint8Array.of(numbers.identitiesAnswer), count(keys.length), ...each]));
}

/** @param signature with the name of its algorithm, as `encodeNamed` makes it. */
export function encodeSignature(signature: Uint8Array): Uint8Array {
  return encodeFrame(concat([Uint8Array.of(numbers.signAnswer), field(signature)]));
}

/** A signature, or a public key of Ed25519, as SSH has it: the name of its algorithm, and its bytes. */
export function encodeNamed(algorithm: string, bytes: Uint8Array): Uint8Array {
  return concat([field(Buffer.from(algorithm)), field(bytes)]);
}

/** Null: it is none. */
export function decodeSshSignature(
  signature: Uint8Array,
): { readonly algorithm: string; readonly bytes: Uint8Array } | null {
  const fields = new Fields(signature);
  const [algorithm, bytes] = [fields.text(), fields.bytes()];
  return fields.isAtEnd ? { algorithm, bytes } : null;
}

/** The two numbers of an ECDSA signature, each in `size` bytes, as SSH has them in one field; and back. */
export function encodePair(pair: Uint8Array): Uint8Array {
  const size = pair.length / 2;
  return concat([field(positive(pair.subarray(0, size))), field(positive(pair.subarray(size)))]);
}

export function decodePair(bytes: Uint8Array, size: number): Uint8Array | null {
  const fields = new Fields(bytes);
  const halves = [fields.bytes(), fields.bytes()].map((half) => {
    const trimmed = trim(half);
    if (trimmed.length > size) return null;
    return concat([new Uint8Array(size - trimmed.length), trimmed]);
  });
  const [first, second] = halves;
  return fields.isAtEnd && first && second ? concat([first, second]) : null;
}

function trim(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => byte !== 0);
  return start === -1 ? new Uint8Array() : bytes.subarray(start);
}

/** Without zeros before it, but for the one that says that it is not negative. */
function positive(bytes: Uint8Array): Uint8Array {
  const trimmed = trim(bytes);
  return (trimmed[0] ?? 0) >= 0x80 ? concat([Uint8Array.of(0), trimmed]) : trimmed;
}

function field(bytes: Uint8Array): Uint8Array {
  return concat([count(bytes.length), bytes]);
}

function count(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** Reads fields in order. What is not there reads as empty, and has the whole end somewhere else than at its end. */
class Fields {
  readonly #bytes: Uint8Array;
  #at = 0;
  #isBroken = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** True when all was read, and nothing was missing. */
  get isAtEnd(): boolean {
    return !this.#isBroken && this.#at === this.#bytes.length;
  }

  byte(): number {
    return this.#take(1)[0] ?? 0;
  }

  flag(): boolean {
    const byte = this.byte();
    if (byte > 1) this.#isBroken = true;
    return byte === 1;
  }

  count(): number {
    const bytes = this.#take(4);
    return bytes.length === 4 ? new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) : 0;
  }

  bytes(): Uint8Array {
    return this.#take(this.count());
  }

  text(): string {
    return Buffer.from(this.bytes()).toString("latin1");
  }

  #take(length: number): Uint8Array {
    if (this.#isBroken || length > this.#bytes.length - this.#at) {
      this.#isBroken = true;
      return new Uint8Array();
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
