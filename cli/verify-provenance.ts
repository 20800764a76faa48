/** `otto verify FILE --artifact PATH`, where the file is a provenance: is it the domain's word, and about this artifact? */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { verifySignature } from "../node/edge/identity.ts";
import {
  checkProvenance,
  type CheckedProvenance,
  compareFolder,
  findFile,
} from "../node/verify/provenance-check.ts";
import { type ExitCode, exitCodes, OttoError, type Result, success } from "../protocol/errors.ts";
import { decodeBundles } from "../protocol/provenance/bundle.ts";
import type { Statement } from "../protocol/provenance/statement.ts";
import type { TreeFile } from "../protocol/tree.ts";
import { sha256Hex } from "../protocol/values.ts";
import { paint } from "./render/line.ts";
import { wantsColor } from "./render/renderer.ts";

export type ArtifactOptions = {
  readonly artifact?: string;
  readonly run?: string;
  readonly signers?: string;
  readonly domain?: string;
  readonly json?: boolean;
};

export async function verifyProvenance(
  path: string,
  bytes: Uint8Array,
  options: ArtifactOptions,
): Promise<ExitCode> {
  const signed = decodeBundles(bytes);
  if (!signed.ok)
    throw new OttoError("OTTO_EXPORT_INVALID", {
      what: `${path} is no provenance: ${signed.problem}.`,
      state: "Nothing was verified.",
      next: "Make it again with `otto provenance RUN STEP OUTPUT`.",
    });
  const expected = {
    domain: options.domain ?? null,
    run: options.run ?? null,
    signers: options.signers === undefined ? null : signersIn(options.signers),
  };
  const checked = checkProvenance(signed.value, expected, { verify: verifySignature });
  const compared =
    checked.ok && options.artifact !== undefined
      ? await compare(checked.value.statement, options.artifact)
      : success(null);
  const problem = !checked.ok ? checked.problem : compared.ok ? null : compared.problem;
  const found = checked.ok && compared.ok ? compared.value : null;
  if (options.json === true)
    process.stdout.write(
      `${JSON.stringify(asJson(problem, found, checked.ok ? checked.value : null), null, 2)}\n`,
    );
  else say(problem, checked.ok ? wordsOf(checked.value, found, options) : []);
  return problem === null ? exitCodes.passed : exitCodes.failed;
}

function signersIn(words: string): number {
  if (/^[1-9]\d{0,2}$/u.test(words)) return Number(words);
  throw new OttoError("OTTO_USAGE", {
    what: `"${words}" is no count of signers.`,
    next: "Write how many control peers must have signed, such as --signers 2.",
  });
}

/** Returns the name of a file in the output; null for a folder, which is all of it. */
async function compare(statement: Statement, path: string): Promise<Result<string | null, string>> {
  try {
    const found = await lstat(path);
    if (!found.isDirectory()) return findFile(statement, await digestOf(path));
    const compared = compareFolder(statement, await filesBelow(path));
    return compared.ok ? success(null) : compared;
  } catch (error) {
    throw new OttoError("OTTO_FILE_UNREADABLE", {
      what: `The artifact ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}.`,
      state: "It was not compared.",
      next: "Name a file or a folder that you may read with --artifact.",
      cause: error,
    });
  }
}

async function filesBelow(folder: string): Promise<readonly TreeFile[]> {
  const files: TreeFile[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const full = join(entry.parentPath, entry.name);
    const path = relative(folder, full).split(sep).join("/");
    if (entry.isSymbolicLink()) {
      const target = Buffer.from(await readlink(full));
      files.push({ path, mode: "link", size: target.length, digest: sha256Hex(target) });
      continue;
    }
    const { mode, size } = await lstat(full);
    const kind = (mode & 0o100) === 0 ? "file" : "executable";
    files.push({ path, mode: kind, size, digest: entry.isFile() ? await digestOf(full) : "" });
  }
  return files;
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

function wordsOf(
  { statement, domain, signers, controls }: CheckedProvenance,
  found: string | null,
  { artifact, domain: wanted }: ArtifactOptions,
): readonly string[] {
  const { buildDefinition, runDetails } = statement.predicate;
  const { pipeline, step, output } = buildDefinition.externalParameters;
  const { run, attempt, worker, exposed = [] } = buildDefinition.internalParameters;
  const made = `output "${output}" of step "${step}" of pipeline ${pipeline}, run ${run}, attempt ${attempt}`;
  const what =
    artifact === undefined
      ? `A provenance of ${made}. No artifact was compared with it (--artifact).`
      : `${artifact} is ${found === null ? made : `"${found}" of ${made}`}.`;
  const trust =
    wanted === undefined ? " Whether that is the one you trust is for you to compare (--domain)." : "";
  return [
    what,
    `Signed by ${signers.length} of ${controls} control peers of domain ${domain.name}, ${domain.id}.${trust}`,
    `SLSA ${runDetails.metadata.otto_level}. That worker ${worker} made it is what that worker signed.`,
    ...exposed.map((one) => `Exposed: ${one.step} was given the secret ${one.secret} itself.`),
    ...buildDefinition.resolvedDependencies.map(
      ({ name = "", uri, digest = {} }) =>
        `  from ${[name, uri, ...Object.values(digest)].filter(Boolean).join(" ")}`,
    ),
  ];
}

function say(problem: string | null, words: readonly string[]): void {
  const color = wantsColor(process.stdout);
  const lines = problem === null ? words : [`Not verified. ${problem}`];
  // All of it may come from a file that anybody wrote: `paint` lets none of it reach a terminal as it is.
  for (const [index, text] of lines.entries()) {
    const style = index > 0 ? {} : ({ style: problem === null ? "green" : "red" } as const);
    process.stdout.write(`${paint([{ text, ...style }], { width: null, color })}\n`);
  }
}

function asJson(problem: string | null, file: string | null, checked: CheckedProvenance | null): object {
  return {
    otto: "verify-provenance/1",
    verdict: problem === null ? "verified" : "refused",
    problem,
    file,
    domain: checked?.domain ?? null,
    signers: checked?.signers ?? [],
    statement: checked?.statement ?? null,
  };
}
