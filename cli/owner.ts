/** The key of a domain's owner, which stays in the hands of a person: a file that a command is given. */

import { existsSync } from "node:fs";
import { type Identity, openIdentity } from "../node/edge/identity.ts";
import { OttoError } from "../protocol/errors.ts";
import type { Charter } from "../protocol/membership.ts";
import { targetFolder, type TargetOptions } from "./target.ts";

export type OwnerOptions = TargetOptions & { readonly ownerKey?: string };

/** @param what that cannot be done without it, as the beginning of a sentence; `state` what stays as it is. */
export function ownerOf(
  options: OwnerOptions,
  charter: Pick<Charter, "owner" | "name">,
  { what, state }: { readonly what: string; readonly state: string },
): Identity {
  const owner = ownerKey(options.ownerKey ?? targetFolder(options)?.ownerKey ?? null, { what, state });
  if (owner.peer === charter.owner) return owner;
  throw new OttoError("OTTO_REFUSED", {
    what: `This key does not own domain ${charter.name}.`,
    state,
    next: "Name the file of its owner's key with --owner-key: owner.key in the founder's data folder.",
  });
}

export function ownerKey(
  path: string | null,
  { what, state }: { readonly what: string; readonly state: string },
): Identity {
  if (path !== null && existsSync(path)) return openIdentity(path);
  throw new OttoError("OTTO_REFUSED", {
    what: `${what}, and the owner's key is not here.`,
    state,
    next: "Do it on the machine that founded the domain, or name the file of its key with --owner-key.",
  });
}
