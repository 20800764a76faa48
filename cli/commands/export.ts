/** `otto export`: one run with all that proves it, in one file that needs no node to be verified. */

import { type ExitCode, exitCodes } from "../../protocol/errors.ts";
import { receiveExport } from "../receive-export.ts";
import { findTarget, type TargetOptions } from "../target.ts";
import { sizeWords } from "../../protocol/sizes.ts";
import { shellWord } from "../words.ts";
import { writeNamed } from "../named-files.ts";

export type ExportOptions = TargetOptions & { readonly output?: string };

export async function exportRun(run: string, options: ExportOptions): Promise<ExitCode> {
  const target = await findTarget(options);
  try {
    const bytes = await receiveExport(run, target);
    const path = options.output ?? `${run}.otto-run`;
    writeNamed(path, bytes);
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
