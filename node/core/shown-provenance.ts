/**
 * Provenances that people show to a gate: of files that a step is given and that another run made, maybe of another domain. Each
 * control peer checks them itself; what does not hold says nothing.
 */

import type { Origin } from "../../planner/policy/origins.ts";
import type { Verifier } from "../../protocol/envelope.ts";
import type { Charter } from "../../protocol/membership.ts";
import type { SignedStatement } from "../../protocol/provenance/bundle.ts";
import { type Statement, treeName } from "../../protocol/provenance/statement.ts";
import { quorumOf } from "../../protocol/quorum.ts";
import { checkProvenance } from "../verify/provenance-check.ts";

type Known = {
  readonly keys: Verifier;
  /** The newest charter of this domain, or of one that its owner trusts; null for any other. */
  charterOf(domain: string): Charter | null;
};

/** The inputs that a provenance is of, by the digest of all their files, and how it says that they came to be. */
export function originsShown(
  shown: SignedStatement,
  inputs: readonly { readonly name: string; readonly tree: string }[],
  known: Known,
): readonly Origin[] {
  const checked = checkProvenance(shown, { domain: null, run: null, signers: null }, known.keys);
  if (!checked.ok) return [];
  const { statement, signers } = checked.value;
  const charter = known.charterOf(checked.value.domain.id);
  if (charter === null) return [];
  // The charter that it brings along may be an old one: whoever was a control peer then says nothing today.
  const { controls, name: domain, domain: id } = charter;
  const today = signers.filter((signer) => controls.some(({ peer }) => peer === signer));
  if (today.length < quorumOf(charter)) return [];
  const { pipeline, step, output, ref = "" } = statement.predicate.buildDefinition.externalParameters;
  const tree = statement.subject.find(({ name }) => name === treeName(output))?.digest["sha256"];
  const made = { domain: [domain, id], pipeline, step: step.replace(/ \(.*\)$/su, ""), ref };
  return inputs
    .filter((input) => input.tree === tree)
    .map(({ name: input }) => ({ input, ...made, source: sourceIn(statement), level: levelIn(statement) }));
}

function sourceIn({ predicate }: Statement): string {
  const { resolvedDependencies } = predicate.buildDefinition;
  const uri = resolvedDependencies.find(({ name }) => name === "source")?.uri ?? "";
  return uri.replace(/@[^@/]*$/u, "");
}

function levelIn({ predicate }: Statement): number {
  return Number(/^Build L(\d)/u.exec(predicate.runDetails.metadata.otto_level)?.[1] ?? 0);
}
