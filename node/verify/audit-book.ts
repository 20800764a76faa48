/**
 * A book of uses in a file, away from the control peer that wrote it: that peer's signature says where the book ended and when, and
 * the digests in its lines lead there, so nothing of what is in the file was changed, cut out or put in since.
 *
 * It proves what the control peer said then. That it wrote down every use is its word alone.
 */

import { openEnvelope, sealEnvelope, type Signer, type Verifier } from "../../protocol/envelope.ts";
import { failure, type Result, success } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { type Charter, spokeUntilMs } from "../../protocol/membership.ts";
import { sha256Hex } from "../../protocol/values.ts";

type BookEnd = {
  readonly otto: "audit/1";
  /** How many there were in all: the newest are in the file. */
  readonly lines: number;
  /** Digest of the last one; "": there was none. */
  readonly last: string;
  /** By the control peer's clock, milliseconds since 1970. */
  readonly atMs: number;
};

export type SignedBook = {
  /** Signed by the control peer whose book it is. */
  readonly end: Uint8Array;
  /** The newest last. */
  readonly lines: readonly string[];
};

export type ProvenBook = Pick<BookEnd, "lines" | "atMs"> & { readonly shown: number };

const encoder = new TextEncoder();

export function digestOf(line: string): string {
  return sha256Hex(encoder.encode(line)).slice(0, 32);
}

/** The digest that a line has of the one before it; null: it is no line of a book. */
export function beforeIn(line: string): string | null {
  try {
    const { before } = JSON.parse(line) as { readonly before?: unknown };
    return typeof before === "string" ? before : null;
  } catch {
    return null;
  }
}

export function signBook(
  lines: readonly string[],
  end: Omit<BookEnd, "otto" | "lines">,
  domain: string,
  keys: Signer,
): SignedBook {
  const { length } = lines;
  const shown = lines.slice(-limits.auditLinesShownMax);
  return {
    end: sealEnvelope("audit", domain, { otto: "audit/1", lines: length, ...end }, keys),
    lines: shown,
  };
}

/** @returns what is proven of the book of this peer; else what is wrong with it, as the end of a sentence. */
export function verifyBook(
  peer: string,
  { end, lines }: SignedBook,
  charter: Charter,
  keys: Verifier,
): Result<ProvenBook, string> {
  const opened = openEnvelope(end, { kind: "audit", domain: charter.domain }, keys);
  if (!opened.ok) return failure(`it is not signed for this domain (${opened.problem})`);
  const { envelope, value } = opened.value;
  if (envelope.signer !== peer) return failure(`it is signed by ${envelope.signer}`);
  if (!isBookEnd(value)) return failure("what is signed is no end of a book");
  const untilMs = spokeUntilMs(charter, peer);
  if (untilMs === null || value.atMs > untilMs + limits.signedApartMsMax)
    return failure("its signer was no control peer of the domain then");
  if (lines.length > value.lines) return failure("lines were put in");
  let before: string | null = null;
  for (const [index, line] of lines.entries()) {
    const named = beforeIn(line);
    if (named === null) return failure(`line ${index + 1} is none of a book`);
    if (before !== null && named !== before)
      return failure(
        `line ${index + 1} does not follow the one before it: one of them was changed, or some are gone`,
      );
    before = digestOf(line);
  }
  if ((before ?? "") !== value.last) return failure("its end was cut off, or its last line was changed");
  return success({ lines: value.lines, atMs: value.atMs, shown: lines.length });
}

function isBookEnd(found: unknown): found is BookEnd {
  const end = found as BookEnd | null;
  return (
    end?.otto === "audit/1" &&
    typeof end.last === "string" &&
    [end.lines, end.atMs].every((count) => Number.isSafeInteger(count) && count >= 0)
  );
}
