/** The signed documents of a domain, from any of its nodes: what is kept is checked here, whoever says that it is kept. */

import { askFor, callFor } from "../node/edge/client.ts";
import { verifySignature } from "../node/edge/identity.ts";
import {
  recipientIn,
  type Recipient,
  recipientTopic,
  recoveryDocument,
} from "../protocol/credentials/sealed-secret.ts";
import { type Document, type OpenedDocument, openDocument, sealDocument } from "../protocol/documents.ts";
import type { Signer } from "../protocol/envelope.ts";
import { OttoError } from "../protocol/errors.ts";
import type { AnswerItem } from "../protocol/calls.ts";
import { type Charter, isNewer, openCharter } from "../protocol/membership.ts";
import type { Target } from "./target.ts";

type ControlsSeen = Extract<AnswerItem, { kind: "control" }> & { readonly opened: Charter };

/**
 * What the asked node says of its control peers, by the newest charter that it knows. Whom secrets are sealed for, and whom an invite leads
 * to, is in it, and any node may be asked: so it is the charter of the domain that was meant, and none from before the one known here.
 */
export async function controlsOf(target: Target): Promise<ControlsSeen> {
  const { certificate } = target;
  const known = target.charter();
  const seen = await askFor(await target.open(), { call: "control", certificate }, "control");
  const opened = openCharter(seen.charter, known.domain, { verify: verifySignature });
  if (opened.ok && !isNewer(known, opened.value)) {
    if (isNewer(opened.value, known)) target.learn(opened.value, seen.charter);
    return { ...seen, opened: opened.value };
  }
  throw new OttoError("OTTO_MESSAGE_INVALID", {
    what: `The node answered with ${opened.ok ? "an older charter of" : "no charter that was signed by the owner of"} domain ${known.name}${opened.ok ? " than this user has seen" : ""}.`,
    state: "Nothing was done.",
    next: `Ask another node with --node or --peer.${opened.ok ? " If the owner says that the domain was restored from a backup, join it anew: `otto join CODE`." : ""}`,
  });
}

/** The newest charter that the asked node knows. */
export async function charterOf(target: Target): Promise<Charter> {
  return (await controlsOf(target)).opened;
}

/** Those of one topic whose signatures hold, in the order of their names; taken away ones have no body. */
export async function documentsOf(
  target: Target,
  charter: Charter,
  topic: Document["topic"],
): Promise<readonly OpenedDocument[]> {
  const { certificate } = target;
  const found: OpenedDocument[] = [];
  for await (const item of callFor(await target.open(), { call: "documents", certificate, topic })) {
    if (item.kind === "done") break;
    if (item.kind !== "document") continue;
    const opened = openDocument(item.bytes, charter, { verify: verifySignature });
    const isIt = opened.ok && opened.value.document.topic === topic;
    if (isIt && opened.value.document.version === item.version) found.push(opened.value);
  }
  return found;
}

/** The keys of those who are control peers now, and the recovery key. */
export async function recipientsOf(target: Target, charter: Charter): Promise<readonly Recipient[]> {
  const told = await documentsOf(target, charter, recipientTopic);
  const recovery = await documentsOf(target, charter, recoveryDocument.topic);
  return [...told, ...recovery]
    .flatMap(({ document, signer }) => recipientIn(document, signer) ?? [])
    .filter(
      ({ peer }) =>
        peer === recoveryDocument.name || charter.controls.some((control) => control.peer === peer),
    );
}

/**
 * Signs the version after the newest one that the node knows, and has the domain take it.
 *
 * @param what.body a function of the version, when that stands in the body, too.
 */
export async function putDocument(
  target: Target,
  charter: Charter,
  { topic, name, body }: Pick<Document, "topic" | "name" | "body">,
  signer: { readonly keys: Signer; readonly certificate: Uint8Array | null },
): Promise<number> {
  const known = await documentsOf(target, charter, topic);
  const before = known.find(({ document }) => document.name === name)?.document.version ?? 0;
  const version = before + 1;
  const made: unknown = typeof body === "function" ? await body(version) : body;
  const document = sealDocument(
    { otto: "document/1", topic, name, version, timeMs: Date.now(), body: made },
    charter.domain,
    signer,
  );
  const { certificate } = target;
  await askFor(await target.open(), { call: "put-document", certificate, document }, "done");
  return version;
}
