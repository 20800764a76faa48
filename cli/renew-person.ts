/** A person's certificate is renewed by whatever command is used next, once a third of its life is left. */

import { askFor } from "../node/edge/client.ts";
import type { DataFolder } from "../node/edge/data-folder.ts";
import { certify } from "../node/edge/founding.ts";
import { OttoError } from "../protocol/errors.ts";
import { type Certificate, openCertificate } from "../protocol/certificate.ts";
import { type Charter, openCharter } from "../protocol/membership.ts";
import { renewFromMs, sealRenewal } from "../protocol/renewal.ts";
import { charterOfStanding, keepStanding, person } from "./person.ts";
import type { Target } from "./target.ts";
import { ownerOfFolder } from "../node/edge/owner.ts";

type Present = { readonly charter: Charter; readonly certificate: Certificate; readonly bytes: Uint8Array };

/**
 * The same target, whose person has a certificate for a while.
 *
 * @param folder of the node that is asked, when it is on this machine. Then many commands need no certificate at all.
 * @throws `OTTO_NOT_A_MEMBER`: it has ended, and the node is asked over the network.
 */
export async function renewPerson(target: Target, folder: DataFolder | null): Promise<Target> {
  const present = presentOf(target);
  if (present === null || Date.now() < renewFromMs(present.bytes, present.charter, person())) return target;
  const hasEnded = present.certificate.expiresMs < Date.now();
  try {
    if (folder?.isOwner === true) renewByOwner(folder, present);
    else if (hasEnded) throw ended(present);
    else await renewByNode(target, folder, present);
  } catch (error) {
    if (folder === null && hasEnded) throw error;
    // The command may need none; and one that does is told by the node, which judges for itself.
    if (hasEnded) process.stderr.write(`otto: ${error instanceof Error ? error.message : String(error)}\n`);
  }
  return target;
}

/** Null: this person is none of the domain, and the command may not ask for one. */
function presentOf(target: Target): Present | null {
  try {
    const { domain, certificate: bytes } = target.standing();
    const charter = charterOfStanding(domain);
    if (charter === null) return null;
    const opened = openCertificate(bytes, charter, 0, person());
    return opened.ok ? { charter, certificate: opened.value, bytes } : null;
  } catch {
    return null;
  }
}

function renewByOwner(folder: DataFolder, { charter, certificate }: Present): void {
  const { peer, role, name } = certificate;
  const next = certify(ownerOfFolder(folder), charter, { peer, role, name });
  folder.write("person.cert", next);
  keepStanding(charter, folder.need("charter"), next);
}

async function renewByNode(
  target: Target,
  folder: DataFolder | null,
  { charter, bytes }: Present,
): Promise<void> {
  const keys = person();
  const renewal = sealRenewal(Date.now(), charter.domain, { keys, certificate: bytes });
  const { certificate } = target;
  const next = await askFor(await target.open(), { call: "renew", certificate, renewal }, "certificate");
  const seen = await askFor(await target.open(), { call: "control", certificate }, "control");
  const newest = openCharter(seen.charter, charter.domain, keys);
  const opened = newest.ok ? openCertificate(next.certificate, newest.value, Date.now(), keys) : newest;
  if (!newest.ok || !opened.ok || opened.value.peer !== keys.peer) return;
  keepStanding(newest.value, seen.charter, next.certificate);
  if (folder?.read("person.cert") !== null) folder?.write("person.cert", next.certificate);
}

function ended({ charter, certificate }: Present): OttoError {
  const day = new Date(certificate.expiresMs).toISOString().slice(0, 10);
  return new OttoError("OTTO_NOT_A_MEMBER", {
    what: `This user's certificate in domain ${charter.name} ended on ${day}.`,
    state: "Nothing was done.",
    next: "Join anew with `otto join CODE`, using a code from `otto invite --role person`.",
  });
}
