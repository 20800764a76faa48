/**
 * `otto domain`: other domains in the same mesh. An owner names those whose word counts here: whose plans may have steps in this
 * domain's environments, and whose environments steps of plans here may be in.
 */

import { readFileSync } from "node:fs";
import { verifySignature } from "../../node/edge/identity.ts";
import { type ExitCode, OttoError } from "../../protocol/errors.ts";
import { type Charter, openCharter } from "../../protocol/membership.ts";
import { charterOf, controlsOf, documentsOf, putDocument } from "../domain-documents.ts";
import { ownerOf, type OwnerOptions } from "../owner.ts";
import { type Target, type TargetOptions, withTarget } from "../target.ts";
import { countWords } from "../words.ts";

const prefix = "otto-domain1-";

/** Prints what another domain's owner needs to trust this one: its charter, as its own owner signed it. */
export async function printCard(options: TargetOptions): Promise<ExitCode> {
  return withTarget(options, async (target) => {
    const { charter } = await controlsOf(target);
    process.stdout.write(`${prefix}${Buffer.from(charter).toString("base64url")}\n`);
  });
}

export async function trustDomain(card: string, options: OwnerOptions): Promise<ExitCode> {
  const { bytes, charter: other } = readCard(card);
  return withTarget(options, async (target) => {
    const charter = await charterOf(target);
    if (other.domain === charter.domain) throw usage("This is the card of the domain itself.");
    const owner = ownerOf(options, charter, ownersWord);
    const document = { topic: "domain", name: other.name, body: { charter: bytes } } as const;
    await putDocument(target, charter, document, { keys: owner, certificate: null });
    process.stdout.write(
      `Domain ${charter.name} trusts domain ${other.name} (${other.domain}), ${countWords(other.size, "control peer")}.\n`,
    );
  });
}

export async function distrustDomain(name: string, options: OwnerOptions): Promise<ExitCode> {
  return withTarget(options, async (target) => {
    const charter = await charterOf(target);
    const known = await trustedBy(target, charter);
    if (!known.some((one) => one.name === name))
      throw usage(`Domain ${charter.name} does not trust a domain called ${name}.`);
    const owner = ownerOf(options, charter, ownersWord);
    await putDocument(
      target,
      charter,
      { topic: "domain", name, body: null },
      { keys: owner, certificate: null },
    );
    process.stdout.write(`Domain ${charter.name} does not trust domain ${name} any more.\n`);
  });
}

export async function listDomains(options: TargetOptions & { readonly json?: boolean }): Promise<ExitCode> {
  return withTarget(options, async (target) => {
    const known = await trustedBy(target, await charterOf(target));
    const lines = known.map(({ name, domain, size }) =>
      options.json === true
        ? JSON.stringify({ name, domain, controls: size })
        : `${name}  ${domain}  ${countWords(size, "control peer")}`,
    );
    process.stdout.write(lines.length === 0 ? "No other domain is trusted.\n" : `${lines.join("\n")}\n`);
  });
}

const ownersWord = {
  what: "Only the domain's owner says which other domains it trusts",
  state: "Nothing was changed.",
};

async function trustedBy(target: Target, charter: Charter): Promise<readonly Charter[]> {
  const documents = await documentsOf(target, charter, "domain");
  return documents.flatMap(({ document: { body } }) => {
    const bytes = (body as { charter?: unknown } | null)?.charter;
    const opened = bytes instanceof Uint8Array ? openCharter(bytes, null, { verify: verifySignature }) : null;
    return opened?.ok === true ? [opened.value] : [];
  });
}

/** @param card as it was printed, or the file that it is in. */
function readCard(card: string): { readonly bytes: Uint8Array; readonly charter: Charter } {
  const text = card.startsWith(prefix) ? card : readText(card);
  const bytes = Buffer.from(text.trim().slice(prefix.length), "base64url");
  const opened = openCharter(bytes, null, { verify: verifySignature });
  if (!text.startsWith(prefix) || !opened.ok)
    throw usage("This is no card of a domain, or its owner has not signed it.");
  return { bytes, charter: opened.value };
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw usage(`There is no card in ${file}: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

function usage(what: string): OttoError {
  return new OttoError("OTTO_USAGE", {
    what,
    state: "Nothing was changed.",
    next: "The other domain prints its card with `otto domain card`; `otto domain ls` lists those that are trusted.",
  });
}
