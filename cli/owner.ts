/**
 * The owner of a domain, whose keys stay in the hands of people: files that a command is given. Where several own it, and the keys of
 * too few of them are here, what is to be signed is written to a file for the others (`commands/sign.ts`).
 */

import { existsSync } from "node:fs";
import { type Identity, openIdentity } from "../node/edge/identity.ts";
import { ownersSigner } from "../node/edge/owner.ts";
import type { Signer } from "../protocol/envelope.ts";
import { OttoError } from "../protocol/errors.ts";
import type { Charter } from "../protocol/membership.ts";
import { targetFolder, type TargetOptions } from "./target.ts";
import { handOn } from "./to-sign.ts";

export type OwnerOptions = TargetOptions & { readonly ownerKey?: readonly string[] };

type Owned = Pick<Charter, "owner" | "owners" | "name">;
type Words = { readonly what: string; readonly state: string };

/** @param words.what cannot be done without it, as the beginning of a sentence; `state` what stays as it is. */
export function ownerOf(options: OwnerOptions, charter: Owned, words: Words): Signer {
  const { owners, name } = charter;
  const present = ownersHere(options, charter, words);
  if (owners !== undefined)
    return ownersSigner(owners, present, (bytes, signed) => handOn({ owners, name, bytes, signed }));
  const [owner] = present;
  if (owner === undefined) throw notHere(words);
  return owner;
}

/** True when nobody else has to sign. */
export function signsAlone(options: OwnerOptions, charter: Owned, words: Words): boolean {
  return ownersHere(options, charter, words).length >= (charter.owners?.threshold ?? 1);
}

/** The keys that are here, each of which is one of the owner's. Throws when there is none, or when one is somebody else's. */
function ownersHere(options: OwnerOptions, charter: Owned, words: Words): readonly Identity[] {
  const { owners, owner, name } = charter;
  const folder = targetFolder(options);
  const own = folder?.isNode === true ? (folder.config().owners?.files ?? [folder.ownerKey]) : [];
  const present = (options.ownerKey ?? own)
    .filter((path) => existsSync(path))
    .map((path) => openIdentity(path));
  if (present.length === 0) throw notHere(words);
  const keys = owners?.keys ?? [owner];
  if (present.every(({ peer }) => keys.includes(peer))) return distinct(present);
  throw new OttoError("OTTO_REFUSED", {
    what: `This key does not own domain ${name}.`,
    state: words.state,
    next:
      owners === undefined
        ? "Name the file of its owner's key with --owner-key: owner.key in the founder's data folder."
        : `Name the key of one of its owners with --owner-key: ${owners.keys.join(", ")}.`,
  });
}

function distinct(identities: readonly Identity[]): readonly Identity[] {
  return [...new Map(identities.map((one) => [one.peer, one])).values()];
}

function notHere({ what, state }: Words): OttoError {
  return new OttoError("OTTO_REFUSED", {
    what: `${what}, and the owner's key is not here.`,
    state,
    next: "Do it on the machine that founded the domain, or name the file of its key with --owner-key.",
  });
}
