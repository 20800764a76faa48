/**
 * `otto secret`: what the steps of a domain may use and never see. A value is sealed on this machine, for the control peers
 * of the domain; nothing here, and nothing there, prints one.
 */

import { writeFileSync } from "node:fs";
import {
  type OpenedSecret,
  type Recipient,
  recoveryDocument,
  secretIn,
  secretTopic,
} from "../../protocol/credentials/sealed-secret.ts";
import { issuerDocument, issuerIn } from "../../protocol/credentials/issuer.ts";
import type { SecretHeader } from "../../protocol/credentials/secret.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import type { UsesSeen } from "../../protocol/calls.ts";
import type { Charter } from "../../protocol/membership.ts";
import { compareText } from "../../protocol/values.ts";
import { callFor } from "../../node/edge/client.ts";
import type { SignedBook } from "../../node/verify/audit-book.ts";
import { verifyAudit, writeAudit } from "../audit-file.ts";
import { charterOf, controlsOf, documentsOf, putDocument, recipientsOf } from "../domain-documents.ts";
import { ownerOf, type OwnerOptions } from "../owner.ts";
import { person } from "../person.ts";
import { readValue } from "../read-value.ts";
import { wantsColor } from "../render/renderer.ts";
import { visible } from "../render/sanitize.ts";
import { placesOf, secretsTable, usesTable } from "../render/secrets.ts";
import { checkHeader, type Purpose, purposeOf, type PurposeOptions } from "../secret-header.ts";
import { whyRotate } from "../secret-recipients.ts";
import { findTarget, type Target, type TargetOptions } from "../target.ts";
import { countWords, momentWords } from "../words.ts";

type ValueOptions = { readonly from?: string };
export type SetOptions = TargetOptions & PurposeOptions & ValueOptions;
export type RotateOptions = TargetOptions & ValueOptions;
export type ListOptions = TargetOptions & { readonly json?: boolean };
export type AuditOptions = ListOptions & {
  /** A file: what of it is proven; true: the books of those who are asked. */
  readonly verify?: boolean | string;
  readonly export?: string;
};
export type RecoverOptions = TargetOptions & { readonly key: string };
export type RecoveryOptions = OwnerOptions & { readonly output: string };

export async function setSecret(name: string, options: SetOptions): Promise<ExitCode> {
  const purpose = purposeOf(options);
  return withDomain(options, async (domain) => {
    const version = await seal(domain, name, { purpose, from: options.from });
    process.stdout.write(`Secret ${name} is set, version ${version}.\n`);
  });
}

/** A new value for the same purpose, for those who are control peers now. */
export async function rotateSecret(name: string, options: RotateOptions): Promise<ExitCode> {
  return withDomain(options, async (domain) => {
    const { secret, by, timeMs } = await known(domain, name);
    if (secret.kind === "oidc") throw noValue(name);
    // Any person of the domain may have said so since: the value goes where that is, and is asked for only now.
    const places = placesOf(secret).join(" ");
    const said = `otto: ${name} may be sent to ${places}, as ${by} said on ${momentWords(timeMs)} UTC.`;
    process.stderr.write(`${visible(said)}\n`);
    const version = await seal(domain, name, { purpose: secret, from: options.from });
    process.stdout.write(
      `Secret ${name} has a new value, version ${version}. Take back the old one where it was issued.\n`,
    );
  });
}

/** Somebody may have seen it: it is used no more, and stays in the list until it has a new value. */
export async function burnSecret(name: string, options: TargetOptions): Promise<ExitCode> {
  return withDomain(options, async (domain) => {
    await empty(domain, await known(domain, name), "burnt");
    process.stdout.write(
      `Secret ${name} is burnt: no step uses it any more. Take it back where it was issued, then: otto secret rotate ${name}\n`,
    );
  });
}

export async function removeSecret(name: string, options: TargetOptions): Promise<ExitCode> {
  return withDomain(options, async (domain) => {
    await empty(domain, await known(domain, name), "removed");
    process.stdout.write(`Secret ${name} is removed.\n`);
  });
}

