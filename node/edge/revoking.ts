/**
 * How it gets about who is a peer of the domain no more: control peers hold it among the documents of the domain, and say it to
 * every worker when it is linked and when it changes. Whoever hears it checks what was signed.
 */

import { openDocument } from "../../protocol/documents.ts";
import { limits } from "../../protocol/limits.ts";
import type { Message } from "../../protocol/messages.ts";
import type { DocumentValue } from "../../protocol/registers/document.ts";
import { revocationIn, type Revocation, revocationTopic } from "../../protocol/revocation.ts";
import type { NodeHost } from "./node-host.ts";

type Revocations = Extract<Message, { kind: "revocations" }>;

/** A control peer's: says it to linked workers, to one or to all. */
export function tellRevocations(
  { network }: NodeHost,
  documents: ReadonlyMap<string, DocumentValue>,
  only: string | null = null,
): void {
  const all = [...documents].filter(([name]) => name.startsWith(`${revocationTopic}/`));
  const workers = [...network.links].filter(
    ([peer, { role }]) => role === "worker" && (only === null || peer === only),
  );
  for (let at = 0; at < all.length; at += limits.revocationsPerMessageMax) {
    const page = all.slice(at, at + limits.revocationsPerMessageMax);
    const message: Revocations = { kind: "revocations", documents: page.map(([, { bytes }]) => bytes) };
    for (const [peer] of workers) network.send(peer, message);
  }
}

/** A worker's: takes what a control peer says, if it is signed as it must be. Nothing is ever taken back. */
export function hearRevocations(host: NodeHost, from: string, { documents }: Revocations): void {
  const { membership, identity, refused } = host;
  const count = (because: Parameters<typeof refused.set>[0]): void =>
    void refused.set(because, (refused.get(because) ?? 0) + 1);
  if (host.network.links.get(from)?.role !== "control") return count("role");
  const revoked = new Map<string, Revocation>(membership.revoked);
  for (const bytes of documents) {
    const opened = openDocument(bytes, membership.charter, identity);
    const revocation = opened.ok ? revocationIn(opened.value) : null;
    if (revocation === null) count(opened.ok ? "malformed" : opened.problem);
    else revoked.set(revocation.peer, revocation);
  }
  if (revoked.size > (membership.revoked?.size ?? 0)) host.revoke(revoked);
}
