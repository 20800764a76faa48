/** Which calls are for some roles alone. */

import { OttoError } from "../../protocol/errors.ts";
import type { Role } from "../../protocol/membership.ts";
import type { Request } from "../../protocol/requests.ts";

/**
 * Over the network not everybody asks everything; over the local socket whoever the machine lets does. A worker hands on what is
 * asked at its own socket, so whoever is at its machine asks a control peer for what is a control peer's.
 */
const reserved: Partial<Record<Request["call"], readonly Role[]>> = {
  stop: [],
  backup: [],
  "use-invite": ["control"],
  certify: ["control"],
};

/** Null: the call is for this role, too. */
export function whyReserved(call: Request["call"], role: Role): OttoError | null {
  const roles = Object.hasOwn(reserved, call) ? reserved[call] : undefined;
  if (roles === undefined || roles.includes(role)) return null;
  const who = roles.length === 0 ? "nobody over the network" : `a ${roles.join(" or a ")}`;
  return new OttoError("OTTO_NOT_A_MEMBER", {
    what: `The call ${call} is for ${who}, and this came from a ${role}.`,
    state: "Nothing was done.",
    next:
      roles.length === 0
        ? "Ask on the machine of the node itself, with --node."
        : "Ask a control peer as a person of the domain, with --peer, or on its own machine.",
  });
}
