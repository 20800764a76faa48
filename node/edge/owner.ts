/** The owner of a domain as a signer: one key, or as many of several as it takes (`protocol/owners.ts`). */

import { existsSync } from "node:fs";
import type { Signer } from "../../protocol/envelope.ts";
import { OttoError } from "../../protocol/errors.ts";
import { type Owners, ownersId, sealOwnersSignature } from "../../protocol/owners.ts";
import type { DataFolder, NodeConfig } from "./data-folder.ts";
import { type Identity, openIdentity } from "./identity.ts";

/**
 * Signs as the owners together.
 *
 * @param present those of them whose keys are here.
 * @param tooFew what becomes of bytes that not enough of them have signed; throws what people must do then.
 */
export function ownersSigner(
  owners: Owners,
  present: readonly Identity[],
  tooFew: (bytes: Uint8Array, signed: ReadonlyMap<string, Uint8Array>) => never,
): Signer {
  return {
    peer: ownersId(owners),
    sign(bytes) {
      const own = present.filter(({ peer }) => owners.keys.includes(peer));
      const signed = new Map(own.map((one) => [one.peer, one.sign(bytes)]));
      return signed.size < owners.threshold ? tooFew(bytes, signed) : sealOwnersSignature(owners, signed);
    },
  };
}

export function ownersOf({ threshold, keys }: Owners): Owners {
  return { threshold, keys };
}

/** As the founder's folder says: its key, or those of several owners, which are here while the domain is being formed. */
export function ownerOfFolder(folder: DataFolder, config: NodeConfig = folder.config()): Signer {
  const { owners, ownerKey } = config;
  if (owners === undefined) return openIdentity(ownerKey ?? folder.ownerKey);
  const present = owners.files.filter((file) => existsSync(file)).map((file) => openIdentity(file));
  return ownersSigner(ownersOf(owners), present, (_, { size }) => {
    throw new OttoError("OTTO_REFUSED", {
      what: `It takes ${owners.threshold} of the domain's owners, and the keys of ${size} are here.`,
      state: "Nothing was signed.",
      next: `Put them where they were: ${owners.files.join(", ")}.`,
    });
  });
}
