/**
 * When a registry is asked again that did not answer, or said that it cannot now: a few times, each a longer while after the one
 * before, and no sooner than it asks for. What it will not do the next time either is not asked again.
 */

import { setTimeout as wait } from "node:timers/promises";
import { limits } from "../../../../protocol/limits.ts";
import { ImageProblem } from "./image-messages.ts";

/** What may go well when it is asked again. */
export class Unanswered extends ImageProblem {
  /** No sooner than this; null: it did not say. */
  readonly afterMs: number | null;

  constructor(why: string, next: string, afterMs: number | null = null) {
    super(why, next, { passes: true });
    this.afterMs = afterMs;
  }
}

/** Connections that were lost, not made, or made to nobody. A certificate that is not valid, or a name that nobody has, stays so. */
const lost = new Set([
  "EAI_AGAIN",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETRESET",
  "ENETUNREACH",
  "EPIPE",
  "ETIMEDOUT",
  "UND_ERR_BODY_TIMEOUT",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "UND_ERR_SOCKET",
]);

export function isWorthAsking(error: unknown): boolean {
  return codesOf(error).some((code) => lost.has(code) || code.startsWith("HPE_"));
}

/** Nobody has the name of the host: it may well be misspelt. */
export function isUnknownName(error: unknown): boolean {
  return codesOf(error).includes("ENOTFOUND");
}

function codesOf(error: unknown): readonly string[] {
  const codes: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause)
    // Errors of the web's interfaces have a number there.
    if ("code" in at && typeof at.code === "string") codes.push(at.code);
  return codes;
}

const passing = new Set([408, 425, 429, 500, 502, 503, 504]);

export function isWorthAskingAfter(status: number): boolean {
  return passing.has(status);
}

/** Of a `Retry-After` header, in seconds or as a date; null: there is none that can be read. */
export function retryAfterMs(header: string | null, nowMs = Date.now()): number | null {
  if (header === null) return null;
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - nowMs;
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}

/**
 * @param how.progress how much has come; who gets on may fail as often again.
 * @param how.going is told before each wait.
 */
export async function tryAgain(
  act: () => Promise<void>,
  how: { readonly firstMs: number; readonly progress: () => number; readonly going: () => void },
): Promise<void> {
  let had = how.progress();
  for (let tries = 1; ; tries += 1) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      if (how.progress() - had >= limits.imageProgressBytesMin) tries = 1;
      had = how.progress();
      if (tries >= limits.imageTriesMax) throw error;
      const asked = error.afterMs ?? 0;
      if (asked > limits.imageRetryAfterMsMax) throw tooLong(error, asked);
      how.going();
      // A little less or more, so that workers who failed at once do not come back at once.
      const ownMs = Math.min(limits.imageTryAgainMsMax, how.firstMs * 2 ** (tries - 1));
      await wait(Math.max(asked, ownMs * (0.5 + Math.random() / 2)));
    }
  }
}

function tooLong({ message }: Unanswered, ms: number): ImageProblem {
  const what = `${message}, and asks to be left alone for ${Math.ceil(ms / 1_000)} seconds`;
  return new ImageProblem(what, "start the run again after that", { passes: true });
}
