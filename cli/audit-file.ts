/**
 * Books of uses as one file: `otto secret audit --export FILE` writes what each control peer signed of its own, with the domain's charter,
 * and `--verify FILE` says, without a node, what of it is proven.
 */

import * as z from "zod/mini";
import { verifySignature } from "../node/edge/identity.ts";
import { type SignedBook, verifyBook } from "../node/verify/audit-book.ts";
import { type ExitCode, exitCodes, OttoError } from "../protocol/errors.ts";
import { type Charter, openCharter } from "../protocol/membership.ts";
import { jsonNamed, writeNamed } from "./named-files.ts";
import { visible } from "./render/sanitize.ts";
import { countWords } from "./words.ts";

type Books = {
  readonly charter: Uint8Array;
  readonly books: readonly (SignedBook & { readonly peer: string })[];
};

const base64 = z.string().check(z.regex(/^[A-Za-z0-9+/]*={0,2}$/u));
const fileSchema = z.object({
  otto: z.literal("audit-books/1"),
  charter: base64,
  books: z.array(z.object({ peer: z.string(), end: base64, lines: z.array(z.string()) })),
});
const keys = { verify: verifySignature };

export function writeAudit(file: string, { charter, books }: Books): void {
  const of = (some: Uint8Array): string => Buffer.from(some).toString("base64");
  const written = books.map(({ peer, end, lines }) => ({ peer, end: of(end), lines }));
  const text = JSON.stringify({ otto: "audit-books/1", charter: of(charter), books: written }, null, 1);
  writeNamed(file, `${text}\n`, 0o600);
}

/** @param expected the id of the domain whose books they must be; null: whoever's. */
export function verifyAudit(
  file: string,
  { domain: expected = null, json = false }: { readonly domain?: string | null; readonly json?: boolean },
): ExitCode {
  const { charter: bytes, books } = readAudit(file);
  const opened = openCharter(bytes, null, keys);
  if (!opened.ok) throw invalid(file, `its charter is signed by no owner (${opened.problem})`);
  const charter = opened.value;
  const isExpected = expected === null || expected === charter.domain;
  if (!isExpected)
    throw invalid(file, `it is of domain ${charter.name} (${charter.domain}), and not of ${expected}`);
  const seen = books.map(({ peer, ...book }) => ({ peer, proven: verifyBook(peer, book, charter, keys) }));
  const missing = charter.controls.filter(({ peer }) => books.every((book) => book.peer !== peer));
  const isWhole = seen.every(({ proven }) => proven.ok) && missing.length === 0;
  const lines = json ? jsonLines(seen) : wordsOf(charter, seen, expected !== null);
  const gone = charter.former.filter(({ peer }) => books.every((book) => book.peer !== peer));
  for (const { peer, sinceMs } of gone)
    lines.push(
      json
        ? JSON.stringify({ peer, sinceMs, problem: "missing" })
        : `${peer}  was one until ${new Date(sinceMs).toISOString()}; its book is not in the file`,
    );
  for (const { peer } of missing)
    lines.push(json ? JSON.stringify({ peer, problem: "missing" }) : `${peer}  its book is not in the file`);
  process.stdout.write(`${lines.map(visible).join("\n")}\n`);
  return isWhole ? exitCodes.passed : exitCodes.failed;
}

type Seen = { readonly peer: string; readonly proven: ReturnType<typeof verifyBook> };

function wordsOf(
  { name, domain, configuration, controls }: Charter,
  seen: readonly Seen[],
  isNamed: boolean,
): string[] {
  const lines = [
    `Domain ${name} (${domain}), by the charter in the file, which its owner signed`,
    `  It is configuration ${configuration}, of ${countWords(controls.length, "control peer")}. That there is no newer one is not proven.`,
  ];
  if (!isNamed) lines.push("  That it is the domain that you mean is not proven: say its id with --domain.");
  for (const { peer, proven } of seen) {
    if (!proven.ok) {
      lines.push(`${peer}  not proven: ${proven.problem}`);
      continue;
    }
    const { lines: total, shown, atMs } = proven.value;
    const part = shown === total ? "all of them here" : `the last ${shown} of them here`;
    lines.push(
      `${peer}  signed ${countWords(total, "use")} on ${new Date(atMs).toISOString()}, ${part}, none changed`,
    );
  }
  lines.push("Proven is what these control peers said then, and not that each wrote down every use.");
  return lines;
}

function jsonLines(seen: readonly Seen[]): string[] {
  return seen.map(({ peer, proven }) =>
    JSON.stringify(proven.ok ? { peer, ...proven.value, problem: null } : { peer, problem: proven.problem }),
  );
}

function readAudit(file: string): Books {
  const parsed = fileSchema.safeParse(
    jsonNamed(file, {
      state: "Nothing was verified.",
      next: "Name a file that `otto secret audit --export FILE` wrote.",
    }),
  );
  if (!parsed.success) throw invalid(file, "it is no file of books of uses, or not all of one");
  const { charter, books } = parsed.data;
  const of = (some: string): Uint8Array => Buffer.from(some, "base64");
  return {
    charter: of(charter),
    books: books.map(({ peer, end, lines }) => ({ peer, end: of(end), lines })),
  };
}

function invalid(file: string, why: string): OttoError {
  return new OttoError("OTTO_EXPORT_INVALID", {
    what: `${file} proves nothing: ${why}.`,
    state: "Nothing was verified.",
    next: "Have it written again with `otto secret audit --export FILE`.",
  });
}