export async function listSecrets(options: ListOptions): Promise<ExitCode> {
  return withDomain(options, async (domain) => {
    const secrets = await secretsOf(domain);
    const recipients = await recipientsOf(domain.target, domain.charter);
    const seen = secrets.map((secret) => ({
      ...secret,
      todo: whatIsLeft(secret.secret, domain.charter, recipients),
    }));
    const { stdout } = process;
    const lines =
      options.json === true
        ? seen.map(({ secret, by, timeMs, todo }) => JSON.stringify({ ...secret, by, timeMs, todo }))
        : [...secretsTable(seen, style())];
    const left = await issuerLeft(domain, recipients);
    if (left !== null)
      lines.push(options.json === true ? JSON.stringify({ issuer: true, todo: left }) : left);
    stdout.write(lines.map((line) => `${line}\n`).join(""));
  });
}

export async function auditSecrets(name: string | undefined, options: AuditOptions): Promise<ExitCode> {
  if (typeof options.verify === "string") return verifyAudit(options.verify, options);
  if (options.export !== undefined) return exportAudit(options.export, options);
  const { verify = false } = options;
  let isWhole = true;
  const code = await withDomain(options, async ({ target }) => {
    const { certificate } = target;
    for await (const item of callFor(await target.open(), { call: "uses", certificate, all: true, verify })) {
      if (item.kind !== "uses") continue;
      if (verify) {
        isWhole = item.chain?.problem === null && isWhole;
        process.stdout.write(chainLine(item, options));
        continue;
      }
      const uses = (item.uses ?? []).filter(({ secret }) => name === undefined || secret === name);
      if (options.json === true)
        for (const use of uses) process.stdout.write(`${JSON.stringify({ ...use, peer: item.peer })}\n`);
      else if (item.uses === null)
        process.stderr.write(
          `otto: control peer ${item.peer} could not be asked; what it brokered is not shown.\n`,
        );
      else for (const line of usesTable(uses, style())) process.stdout.write(`${line}\n`);
    }
  });
  return isWhole ? code : exitCodes.failed;
}

/** What each control peer signs of its book, for somebody who asks no node. */
async function exportAudit(file: string, options: AuditOptions): Promise<ExitCode> {
  let absent = 0;
  const code = await withDomain(options, async ({ target }) => {
    const { certificate } = target;
    const seen = await controlsOf(target);
    const books: (SignedBook & { readonly peer: string })[] = [];
    const request = { call: "uses", certificate, all: true, verify: true } as const;
    for await (const item of callFor(await target.open(), request)) {
      if (item.kind !== "uses") continue;
      if (item.book !== undefined) books.push({ peer: item.peer, ...item.book });
      else {
        absent += 1;
        process.stderr.write(
          `otto: control peer ${item.peer} could not be asked; its book is not in the file.\n`,
        );
      }
    }
    writeAudit(file, { charter: seen.charter, books });
    process.stdout.write(`Wrote ${file}: what ${countWords(books.length, "control peer")} signed.\n`);
  });
  return absent === 0 ? code : exitCodes.failed;
}

function chainLine({ peer, chain }: UsesSeen, { json }: AuditOptions): string {
  if (json === true) return `${JSON.stringify({ peer, chain: chain ?? null })}\n`;
  if (chain === undefined) return `${peer}  could not be asked: its book was not verified\n`;
  const { lines, problem } = chain;
  return `${peer}  ${problem === null ? `whole: ${countWords(lines, "use")}` : `not whole: ${problem}`}\n`;
}

