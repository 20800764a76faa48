/** What a node knows of its domain, and shows to others to be let in. It changes while the node runs. */

import type { Verifier } from "../../protocol/envelope.ts";
import { openCertificate } from "../../protocol/certificate.ts";
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

/** When the node's own certificate ends, in wall-clock time; null: it is none. */
export function endOf({ certificate, charter }: Membership, keys: Verifier): number | null {
  const opened = openCertificate(certificate, charter, 0, keys);
  return opened.ok ? opened.value.expiresMs : null;
}
