/**
 * What a control peer judges before it certifies anybody: each of those that sign does so for itself, from what the subject signed,
 * and makes the very same certificates of it.
 */

import { type Certificate, lifeMs } from "./certificate.ts";
import { failure, type Result, success } from "./errors.ts";
import type { Verifier } from "./envelope.ts";
import { type Invite, judgeInvite, openApplication } from "./invite.ts";
import { limits } from "./limits.ts";
import { isListed, type Roll } from "./membership.ts";
import { openRenewal } from "./renewal.ts";

/** What the subject shows: an invite, used for its keys; or the certificate that it has, which is to be renewed. */
export type CertificateClaim =
  | { readonly kind: "invite"; readonly invite: Uint8Array; readonly application: Uint8Array }
  | { readonly kind: "renewal"; readonly renewal: Uint8Array };

export type Certifying = {
  /** The subject's; and, where a machine joins, that of the person who joins with it. */
  readonly certificates: readonly Certificate[];
  /** To be used up for this peer; null: a renewal. */
  readonly used: { readonly invite: Invite; readonly peer: string } | null;
};

/**
 * The certificates that a claim entitles to.
 *
 * @param fromMs since when they are to be good, by the clock of whoever asks for signatures.
 * @returns why none, as the end of a sentence.
 */
export function judgeClaim(
  claim: CertificateClaim,
  fromMs: number,
  charter: Roll,
  now: { readonly wallMs: number; readonly keys: Verifier },
): Result<Certifying, string> {
  const { wallMs, keys } = now;
  if (Math.abs(fromMs - wallMs) > limits.signedApartMsMax) return failure("clocks are too far apart");
  const certified = (of: Pick<Certificate, "peer" | "role" | "name" | "allowed">): Certificate => ({
    otto: "certificate/1",
    peer: of.peer,
    role: of.role,
    name: of.name.slice(0, limits.nameCharactersMax),
    expiresMs: fromMs + lifeMs(of.role),
    ...(of.allowed === undefined ? {} : { allowed: of.allowed }),
  });
  if (claim.kind === "renewal") {
    const opened = openRenewal(claim.renewal, charter, wallMs, keys);
    if (!opened.ok) return failure(`the one that is to be renewed does not hold here: ${opened.problem}`);
    // The charter makes control peers. Who was taken out of it, or never came in, is one for no longer than its certificate says.
    if (opened.value.role === "control" && !isListed(charter, opened.value.peer))
      return failure("it is a control peer's, and the charter lists it as none");
    return success({ certificates: [certified(opened.value)], used: null });
  }
  const invite = judgeInvite(claim.invite, charter, wallMs, keys);
  if (!invite.ok) return invite;
  const { role, allowed, machineOnly } = invite.value;
  const application = openApplication(claim.application, invite.value, charter.domain, keys);
  if (!application.ok)
    return failure(
      application.problem === "malformed"
        ? `a name has at most ${limits.nameCharactersMax} characters, of one line`
        : "whoever shows it does not have its code",
    );
  const { peer, person, name } = application.value;
  for (const one of [peer, person])
    if (charter.revoked?.has(one) === true) return failure(`the key of ${one} was revoked`);
  const machine = certified({ peer, role, name, ...(allowed === undefined ? {} : { allowed }) });
  const own = certified({ peer: person, role: "person", name });
  const certificates = machineOnly === true ? [machine] : [machine, own];
  return success({ certificates, used: { invite: invite.value, peer } });
}
