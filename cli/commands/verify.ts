/**
 * `otto verify`: whether a run kept to its plan, by its signed records, asked of a node or read from an exported file; of a
 * provenance see `cli/verify-provenance.ts`.
 *
 * Needs no node for a file, and believes none for a run: the verdict is made here. Exit codes: 0 the run is over and
 * kept to its plan, 1 it deviates, 8 it has not ended; what there is of it is judged all the same.
 */

import { readFile, stat } from "node:fs/promises";
import { verifySignature } from "../../node/edge/identity.ts";
import { type Verification, verifyRun } from "../../node/verify/verify.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { decodeExport, type ExportedRun, type ExportProblem } from "../../protocol/run-export.ts";
import { isBundles } from "../../protocol/provenance/bundle.ts";
import { receiveExport } from "../receive-export.ts";
import { wantsColor } from "../render/renderer.ts";
import { verificationText } from "../render/verification.ts";
import { findTarget, type TargetOptions } from "../target.ts";
import { type ArtifactOptions, verifyProvenance } from "../verify-provenance.ts";

export type VerifyOptions = TargetOptions & ArtifactOptions;

/** @param what a run's id, or the path of an exported run: a word like an id is a run, unless it has a dot or slash. */
export async function verify(what: string, options: VerifyOptions): Promise<ExitCode> {
  const isRun = /^[a-z2-7]{12}$/u.test(what);
  const bytes = isRun ? null : await read(what);
  if (bytes !== null && isBundles(bytes)) return verifyProvenance(what, bytes, options);
  const { exported, domain } = bytes === null ? await ofRun(what, options) : ofFile(what, bytes, options);
  const verification = verifyRun(exported, domain, { verify: verifySignature });
  const text =
    options.json === true
      ? `${JSON.stringify(verification, null, 2)}\n`
      : verificationText(verification, {
          color: wantsColor(process.stdout),
          hint: isRun || domain !== null ? null : "--domain",
        });
  process.stdout.write(text);
  return exitCodeOf(verification);
}

function exitCodeOf({ verdict, state }: Verification): ExitCode {
  if (state === "open") return exitCodes.stillWaiting;
  return verdict === "kept" ? exitCodes.passed : exitCodes.failed;
}

type Source = { readonly exported: ExportedRun; readonly domain: string | null };

async function ofRun(run: string, options: VerifyOptions): Promise<Source> {
  const target = await findTarget(options);
  try {
    const { domain } = target.standing();
    const decoded = decodeExport(await receiveExport(run, target));
    if (!decoded.ok) throw invalid(`What the node sent about run ${run}`, decoded.problem);
    return { exported: decoded.value, domain };
  } finally {
    await target.close();
  }
}

function ofFile(path: string, bytes: Uint8Array, options: VerifyOptions): Source {
  const decoded = decodeExport(bytes);
  if (!decoded.ok) throw invalid(path, decoded.problem);
  return { exported: decoded.value, domain: options.domain ?? null };
}

async function read(path: string): Promise<Uint8Array> {
  let size: number;
  try {
    ({ size } = await stat(path));
    if (size <= limits.exportBytesMax) return await readFile(path);
  } catch (error) {
    throw new OttoError("OTTO_FILE_UNREADABLE", {
      what: `${path} cannot be read as a file, and it is no run's id: ${error instanceof Error ? error.message : String(error)}.`,
      state: "Nothing was verified.",
      next: "Name a run of `otto status`, or a file that `otto export` wrote.",
      cause: error,
    });
  }
  throw new OttoError("OTTO_FILE_TOO_LARGE", {
    what: `${path} has ${size} bytes; an exported run has at most ${limits.exportBytesMax}.`,
    state: "Nothing was verified.",
    next: "Name a file that `otto export` wrote.",
  });
}

function invalid(what: string, problem: ExportProblem): OttoError {
  const words = {
    "ends early": "is an exported run whose end is missing, or no exported run",
    foreign: "is no exported run, or was changed so that it is none any more",
    oversized: "is larger than an exported run may be",
  };
  return new OttoError("OTTO_EXPORT_INVALID", {
    what: `${what} ${words[problem]}.`,
    state: "Nothing was verified.",
    next: "Export the run again with `otto export RUN`, and compare the sizes of the files.",
  });
}
