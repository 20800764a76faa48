/** `otto export`: one run with all that proves it, in one file that needs no node to be verified. */

import { writeFile } from "node:fs/promises";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { receiveExport } from "../receive-export.ts";
import { findTarget, type TargetOptions } from "../target.ts";
import { sizeWords } from "../../protocol/sizes.ts";
import { shellWord } from "../words.ts";

export type ExportOptions = TargetOptions & { readonly output?: string };

export async function exportRun(run: string, options: ExportOptions): Promise<ExitCode> {
  const target = await findTarget(options);
  try {
    const bytes = await receiveExport(run, target);
    const path = options.output ?? `${run}.otto-run`;
    await write(path, bytes);
    process.stdout.write(
      `Wrote ${path}, ${sizeWords(bytes.length)}. Verify it anywhere with: otto verify ${shellWord(verifiable(path))}\n`,
    );
    return exitCodes.passed;
  } finally {
    await target.close();
  }
}

/** A file's name that `otto verify` does not take for a run. */
function verifiable(path: string): string {
  return /[/.]/u.test(path) ? path : `./${path}`;
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
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
