/**
 * `otto policy`: what a domain demands of plans and of the steps that reach its environments. Its owner signs it; every control
 * peer judges by it, and `otto explain --policy` shows beforehand what it will say.
 */

import { readPolicy } from "../../planner/policy/read-policy.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { type Policy, type PolicyBody, policyDocument, policyIn } from "../../protocol/policy.ts";
import { charterOf, documentsOf, putDocument } from "../domain-documents.ts";
import { readNamed } from "../named-files.ts";
import { ownerOf, type OwnerOptions } from "../owner.ts";
import { type Target, type TargetOptions, withTarget } from "../target.ts";
import { countWords } from "../words.ts";

export async function setPolicy(file: string, options: OwnerOptions): Promise<ExitCode> {
  const body = policyOfFile(file);
  return withTarget(options, async (target) => {
    const charter = await charterOf(target);
    const owner = ownerOf(options, charter, {
      what: "Only the domain's owner says what its policy is",
      state: "The policy is as it was.",
    });
    const version = await putDocument(
      target,
      charter,
      { ...policyDocument, body },
      { keys: owner, certificate: null },
    );
    process.stdout.write(`Policy of domain ${charter.name}, version ${version}: ${words(body.policy)}.\n`);
  });
}

export async function showPolicy(options: TargetOptions): Promise<ExitCode> {
  return withTarget(options, async (target) => {
    const found = await policyOfDomain(target);
    process.stdout.write(found === null ? "# No policy: every member may have anything run.\n" : found.text);
  });
}

/** Reads a policy and says what is wrong with it; changes nothing. */
export function checkPolicy(file: string): Promise<ExitCode> {
  const { policy } = policyOfFile(file);
  process.stdout.write(`${file} is a policy: ${words(policy)}.\n`);
  return Promise.resolve(exitCodes.passed);
}

/** Throws `OTTO_FILE_UNREADABLE` or `OTTO_POLICY_INVALID`, with every mistake and its line. */
export function policyOfFile(file: string): PolicyBody {
  const unread = { state: "Nothing was changed.", next: "Name the file of a policy." };
  const text = readNamed(file, unread).toString("utf8");
  const read = readPolicy(text);
  if (read.ok) return { text, policy: read.policy };
  const { mistakes } = read;
  const count = mistakes.length === 1 ? "a mistake" : `${mistakes.length} mistakes`;
  throw new OttoError("OTTO_POLICY_INVALID", {
    what: `${file} has ${count}.\n\n${mistakes.map(({ line, message }) => `${file}:${line}: ${message}`).join("\n")}\n`,
    state: "Nothing was changed.",
    next: `Correct the file and check it with: otto policy check ${file}`,
  });
}

/** What the domain's owner signed last; null: nothing. */
export async function policyOfDomain(target: Target): Promise<PolicyBody | null> {
  const documents = await documentsOf(target, await charterOf(target), policyDocument.topic);
  const newest = documents.find(({ document }) => document.name === policyDocument.name);
  return newest === undefined ? null : policyIn(newest.document.body);
}

function words({ environments = {}, admit = [], people = {} }: Policy): string {
  const parts = [
    countWords(Object.keys(environments).length, "environment"),
    countWords(admit.length, "rule", "rules for what is admitted"),
    countWords(Object.keys(people).length, "person", "people"),
  ];
  return parts.join(", ");
}
