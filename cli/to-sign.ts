/**
 * What several owners of a domain are to sign, as a file that is handed from one to the next: the very bytes, who owns the domain, and
 * the signatures that there are. It holds no secret; whoever changes it makes a file that nobody's signature fits. It is for a domain of
 * those very owners: who owns another one with the same key signs nothing for it here.
 */

import * as z from "zod/mini";
import { verifySignature } from "../node/edge/identity.ts";
import { type Statement, statementIn } from "../protocol/envelope.ts";
import { OttoError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { domainId } from "../protocol/membership.ts";
import { areOwners, type Owners, ownersId } from "../protocol/owners.ts";
import { sha256Hex } from "../protocol/values.ts";
import { jsonNamed, writeNamed } from "./named-files.ts";
import { shellWord } from "./words.ts";

export type ToSign = {
  /** What the domain is called. */
  readonly name: string;
  readonly owners: Owners;
  /** What is signed: kind, domain and payload as one. */
  readonly bytes: Uint8Array;
  readonly statement: Statement;
  /** Milliseconds since 1970: later nobody signs it. */
  readonly untilMs: number;
  /** By key. */
  readonly signed: ReadonlyMap<string, Uint8Array>;
};

const base64 = z.string().check(z.regex(/^[A-Za-z0-9+/]*={0,2}$/u));
const fileSchema = z.object({
  otto: z.literal("to-sign/1"),
  name: z.string(),
  statement: base64,
  owners: z.custom<Owners>(areOwners),
  untilMs: z.int(),
  signed: z.record(z.string(), base64),
});

export function readToSign(file: string): ToSign {
  const parsed = fileSchema.safeParse(
    jsonNamed(file, { state: "Nothing was signed.", next: "Name the file that another owner handed on." }),
  );
  if (!parsed.success) throw damaged(file, "it is no such file, or not all of one");
  const { name, owners, untilMs, ...rest } = parsed.data;
  const bytes = Buffer.from(rest.statement, "base64");
  const statement = statementIn(bytes);
  if (statement === null) throw damaged(file, "it is not said what is to be signed");
  if (domainId(name, ownersId(owners)) !== statement.domain)
    throw damaged(file, "it is for another domain than that of those who are to sign it");
  const signed = Object.entries(rest.signed).map(([key, one]) => [key, Buffer.from(one, "base64")] as const);
  for (const [key, signature] of signed)
    if (!owners.keys.includes(key) || !verifySignature(key, bytes, signature))
      throw damaged(file, `the signature of ${key} does not fit: it was changed since`);
  return { name, owners, bytes, statement, untilMs, signed: new Map(signed) };
}

export function writeToSign(
  file: string,
  { name, owners, bytes, untilMs, signed }: Omit<ToSign, "statement">,
): void {
  const of = (some: Uint8Array): string => Buffer.from(some).toString("base64");
  const signatures = Object.fromEntries([...signed].map(([key, one]) => [key, of(one)]));
  const written = { otto: "to-sign/1", name, statement: of(bytes), owners, untilMs, signed: signatures };
  writeNamed(file, `${JSON.stringify(written, null, 2)}\n`);
}

/** Writes what one of several owners has begun, and says what the others do. */
export function handOn({
  owners,
  name,
  bytes,
  signed,
}: Pick<ToSign, "name" | "owners" | "bytes" | "signed">): never {
  const file = `${name}-${sha256Hex(bytes).slice(0, 8)}.to-sign`;
  writeToSign(file, { name, owners, bytes, untilMs: Date.now() + limits.ownersSignMsMax, signed });
  throw new OttoError("OTTO_OWNERS_MISSING", {
    what: `It takes ${owners.threshold} of the ${owners.keys.length} owners of domain ${name}, and ${signed.size} signed.`,
    state: `Nothing was changed. What they are to sign within a day is in ${file}.`,
    next: `Hand it to another owner: \`otto domain sign ${shellWord(file)} --owner-key KEY\`. Whoever completes it has the domain take it.`,
  });
}

function damaged(file: string, why: string): OttoError {
  return new OttoError("OTTO_REFUSED", {
    what: `${file} is not signed: ${why}.`,
    state: "Nothing was signed.",
    next: "Ask whoever handed it on for the file as it was.",
  });
}
