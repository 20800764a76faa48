/** Decoders of what makes somebody a member, or the owner, and of books of uses, for `fuzz.ts`. */

import { signBook, verifyBook } from "../node/verify/audit-book.ts";
import { openCertificate, sealCertificate } from "../protocol/certificate.ts";
import { judgeClaim } from "../protocol/certifying.ts";
import { statementIn } from "../protocol/envelope.ts";
import { limits } from "../protocol/limits.ts";
import { type Invite, openApplication, sealApplication, sealInvite } from "../protocol/invite.ts";
import type { Charter } from "../protocol/membership.ts";
import { type Owners, ownersId, sealOwnersSignature, verifyOwners } from "../protocol/owners.ts";
import { sealQuorum } from "../protocol/quorum.ts";
import type { Target } from "./fuzz-target.ts";
import { simulatedKeys } from "./keys.ts";
import { certificateOf, startWallMs } from "./workload.ts";

/** Every signature holds. */
const keys = { verify: () => true };

export function trustTargets(charter: Charter): readonly Target[] {
  const { domain, controls } = charter;
  const [owner, person, invited] = ["owner", "person", "invited"].map((name) => simulatedKeys(name)) as [
    ReturnType<typeof simulatedKeys>,
    ReturnType<typeof simulatedKeys>,
    ReturnType<typeof simulatedKeys>,
  ];
  const certificate = {
    otto: "certificate/1",
    peer: person.peer,
    role: "person",
    name: "ada",
    expiresMs: startWallMs + limits.dayMs,
  } as const;
  const signers = controls.map((_, index) => simulatedKeys(`control${index}`));
  const quorum = sealQuorum(signers.map((signer) => sealCertificate(domain, certificate, signer)));
  const invite: Invite = {
    otto: "invite/1",
    nonce: invited.peer,
    role: "worker",
    expiresMs: startWallMs + limits.inviteMsDefault,
    allowed: { labels: ["gpu"], sandbox: "S2" },
    addresses: ["/ip4/1.2.3.4"],
  };
  const shown = certificateOf(charter, person.peer, "person");
  const code = sealInvite(domain, invite, { keys: person, certificate: shown });
  const applied = { otto: "application/1", peer: person.peer, person: person.peer, name: "w" } as const;
  const application = sealApplication(domain, applied, invited);
  const owners: Owners = { threshold: 1, keys: [owner.peer, person.peer].toSorted() };
  const bytes = new TextEncoder().encode(`DSSEv1 60 otto/charter/1;domain=${"0".repeat(32)} 1 x`);
  const signature = sealOwnersSignature(owners, new Map([[owner.peer, owner.sign(bytes)]]));
  const lines = ['{"before":""}'];
  const book = signBook(lines, { last: "", atMs: startWallMs }, domain, signers[0] ?? owner);
  const now = { wallMs: startWallMs, keys };
  return [
    {
      name: "certificates of several",
      valid: [quorum],
      decode: (found) => openCertificate(found, charter, 0, keys),
    },
    {
      name: "uses of invites",
      valid: [code],
      decode: (found) =>
        judgeClaim({ kind: "invite", invite: found, application }, startWallMs, charter, now),
    },
    {
      name: "applications",
      valid: [application],
      decode: (found) => openApplication(found, invite, domain, keys),
    },
    {
      name: "signatures of owners",
      valid: [signature],
      decode: (found) => verifyOwners(ownersId(owners), bytes, found, keys.verify),
    },
    { name: "statements to be signed", valid: [bytes], decode: statementIn },
    {
      name: "ends of books",
      valid: [book.end],
      decode: (end) => verifyBook(signers[0]?.peer ?? "", { end, lines }, charter, keys),
    },
  ];
}
