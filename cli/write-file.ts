/** Writing a file that somebody named, whether or not it is there. */

import { writeFile } from "node:fs/promises";
import { OttoError } from "../protocol/errors.ts";

export async function writeNamed(path: string, bytes: Uint8Array | string): Promise<void> {
  try {
    await writeFile(path, bytes);
  } catch (error) {
    throw new OttoError("OTTO_FILE_UNREADABLE", {
      what: `${path} cannot be written: ${error instanceof Error ? error.message : String(error)}.`,
      state: "Nothing was written there, or not all of it.",
      next: "Name a file that you may write with --output.",
      cause: error,
    });
  }
}
