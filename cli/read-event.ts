/** What happened, read from the file that a command named, or from standard input. */

import { open } from "node:fs/promises";
import { printable } from "../planner/diagnostics.ts";
import { parseTriggerEvent, type TriggerEvent } from "../planner/trigger-event.ts";
import { OttoError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";

/** @param path a file, or `-`. Throws `OTTO_USAGE`, `OTTO_FILE_UNREADABLE` or `OTTO_FILE_TOO_LARGE`. */
export async function readEvent(path: string): Promise<TriggerEvent> {
  const name = path === "-" ? "the event on standard input" : path;
  const parsed = parseTriggerEvent(await readText(path, name));
  if (parsed.ok) return parsed.value;
  const mistakes = parsed.problem
    .slice(0, limits.diagnosticsMax)
    .map((mistake) => `\n  ${printable(mistake)}`);
  throw new OttoError("OTTO_USAGE", {
    what: `${name} says nothing that can have happened:${mistakes.join("")}`,
    state: "Nothing was started.",
    next: "Write it as `otto schema event` describes it.",
  });
}

async function readText(path: string, name: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    await using file = path === "-" ? null : await open(path, "r");
    for await (const chunk of file?.createReadStream({ autoClose: false }) ?? process.stdin) {
      const piece = chunk as Uint8Array;
      chunks.push(piece);
      bytes += piece.length;
      if (bytes > limits.eventBytesMax) throw tooLarge(name);
    }
  } catch (error) {
    if (error instanceof OttoError) throw error;
    throw new OttoError("OTTO_FILE_UNREADABLE", {
      what: `${name} cannot be read: ${error instanceof Error ? error.message : String(error)}.`,
      state: "Nothing was started.",
      next: "Name a file that you may read, or `-` for standard input.",
      cause: error,
    });
  }
  return Buffer.concat(chunks).toString("utf8");
}

function tooLarge(name: string): OttoError {
  return new OttoError("OTTO_FILE_TOO_LARGE", {
    what: `${name} has more than ${limits.eventBytesMax} bytes.`,
    state: "Nothing was started.",
    next: "Write only what `otto schema event` describes.",
  });
}
