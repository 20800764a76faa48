/**
 * Cuts the next piece of an attempt's output for a control peer from the log that its worker has, with the hash of all
 * of the log up to its end. One hash is carried on for each that it is sent to; what has to be sent again is hashed anew.
 */

import { createHash, type Hash } from "node:crypto";
import { limits } from "../../protocol/limits.ts";
import type { Message } from "../../protocol/messages.ts";
import type { Push } from "./output-pushes.ts";

export type OutputPiece = {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** sha256 of the log from its beginning to the end of this piece. */
  readonly digest: string;
};

/**
 * What a control peer answers to a piece, of whose attempt it keeps so much now: nothing when it was not asked and the next
 * one will fit. (`end` null: it is not to say.)
 */
export function answerTo(output: Extract<Message, { kind: "output" }>, end: number | null): Message | null {
  const { run, index, attempt, ask, offset, bytes } = output;
  if (end === null || (!ask && end === offset + bytes.length)) return null;
  return { kind: "output-kept", run, index, attempt, end };
}

/** Bytes of an attempt's log from `offset` on, at most `bytesMax`; empty when there are none, or the log is gone. */
type ReadLog = (id: string, offset: number, bytesMax: number) => Uint8Array;

export class OutputSender {
  readonly #read: ReadLog;
  /** By attempt and peer: what has been sent, and what it hashes to. */
  readonly #sent = new Map<string, Map<string, { readonly end: number; readonly hash: Hash }>>();

  constructor(read: ReadLog) {
    this.#read = read;
  }

  /** Null: there is nothing to send. */
  cut(id: string, { to, offset, end }: Pick<Push, "to" | "offset" | "end">): OutputPiece | null {
    const bytes = this.#read(id, offset, end - offset);
    if (bytes.length === 0) return null;
    const known = this.#sent.get(id) ?? new Map<string, { end: number; hash: Hash }>();
    this.#sent.set(id, known);
    const before = known.get(to);
    const hash = before?.end === offset ? before.hash.copy() : this.#hashUpTo(id, offset);
    hash.update(bytes);
    known.set(to, { end: offset + bytes.length, hash });
    return { offset, bytes, digest: hash.copy().digest("hex") };
  }

  ended(id: string): void {
    this.#sent.delete(id);
  }

  #hashUpTo(id: string, end: number): Hash {
    const hash = createHash("sha256");
    for (let at = 0; at < end;) {
      const bytes = this.#read(id, at, Math.min(limits.outputChunkBytesMax, end - at));
      if (bytes.length === 0) break;
      hash.update(bytes);
      at += bytes.length;
    }
    return hash;
  }
}
