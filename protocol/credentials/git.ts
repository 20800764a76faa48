/**
 * Git over HTTP: which requests fetch, which push, and to what. A push says in its first lines what it would change; it is
 * let through when all of that is listed, and nothing is deleted.
 *
 * Whether a push is forced cannot be seen from here: that takes the history, which is the host's.
 *
 * @source https://git-scm.com/docs/http-protocol and https://git-scm.com/docs/pack-protocol
 */

import { Buffer } from "node:buffer";
import { failure, type Result, success } from "../errors.ts";
import { limits } from "../limits.ts";

export type GitService = "fetch" | "push";

/** What a request to a repository is for; null: it is none of git's own. */
export function gitServiceOf(method: string, path: string, query: string): GitService | null {
  const asked =
    method === "GET" && path.endsWith("/info/refs")
      ? /^\?service=git-([a-z]+)-pack$/u.exec(query)?.[1]
      : undefined;
  const posted = method === "POST" && query === "" ? /\/git-([a-z]+)-pack$/u.exec(path)?.[1] : undefined;
  switch (asked ?? posted) {
    case "upload":
      return "fetch";
    case "receive":
      return "push";
    default:
      return null;
  }
}

/** Reads the beginning of a push. */
export class PushReader {
  readonly #allowed: readonly string[];
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(allowed: readonly string[]) {
    this.#allowed = allowed;
  }

  /** `more`: nothing is sure yet. Else all bytes so far, to be sent on, or why the push is refused. */
  push(chunk: Uint8Array): "more" | Result<Buffer, string> {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    for (;;) {
      const left = this.#bytes.subarray(this.#at);
      if (left.length < 4) return this.#wait();
      const digits = left.subarray(0, 4).toString("latin1");
      if (!/^[0-9a-f]{4}$/u.test(digits)) return failure("it is no push that this broker understands");
      const length = Number.parseInt(digits, 16);
      if (length === 0) return success(this.#bytes);
      if (length <= 4) return failure("it is no push that this broker understands");
      if (left.length < length) return this.#wait();
      const problem = this.#problemOf(left.subarray(4, length).toString("latin1"));
      if (problem !== null) return failure(problem);
      this.#at += length;
    }
  }

  #wait(): "more" | Result<Buffer, string> {
    return this.#bytes.length > limits.pushCommandsBytesMax ? failure("it changes too much at once") : "more";
  }

  /** One line: what was there, what is to be there, and the ref; behind a zero byte what the client can do. */
  #problemOf(line: string): string | null {
    const [command = ""] = line.split("\0");
    const [, to, ref] = /^[0-9a-f]{40,64} ([0-9a-f]{40,64}) (\S+)\n?$/u.exec(command) ?? [];
    if (to === undefined || ref === undefined) return "it is no push that this broker understands";
    if (!this.#allowed.includes(ref)) return `the credential is not for a push to ${ref}`;
    return /^0+$/u.test(to) ? `the credential is not for the removal of ${ref}` : null;
  }
}