/** Makes the domain's recovery key: the public half is the domain's, the other is in a file that its owner puts away. */
export async function makeRecovery(options: RecoveryOptions): Promise<ExitCode> {
  return withDomain(options, async ({ target, charter }) => {
    const keys = ownerOf(options, charter, {
      what: "Only the domain's owner says which key recovers its secrets",
      state: "Nothing was changed.",
    });
    const { generateX25519Identity, identityToRecipient } = await import("age-encryption");
    const identity = await generateX25519Identity();
    writeFileSync(options.output, `${identity}\n`, { mode: 0o600, flag: "wx", flush: true });
    const body = { recipient: await identityToRecipient(identity) };
    await putDocument(target, charter, { ...recoveryDocument, body }, { keys, certificate: null });
    process.stdout.write(
      `The recovery key of domain ${charter.name} is in ${options.output}: put it where no machine reads it.\nSecrets that are set or rotated from now on are sealed for it, too.\n`,
    );
  });
}

function style(): { readonly color: boolean; readonly columns: number | null } {
  const { stdout } = process;
  return { color: wantsColor(stdout), columns: stdout.isTTY ? stdout.columns : null };
}

/** Seals every secret anew for who is a control peer now, with the recovery key: the values stay on this machine. */
export async function recoverSecrets(options: RecoverOptions): Promise<ExitCode> {
  const identity = await readValue(options.key, { name: "the recovery key", kind: "http" });
  return withDomain(options, async (domain) => {
    const { openSealed } = await import("../../node/edge/broker/sealing.ts");
    let recovered = 0;
    for (const { secret, header, sealed } of await secretsOf(domain)) {
      if (secret.state !== "sealed" || secret.kind === "oidc") continue;
      const value = await openSealed({ header, sealed }, Buffer.from(identity).toString());
      if (value === null) {
        process.stderr.write(`otto: ${secret.name} is not sealed for this key: set it anew.\n`);
        continue;
      }
      await sealValue(domain, secret.name, secret, value);
      recovered += 1;
    }
    process.stdout.write(`${countWords(recovered, "secret")} sealed anew for the control peers of now.\n`);
  });
}

type Domain = { readonly target: Target; readonly charter: Charter };

async function withDomain(
  options: TargetOptions,
  work: (domain: Domain) => Promise<void>,
): Promise<ExitCode> {
  const target = await findTarget(options);
  try {
    await work({ target, charter: await charterOf(target) });
    return exitCodes.passed;
  } finally {
    await target.close();
  }
}

async function secretsOf({ target, charter }: Domain): Promise<readonly OpenedSecret[]> {
  const documents = await documentsOf(target, charter, secretTopic);
  const opened = documents.map(({ document, person: by }) => secretIn(document, by?.name ?? ""));
  return opened
    .flatMap((secret) => (secret.ok && secret.value.secret.state !== "removed" ? [secret.value] : []))
    .sort((left, right) => compareText(left.secret.name, right.secret.name));
}

async function known(domain: Domain, name: string): Promise<OpenedSecret> {
  const found = (await secretsOf(domain)).find(({ secret }) => secret.name === name);
  if (found !== undefined) return found;
  throw new OttoError("OTTO_NO_SUCH_SECRET", {
    what: `Domain ${domain.charter.name} has no secret ${name}.`,
    state: "Nothing was changed.",
    next: "See what there is with `otto secret ls`, or set one with `otto secret set`.",
  });
}

async function seal(
  domain: Domain,
  name: string,
  { purpose, from }: { readonly purpose: Purpose; readonly from: string | undefined },
): Promise<number> {
  // What is wrong with it is said before a value is asked for.
  checkHeader(headerOf(name, 1, { ...purposeIn(purpose), recipients: [], state: "sealed" }));
  if (purpose.kind === "oidc") return sealNothing(domain, name, purpose);
  const value = await readValue(from, { name, kind: purpose.kind });
  if (purpose.kind === "ssh") await requireSshKey(value);
  return sealValue(domain, name, purpose, value);
}

/** Where its tokens go, and for whom they are: there is no value, since the domain makes them. */
function sealNothing(domain: Domain, name: string, purpose: Purpose): Promise<number> {
  const rest = { ...purposeIn(purpose), recipients: [], state: "sealed" as const };
  return put(domain, name, (version) => headerOf(name, version, rest), null);
}

