/**
 * What several owners of a domain are to sign, as a file that is handed from one to the next: the very bytes, who owns the domain, and
 * the signatures that there are. It holds no secret; whoever changes it makes a file that nobody's signature fits.
 */

import * as z from "zod/mini";
import { verifySignature } from "../node/edge/identity.ts";
import { type Statement, statementIn } from "../protocol/envelope.ts";
import { OttoError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { areOwners, type Owners } from "../protocol/owners.ts";
import { sha256Hex } from "../protocol/values.ts";
import { jsonNamed, writeNamed } from "./named-files.ts";
import { shellWord } from "./words.ts";

export type ToSign = {
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
  const { owners, untilMs, ...rest } = parsed.data;
  const bytes = Buffer.from(rest.statement, "base64");
  const statement = statementIn(bytes);
  if (statement === null) throw damaged(file, "it is not said what is to be signed");
  const signed = Object.entries(rest.signed).map(([key, one]) => [key, Buffer.from(one, "base64")] as const);
  for (const [key, signature] of signed)
    if (!owners.keys.includes(key) || !verifySignature(key, bytes, signature))
      throw damaged(file, `the signature of ${key} does not fit: it was changed since`);
  return { owners, bytes, statement, untilMs, signed: new Map(signed) };
}

export function writeToSign(
  file: string,
  { owners, bytes, untilMs, signed }: Omit<ToSign, "statement">,
): void {
  const of = (some: Uint8Array): string => Buffer.from(some).toString("base64");
  const signatures = Object.fromEntries([...signed].map(([key, one]) => [key, of(one)]));
  const written = { otto: "to-sign/1", statement: of(bytes), owners, untilMs, signed: signatures };
  writeNamed(file, `${JSON.stringify(written, null, 2)}\n`);
}

/** Writes what one of several owners has begun, and says what the others do. */
export function handOn({
  owners,
  name,
  bytes,
  signed,
}: Pick<ToSign, "owners" | "bytes" | "signed"> & { readonly name: string }): never {
  const file = `${name}-${sha256Hex(bytes).slice(0, 8)}.to-sign`;
  writeToSign(file, { owners, bytes, untilMs: Date.now() + limits.ownersSignMsMax, signed });
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
