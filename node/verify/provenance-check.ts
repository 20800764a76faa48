/**
 * Is a provenance the word of the domain that it names, and is it about this artifact? Needs no node and no network: the
 * domain's charter is in it, signed by the owner's key, whose hash is the domain's id.
 *
 * Pure. What is not seen: whether a signer was taken out of the domain later.
 */

import type { Verifier } from "../../protocol/envelope.ts";
import { failure, type Result, success } from "../../protocol/errors.ts";
import { isFormed, openCharter } from "../../protocol/membership.ts";
import type { SignedStatement } from "../../protocol/provenance/bundle.ts";
import {
  charterIn,
  decodeStatement,
  domainOf,
  type Statement,
  toBeSigned,
  treeName,
} from "../../protocol/provenance/statement.ts";
import { quorumOf } from "../../protocol/quorum.ts";
import { encodeTree, type TreeFile } from "../../protocol/tree.ts";
import { sha256Hex } from "../../protocol/values.ts";

export type Expected = {
  /** Its name or id; null: any, and the caller looks at the id. */
  readonly domain: string | null;
  /** Null: of any run. */
  readonly run: string | null;
  /** How many control peers must have signed; null: more than half of them. */
  readonly signers: number | null;
};

export type CheckedProvenance = {
  readonly statement: Statement;
  readonly domain: { readonly id: string; readonly name: string };
  readonly signers: readonly string[];
  readonly controls: number;
};

/** The problem is a sentence. */
export function checkProvenance(
  { payload, signatures }: SignedStatement,
  expected: Expected,
  keys: Verifier,
): Result<CheckedProvenance, string> {
  const said = decodeStatement(payload);
  if (!said.ok) return failure(`What is signed is no provenance: ${said.problem}.`);
  const statement = said.value;
  const id = domainOf(statement);
  const bytes = charterIn(statement);
  const charter = id === null || bytes === null ? null : openCharter(bytes, id, keys);
  if (charter?.ok !== true || !isFormed(charter.value))
    return failure("It names a domain, and the charter in it is not signed by that domain's owner.");
  const { domain, name, controls } = charter.value;
  if (expected.domain !== null && expected.domain !== domain && expected.domain !== name)
    return failure(`It is of the domain ${name}, ${domain}, and not of ${expected.domain}.`);
  const signers = new Set<string>();
  for (const { peer, signature } of signatures) {
    if (!controls.some((control) => control.peer === peer))
      return failure(`It is signed by ${peer}, who is no control peer of the domain ${name}.`);
    if (!keys.verify(peer, toBeSigned(payload), signature))
      return failure(`It was changed after it was signed, or ${peer} did not sign it.`);
    signers.add(peer);
  }
  const needed = expected.signers ?? quorumOf(charter.value);
  if (signers.size < needed)
    return failure(
      `It is signed by ${signers.size} of the ${controls.length} control peers of the domain ${name}, and ${needed} must have.`,
    );
  const { run } = statement.predicate.buildDefinition.internalParameters;
  if (expected.run !== null && expected.run !== run)
    return failure(`It is of run ${run}, and not of ${expected.run}.`);
  return success({
    statement,
    domain: { id: domain, name },
    signers: [...signers].sort(),
    controls: controls.length,
  });
}

/** A single file: one of those that were made, whatever it is called now. Returns its name in the output. */
export function findFile({ subject, predicate }: Statement, digest: string): Result<string, string> {
  const { output } = predicate.buildDefinition.externalParameters;
  const found = subject.find((one) => one.digest["sha256"] === digest && one.name !== treeName(output));
  return found === undefined
    ? failure(`It is none of the files that this provenance is of: its sha256 is ${digest}.`)
    : success(found.name);
}

/** A folder: exactly the files that were made, each under its name. */
export function compareFolder(
  { subject, predicate }: Statement,
  files: readonly TreeFile[],
): Result<null, string> {
  const { output } = predicate.buildDefinition.externalParameters;
  const tree = subject.find(({ name }) => name === treeName(output))?.digest["sha256"];
  if (tree === sha256Hex(encodeTree(files))) return success(null);
  const signed = new Map(subject.map(({ name, digest }) => [name, digest["sha256"]]));
  signed.delete(treeName(output));
  if (signed.size === 0) return failure("Its files are not those that this provenance is of.");
  for (const { path, mode, digest } of files) {
    if (mode === "link") continue;
    const known = signed.get(path);
    if (known === undefined) return failure(`"${path}" is none of the files that this provenance is of.`);
    if (known !== digest) return failure(`"${path}" is not as it was made: it was changed.`);
    signed.delete(path);
  }
  const [missing] = signed.keys();
  if (missing !== undefined) return failure(`"${missing}" is missing.`);
  return failure("Its files are as they were made, but a link is not, or which of them can be executed.");
}