async function requireSshKey(value: Uint8Array): Promise<void> {
  const { readSshKey } = await import("../../node/edge/broker/ssh-keys.ts");
  const key = await readSshKey(value);
  if (!("why" in key)) return;
  throw new OttoError("OTTO_USAGE", {
    what: `This is no key that an agent can sign with: ${key.why}.`,
    state: "Nothing was changed.",
    next: "Make one for this use alone with `ssh-keygen -t ed25519 -N '' -f FILE`, and give it with --from FILE.",
  });
}

/** For everybody who is a control peer now, and for the recovery key. */
async function sealValue(domain: Domain, name: string, purpose: Purpose, value: Uint8Array): Promise<number> {
  const recipients = [...(await recipientsOf(domain.target, domain.charter))];
  if (recipients.length === 0) throw nobody(domain.charter);
  const header = { ...purposeIn(purpose), recipients, state: "sealed" } as const;
  return put(domain, name, (version) => headerOf(name, version, header), value);
}

/** A secret's header says more than its purpose. */
function purposeIn({
  kind,
  class: own,
  destinations,
  pushRefs,
  logins,
  audience,
  exchange,
}: Purpose): Purpose {
  return {
    kind,
    class: own,
    destinations,
    pushRefs,
    logins,
    ...(audience === undefined ? {} : { audience }),
    ...(exchange === undefined ? {} : { exchange }),
  };
}

function empty(domain: Domain, { secret }: OpenedSecret, state: "burnt" | "removed"): Promise<number> {
  return put(domain, secret.name, (version) => ({ ...secret, version, state, createdMs: Date.now() }), null);
}

async function put(
  { target, charter }: Domain,
  name: string,
  headerOfVersion: (version: number) => SecretHeader,
  value: Uint8Array | null,
): Promise<number> {
  const { sealSecret } = await import("../../node/edge/broker/sealing.ts");
  const { certificate } = target.standing();
  const body = (version: number) => sealSecret(headerOfVersion(version), value);
  return putDocument(target, charter, { topic: secretTopic, name, body }, { keys: person(), certificate });
}

function headerOf(
  name: string,
  version: number,
  rest: Omit<SecretHeader, "otto" | "name" | "version" | "createdMs">,
): SecretHeader {
  return { otto: "secret/1", name, version, createdMs: Date.now(), ...rest };
}

/** What somebody has to do about a secret, as a sentence; null: nothing. */
function whatIsLeft(
  { state, kind, recipients }: SecretHeader,
  charter: Charter,
  now: readonly Recipient[],
): string | null {
  if (state === "burnt") return kind === "oidc" ? "burnt: set it anew" : "burnt: rotate it";
  if (kind === "oidc") return null;
  const why = whyRotate(recipients, charter, now);
  return why === null ? null : `rotate it: ${why}`;
}

/** The same of the key by which the domain signs tokens. */
async function issuerLeft({ target, charter }: Domain, now: readonly Recipient[]): Promise<string | null> {
  const [document] = await documentsOf(target, charter, issuerDocument.topic);
  const opened = document === undefined ? null : issuerIn(document.document);
  const controls = now.filter(({ peer }) => peer !== recoveryDocument.name);
  const why = opened === null ? null : whyRotate(opened.issuer.recipients, charter, controls);
  return why === null ? null : `rotate the key that signs tokens with \`otto domain oidc\`: ${why}`;
}

function noValue(name: string): OttoError {
  return new OttoError("OTTO_USAGE", {
    what: `The secret ${name} has no value: its tokens are made anew every few minutes.`,
    state: "Nothing was changed.",
    next: "Have the domain sign by another key with `otto domain oidc --rotate`.",
  });
}

function nobody({ name }: Charter): OttoError {
  return new OttoError("OTTO_UNREACHABLE", {
    what: `No control peer of domain ${name} has said yet which key secrets are sealed for.`,
    state: "Nothing was changed.",
    next: "Try again in a moment; look with `otto peers` whether they are up.",
  });
}
