/**
 * The book of uses: who used which credential for what, in one line each, on the disk of the control peer that brokered
 * it. Never a value, never a whole path or query: they may hold what others must not read.
 *
 * Each line has the digest of the one before, and beside the book stands where it begins and ends, so that what is changed or
 * taken out later is seen (`audit-chain.ts`): also what was while the control peer was not there, since it goes on from the end
 * that it remembers.
 */

import { appendFileSync, existsSync, renameSync, statSync } from "node:fs";
import type { ChainSeen, CredentialUse } from "../../../protocol/calls.ts";
import type { Signer } from "../../../protocol/envelope.ts";
import { limits } from "../../../protocol/limits.ts";
import { beforeIn, digestOf, signBook, type SignedBook } from "../../verify/audit-book.ts";
import { type BookEnds, readEnds, readLines, verifyChain, writeEnds } from "./audit-chain.ts";
import type { Holder } from "./grants.ts";

/** Of any grant: whose, and of which secret. */
type Granted = { readonly holder: Holder; readonly binding: { readonly name: string } };

/** With the digest of the line before. */
type AuditLine = CredentialUse & { readonly before: string };

export class Audit {
  readonly #path: string;
  readonly #nowMs: () => number;
  /** Digest of the last line; of the last that was written in `#ends`. */
  #before: string;
  #ends: BookEnds;
  #bytes = 0;
  #waiting: string[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(path: string, nowMs: () => number) {
    this.#path = path;
    this.#nowMs = nowMs;
    const isBegun = existsSync(path);
    // A book whose ends are gone is not trusted by who goes on with it: no line follows from what is not known.
    this.#ends = readEnds(`${path}.ends`) ?? { before: "", last: isBegun ? "not known" : "" };
    this.#before = this.#lastWritten();
    this.#bytes = isBegun ? statSync(path).size : 0;
  }

  used(
    grant: Granted,
    use: Pick<CredentialUse, "method" | "template" | "status" | "sentBytes" | "receivedBytes">,
  ): void {
    this.#add(grant.holder, grant.binding.name, { what: "used", ...use });
  }

  /** @param code a stable word. */
  refused(grant: Granted, { method, code }: { readonly method: string; readonly code: string }): void {
    const nothing = { status: 403, sentBytes: 0, receivedBytes: 0 };
    // A method is the step's own text.
    this.#add(grant.holder, grant.binding.name, {
      what: "refused",
      method: method.slice(0, 20),
      template: code,
      ...nothing,
    });
  }

  /** The newest last. */
  lines(): readonly CredentialUse[] {
    this.flush();
    return [...readLines(`${this.#path}.old`), ...readLines(this.#path)]
      .slice(-limits.auditLinesShownMax)
      .flatMap((line) => (beforeIn(line) === null ? [] : (JSON.parse(line) as CredentialUse)));
  }

  verify(): ChainSeen {
    this.flush();
    const kept = { older: readLines(`${this.#path}.old`), newer: readLines(this.#path) };
    return verifyChain(kept, readEnds(`${this.#path}.ends`));
  }

  /** All that is kept, as of now, by this control peer's signature. */
  signed(domain: string, keys: Signer): SignedBook {
    this.flush();
    const lines = [...readLines(`${this.#path}.old`), ...readLines(this.#path)];
    return signBook(lines, { last: this.#before, atMs: this.#nowMs() }, domain, keys);
  }

  /**
   * The end that is remembered; or a later one, when a process died between a line and that. Where the book does not have it any
   * more the chain is broken, and stays so.
   */
  #lastWritten(): string {
    const lines = readLines(this.#path);
    const known = lines.findLastIndex((line) => digestOf(line) === this.#ends.last);
    let before = this.#ends.last;
    for (const line of lines.slice(known + 1)) {
      if (beforeIn(line) !== before) return this.#ends.last;
      before = digestOf(line);
    }
    if (before !== this.#ends.last) this.#keepEnds(before);
    return before;
  }

  #keepEnds(last: string): void {
    this.#ends = { ...this.#ends, last };
    writeEnds(`${this.#path}.ends`, this.#ends);
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#waiting.length === 0) return;
    const text = this.#waiting.join("");
    this.#waiting = [];
    if (this.#bytes + text.length > limits.auditBytesMax) {
      const [first = ""] = readLines(this.#path);
      this.#ends = { ...this.#ends, before: beforeIn(first) ?? this.#ends.before };
      if (existsSync(this.#path)) renameSync(this.#path, `${this.#path}.old`);
      this.#bytes = 0;
    }
    appendFileSync(this.#path, text, { mode: 0o600 });
    this.#bytes += text.length;
    this.#keepEnds(this.#before);
  }

  #add(holder: Holder, secret: string, what: Omit<CredentialUse, "atMs" | "secret" | keyof Holder>): void {
    const { run, step, attempt, worker, submitter } = holder;
    const who = { run, step, attempt, worker, submitter };
    const own = { atMs: this.#nowMs(), secret, ...who, ...what, before: this.#before };
    const line = JSON.stringify(own satisfies AuditLine);
    this.#before = digestOf(line);
    this.#waiting.push(`${line}\n`);
    this.#timer ??= setTimeout(() => this.flush(), limits.auditGatherMs);
  }
}
