/** Reading and writing files that somebody named, whether or not they are there. */

import { readFileSync, writeFileSync } from "node:fs";
import { OttoError } from "../protocol/errors.ts";

/** What becomes of the command when the file cannot be read, and what to do then. */
type Unread = { readonly state: string; readonly next: string };

/** Throws `OTTO_FILE_UNREADABLE`. */
export function readNamed(path: string, { state, next }: Unread): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new OttoError("OTTO_FILE_UNREADABLE", {
      what: `${path} cannot be read: ${wordsOf(cause)}.`,
      state,
      next,
      cause,
    });
  }
}

/** Null: it is no JSON. Throws `OTTO_FILE_UNREADABLE`. */
export function jsonNamed(path: string, unread: Unread): unknown {
  const bytes = readNamed(path, unread);
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return null;
  }
}

/** Throws `OTTO_FILE_UNREADABLE`. @param mode of a file that is new; else as the user's other files. */
export function writeNamed(path: string, bytes: Uint8Array | string, mode?: number): void {
  try {
    writeFileSync(path, bytes, { mode });
  } catch (cause) {
    throw new OttoError("OTTO_FILE_UNREADABLE", {
      what: `${path} cannot be written: ${wordsOf(cause)}.`,
      state: "Nothing was written there, or not all of it.",
      next: "Name a file in a folder that you may write in, on a disk with room.",
      cause,
    });
  }
}

function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
