/**
 * `otto domain sign`: an owner signs what another one has begun, and whoever completes it has the domain take it.
 * `otto domain key`: makes an owner's key.
 */

import { existsSync, rmSync } from "node:fs";
import { askFor } from "../../node/edge/client.ts";
import { openIdentity, verifySignature } from "../../node/edge/identity.ts";
import type { Document } from "../../protocol/documents.ts";
import { sealedBy } from "../../protocol/envelope.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { type Charter, openCharter } from "../../protocol/membership.ts";
import { ownersId, sealOwnersSignature } from "../../protocol/owners.ts";
import { type PolicyBody, policyIn } from "../../protocol/policy.ts";
import { decodeUntrusted, encodeValue } from "../../protocol/values.ts";
import { charterOf } from "../domain-documents.ts";
import { readPolicy } from "../../planner/policy/read-policy.ts";
import type { OwnerOptions } from "../owner.ts";
import { visible } from "../render/sanitize.ts";
import { findTarget } from "../target.ts";
import { readToSign, type ToSign, writeToSign } from "../to-sign.ts";

export type SignOptions = OwnerOptions & { readonly show?: boolean };

export async function sign(file: string, options: SignOptions): Promise<ExitCode> {
  const before = readToSign(file);
  process.stdout.write(`${wordsOf(before).map(visible).join("\n")}\n`);
  if (options.show === true) return exitCodes.passed;
  if (before.untilMs < Date.now())
    throw refused(
      "The day within which it was to be signed is over.",
      "Have its first signer say it anew: what it was made from may have changed.",
    );
  const toSign = withSignatures(before, options);
  const { owners, signed } = toSign;
  writeToSign(file, toSign);
  const lacking = owners.threshold - signed.size;
  if (lacking > 0) {
    process.stdout.write(`Signed: ${signed.size} of ${owners.threshold}. Hand ${file} to another owner.\n`);
    return exitCodes.passed;
  }
  await submit(toSign, options);
  rmSync(file);
  process.stdout.write("Signed by as many as it takes: the domain has taken it.\n");
  return exitCodes.passed;
}

/** Makes the key of one who is to own a domain with others, or says whose one is that is there. */
export function makeKey(file: string): Promise<ExitCode> {
  const isNew = !existsSync(file);
  const { peer } = openIdentity(file);
  process.stdout.write(`${peer}\n`);
  if (isNew) process.stderr.write(`The key is in ${file}: keep it offline, and to yourself.\n`);
  return Promise.resolve(exitCodes.passed);
}

function withSignatures(toSign: ToSign, { ownerKey = [] }: SignOptions): ToSign {
  const { owners, bytes, signed } = toSign;
  const missing = ownerKey.find((path) => !existsSync(path));
  if (missing !== undefined)
    throw refused(`There is no key in ${missing}.`, "Name the file of your own key.");
  const keys = ownerKey.map((path) => openIdentity(path));
  if (keys.length === 0 && signed.size < owners.threshold)
    throw refused(
      "It is not said with which key to sign.",
      "Name the file of your own key: --owner-key KEY.",
    );
  for (const { peer } of keys) {
    if (!owners.keys.includes(peer))
      throw refused(`${peer} is none of the domain's owners.`, `They are: ${owners.keys.join(", ")}.`);
    if (signed.has(peer))
      throw refused(`${peer} has signed it already.`, "Hand it to an owner who has not signed it.");
  }
  return {
    ...toSign,
    signed: new Map([...signed, ...keys.map((key) => [key.peer, key.sign(bytes)] as const)]),
  };
}

/** The owners sign; what counts is decided by the domain, as if one of them had asked. */
async function submit({ owners, statement, signed }: ToSign, options: SignOptions): Promise<void> {
  const signature = sealOwnersSignature(owners, signed);
  const envelope = sealedBy(statement, ownersId(owners), signature);
  const target = await findTarget(options);
  try {
    const { certificate } = target;
    const { domain, name } = await charterOf(target);
    if (domain !== statement.domain)
      throw refused(
        `It is for another domain than ${name}, which was asked.`,
        "Name a node of that domain with --node or --peer.",
      );
    const request =
      statement.kind === "charter"
        ? ({ call: "recharter", certificate, charter: envelope } as const)
        : ({ call: "put-document", certificate, document: encodeValue([envelope, null]) } as const);
    await askFor(await target.open(), request, "done");
  } finally {
    await target.close();
  }
}

/** What an owner signs, before it is signed: nobody else's word for it is needed, and all of it that counts is shown. */
function wordsOf({ name, owners, bytes, statement, signed }: ToSign): string[] {
  const value = decodeUntrusted(statement.payload);
  const who = owners.keys.map((key) => `  ${signed.has(key) ? "signed " : "missing"}  ${key}`);
  const by = [`It takes ${owners.threshold} of ${owners.keys.length} owners:`, ...who];
  const of = { owner: ownersId(owners), domain: statement.domain };
  if (statement.kind === "charter" && value.ok) {
    const envelope = sealedBy(statement, of.owner, Uint8Array.of(0));
    // Its signatures are what is gathered; all else is judged as anybody would.
    const charter = openCharter(envelope, of.domain, {
      verify: (signer, said) => signer === of.owner && Buffer.from(said).equals(bytes),
    });
    if (charter.ok) return [...charterWords(charter.value), ...by];
  }
  if (statement.kind === "document" && value.ok) {
    const where = `Domain ${name} (${statement.domain})`;
    return [where, ...documentWords(value.value as Document), ...by];
  }
  throw refused("It is nothing that owners sign.", "Ask whoever handed it on what it is.");
}

function charterWords({ name, configuration, controls, former }: Charter): string[] {
  return [
    `Domain ${name}, configuration ${configuration}: its control peers are to be`,
    ...controls.map(
      ({ peer, addresses, fromMs }) =>
        `  ${peer}  ${addresses.join(" ")}${fromMs === undefined ? "" : `, from ${new Date(fromMs).toISOString()}`}`,
    ),
    ...former.map(({ peer, sinceMs }) => `  no more: ${peer}, from ${new Date(sinceMs).toISOString()}`),
  ];
}

function documentWords({ topic, name, version, body }: Document): string[] {
  const head = `Document ${topic}/${name}, version ${version}${body === null ? ": it is taken away" : ""}`;
  const policy = topic === "policy" ? policyIn(body) : null;
  if (policy !== null && !isSaid(policy))
    throw refused(
      "The policy demands something else than its own words show.",
      "Ask whoever handed it on what that is, and do not sign it.",
    );
  if (policy !== null) return [`${head}:`, ...policy.text.split(/\r?\n/u).map((line) => `  ${line}`)];
  return body === null ? [head] : [`${head}:`, `  ${JSON.stringify(body, shownBytes)}`];
}

/** What counts is the policy, and what is read are its words, where a terminal shows all of them. */
function isSaid({ text, policy }: PolicyBody): boolean {
  const read = readPolicy(text);
  const isShown = text.split(/\r?\n|\t/u).every((line) => visible(line) === line);
  return isShown && read.ok && Buffer.from(encodeValue(read.policy)).equals(encodeValue(policy));
}

/** Of a charter in a document, who it is: nobody reads the bytes. */
function shownBytes(_: string, value: unknown): unknown {
  if (!(value instanceof Uint8Array)) return value;
  const charter = openCharter(value, null, { verify: verifySignature });
  return charter.ok ? `domain ${charter.value.name} (${charter.value.domain})` : `${value.length} bytes`;
}

function refused(what: string, next: string): OttoError {
  return new OttoError("OTTO_REFUSED", { what, state: "Nothing was signed or changed.", next });
}
