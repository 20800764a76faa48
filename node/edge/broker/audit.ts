/**
 * The book of uses: who used which credential for what, in one line each, on the disk of the control peer that brokered
 * it. Never a value, never a whole path or query: they may hold what others must not read.
 *
 * Each line has the digest of the one before, so that one that is changed or taken out later is seen.
 */

import { hash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, renameSync, statSync } from "node:fs";
import type { CredentialUse } from "../../../protocol/calls.ts";
import { limits } from "../../../protocol/limits.ts";
import type { Holder } from "./grants.ts";

/** Of any grant: whose, and of which secret. */
type Granted = { readonly holder: Holder; readonly binding: { readonly name: string } };

/** With the digest of the line before. */
type AuditLine = CredentialUse & { readonly before: string };

export class Audit {
  readonly #path: string;
  readonly #nowMs: () => number;
  #before = "";
  #bytes = 0;
  #waiting: string[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(path: string, nowMs: () => number) {
    this.#path = path;
    this.#nowMs = nowMs;
    const last = readLines(path).at(-1);
    this.#before = last === undefined ? "" : digestOf(last);
    this.#bytes = existsSync(path) ? statSync(path).size : 0;
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
      .map((line) => JSON.parse(line) as CredentialUse);
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#waiting.length === 0) return;
    const text = this.#waiting.join("");
    this.#waiting = [];
    if (this.#bytes + text.length > limits.auditBytesMax) {
      if (existsSync(this.#path)) renameSync(this.#path, `${this.#path}.old`);
      this.#bytes = 0;
    }
    appendFileSync(this.#path, text, { mode: 0o600 });
    this.#bytes += text.length;
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

function digestOf(line: string): string {
  return hash("sha256", line).slice(0, 32);
}

function readLines(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "");
}
