/** What a node knows of its domain, and shows to others to be let in. It changes while the node runs. */

import type { Charter, Roll } from "../../protocol/membership.ts";
import type { Revoked } from "../../protocol/revocation.ts";

export type Membership = {
  charter: Charter;
  charterBytes: Uint8Array;
  certificate: Uint8Array;
  /** Who is none of the domain any more, as far as this node has heard. */
  revoked?: Revoked;
};

/** By what certificates are judged. */
export function rollOf({ charter, revoked }: Membership): Roll {
  return revoked === undefined ? charter : { ...charter, revoked };
}
