/** A folder that holds a node is not joined with again; whoever wants to is told what it holds, and the way round. */

import type { DataFolder } from "../node/edge/data-folder.ts";
import { verifySignature } from "../node/edge/identity.ts";
import { hasEnded } from "../node/edge/renewing.ts";
import { OttoError } from "../protocol/errors.ts";
import { openCharter } from "../protocol/membership.ts";
import { shellWord, shortId } from "./words.ts";

/**
 * Lets pass what is no node's yet, and a node of this domain whose certificate has ended: it joins anew with its own key.
 *
 * @param domain the id of the one that is to be joined.
 * @throws `OTTO_FILE_EXISTS`
 */
export function assertJoinable(folder: DataFolder, domain: string): void {
  if (!folder.isNode) return;
  const charter = openCharter(folder.need("charter"), null, { verify: verifySignature });
  const isSame = charter.ok && charter.value.domain === domain;
  if (isSame && hasEnded(folder)) return;
  const { role, name } = folder.config();
  const path = shellWord(folder.path);
  const who = `${role === "control" ? "control peer" : "worker"} ${name}`;
  const whose = charter.ok ? ` of domain ${charter.value.name}` : "";
  const ids = charter.ok
    ? ` (${shortId(charter.value.domain)}), and the code is of another domain (${shortId(domain)})`
    : "";
  const another = `join with another folder (--data FOLDER), or put the old one away first: otto down --node ${path} && mv ${path} ${path}.old`;
  throw new OttoError("OTTO_FILE_EXISTS", {
    what: `${folder.path} already holds a node: ${who}${whose}${isSame ? "" : ids}.`,
    state: "Nobody joined; the code is still good.",
    next: isSame
      ? `Start it with \`otto up --data ${path}\`. Where it finds no control peer any more, as after the domain was restored from a backup: ${another}`
      : `J${another.slice(1)}`,
  });
}
