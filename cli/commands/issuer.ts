/**
 * `otto domain oidc`: the domain as an issuer of tokens. Its key is made here, sealed for the control peers, and forgotten; what
 * others verify tokens by is written as files, for any web server.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  encodeIssuer,
  type IssuerHeader,
  isIssuer,
  issuerDocument,
  issuerIn,
  keysAfter,
  publicFiles,
} from "../../protocol/credentials/issuer.ts";
import { plaintextOf, type Recipient, recoveryDocument } from "../../protocol/credentials/sealed-secret.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { charterOf, documentsOf, putDocument, recipientsOf } from "../domain-documents.ts";
import { ownerOf, type OwnerOptions } from "../owner.ts";
import { gone } from "../secret-recipients.ts";
import { findTarget } from "../target.ts";

export type IssuerOptions = OwnerOptions & {
  readonly issuer?: string;
  readonly out: string;
  readonly rotate?: boolean;
  readonly burn?: boolean;
};

export async function issueTokens(options: IssuerOptions): Promise<ExitCode> {
  const target = await findTarget(options);
  try {
    const charter = await charterOf(target);
    const [document] = await documentsOf(target, charter, issuerDocument.topic);
    const former = document === undefined ? null : (issuerIn(document.document)?.issuer ?? null);
    const issuer = (options.issuer ?? former?.issuer ?? "").replace(/\/$/u, "");
    if (issuer === "")
      throw unusable(
        "It is not said at which address others find the files",
        "Say --issuer https://HOST/PATH.",
      );
    const recipients = (await recipientsOf(target, charter)).filter(
      ({ peer }) => peer !== recoveryDocument.name,
    );
    const isAskedFor = options.rotate === true || options.burn === true;
    if (former !== null && !isOld(former, { issuer, recipients }) && !isAskedFor) {
      write(options.out, former);
      process.stdout.write(`The files of ${issuer} are in ${options.out}.\n`);
      return exitCodes.passed;
    }
    const owner = ownerOf(options, charter, {
      what: "Only the domain's owner makes the key that signs its tokens",
      state: "Nothing was changed.",
    });
    const made = await makeKey();
    // Who was a control peer and is none any more could sign on.
    const isKept = options.burn !== true && former !== null && gone(former.recipients, charter).length === 0;
    const header: IssuerHeader = {
      otto: "issuer/1",
      issuer,
      keys: keysAfter(isKept ? former : null, { ...made.public, untilMs: null }, Date.now()),
      recipients: [...recipients],
    };
    if (!isIssuer(header))
      throw unusable(`${issuer} is no address of an issuer`, "Say --issuer https://HOST/PATH.");
    // They are there before the first token by the new key.
    write(options.out, header);
    const { encryptFor } = await import("../../node/edge/broker/sealing.ts");
    const encoded = encodeIssuer(header);
    const sealed = await encryptFor(recipients, plaintextOf(encoded, made.private));
    const signed = { ...issuerDocument, body: { header: encoded, sealed } };
    await putDocument(target, charter, signed, { keys: owner, certificate: null });
    const dropped = former !== null && !isKept ? " Tokens by earlier keys count there no more." : "";
    process.stdout.write(
      `Domain ${charter.name} signs tokens as ${issuer} by the key ${made.public.kid}.\nPublish the files in ${options.out} there: tokens by this key count where the new jwks.json was read.${dropped}\n`,
    );
    return exitCodes.passed;
  } finally {
    await target.close();
  }
}

/** The address has changed, or somebody is a control peer who cannot sign, or can sign who is none any more. */
function isOld(
  former: IssuerHeader,
  now: { readonly issuer: string; readonly recipients: readonly Recipient[] },
): boolean {
  const words = (recipients: readonly Recipient[]): string =>
    recipients
      .map(({ peer, recipient }) => `${peer} ${recipient}`)
      .toSorted()
      .join("\n");
  return former.issuer !== now.issuer || words(former.recipients) !== words(now.recipients);
}

async function makeKey(): Promise<{
  readonly public: { readonly kid: string; readonly x: string; readonly y: string };
  readonly private: Uint8Array;
}> {
  const { calculateJwkThumbprint, exportJWK, generateKeyPair } = await import("jose");
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = await exportJWK(privateKey);
  const { x = "", y = "" } = jwk;
  return {
    public: { kid: await calculateJwkThumbprint(jwk), x, y },
    private: Buffer.from(JSON.stringify(jwk)),
  };
}

function write(folder: string, issuer: IssuerHeader): void {
  for (const [name, content] of Object.entries(publicFiles(issuer, Date.now()))) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`);
  }
}

function unusable(what: string, next: string): OttoError {
  return new OttoError("OTTO_USAGE", { what: `${what}.`, state: "Nothing was changed.", next });
}
