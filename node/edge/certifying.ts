/**
 * How control peers certify: the one that is asked gathers the signatures of the others, until there are more than half, and each of
 * them judges for itself what the subject has shown (`protocol/certifying.ts`).
 *
 *   asked: judge --use the invite up--> sign --ask the others--> enough --> the certificates
 *   other: judge --use the invite up--> sign
 *
 * An invite is used up in a register of the domain for one peer, so it makes no difference who has that done, and how often.
 */

import type { Certificate } from "../../protocol/certificate.ts";
import { sealCertificate } from "../../protocol/certificate.ts";
import { type CertificateClaim, type Certifying as Judged, judgeClaim } from "../../protocol/certifying.ts";
import { openEnvelope } from "../../protocol/envelope.ts";
import { OttoError } from "../../protocol/errors.ts";
import { isListed } from "../../protocol/membership.ts";
import { quorumOf, sealQuorum } from "../../protocol/quorum.ts";
import { encodeValue } from "../../protocol/values.ts";
import { askFor } from "./client.ts";
import { realClock } from "./clock.ts";
import { wordsOf } from "./error-words.ts";
import { invalid } from "./invite-code.ts";
import { rollOf } from "./membership.ts";
import type { NodeHost } from "./node-host.ts";
import { ownerOfFolder } from "./owner.ts";

export class Certifying {
  readonly #host: NodeHost;
  readonly #useInDomain: (nonce: string, peer: string) => Promise<void>;

  constructor(host: NodeHost, useInDomain: (nonce: string, peer: string) => Promise<void>) {
    this.#host = host;
    this.#useInDomain = useInDomain;
  }

  /** What a claim entitles to. Throws what its subject must know. */
  judge(claim: CertificateClaim, fromMs: number): Judged {
    const { membership, identity } = this.#host;
    const now = { wallMs: realClock.wallMs(), keys: identity };
    const judged = judgeClaim(claim, fromMs, rollOf(membership), now);
    if (judged.ok) return judged.value;
    if (claim.kind === "invite") throw invalid(judged.problem);
    throw new OttoError("OTTO_NOT_A_MEMBER", {
      what: `This certificate is not renewed: ${judged.problem}.`,
      state: "It is good until it ends, if it is good at all.",
      next: "Look at the clocks of both machines, or join anew with a code of `otto invite`.",
    });
  }

  /** As the founder, while the domain is being formed: it has the owner's key for that. */
  signAsOwner({ certificates }: Judged): readonly Uint8Array[] {
    const owner = ownerOfFolder(this.#host.folder);
    return certificates.map((one) => sealCertificate(this.#domain, one, owner));
  }

  /** This control peer's own signatures. */
  async sign(claim: CertificateClaim, fromMs: number): Promise<readonly Uint8Array[]> {
    return this.#signed(await this.#entitled(claim, fromMs));
  }

  /** With the signatures of as many control peers as it takes. */
  async certify(claim: CertificateClaim): Promise<readonly Uint8Array[]> {
    if (!isListed(this.#host.membership.charter, this.#host.identity.peer)) throw notListed();
    const fromMs = realClock.wallMs();
    const judged = await this.#entitled(claim, fromMs);
    const own = this.#signed(judged);
    const { membership, identity } = this.#host;
    const { charter } = membership;
    const others = charter.controls.map(({ peer }) => peer).filter((peer) => peer !== identity.peer);
    const wanted = quorumOf(charter) - 1;
    const gathered: (readonly Uint8Array[])[] = [own];
    const problems: string[] = [];
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (gathered.length > wanted || gathered.length + problems.length > others.length) resolve();
      };
      look();
      for (const peer of others)
        this.#askFor(peer, claim, { fromMs, certificates: judged.certificates })
          .then((signed) => gathered.push(signed))
          .catch((error: unknown) => problems.push(`${peer}: ${wordsOf(error)}`))
          .finally(look);
    });
    if (gathered.length <= wanted) throw tooFew(wanted + 1, problems);
    return judged.certificates.map((_, index) =>
      sealQuorum(gathered.slice(0, wanted + 1).flatMap((signed) => signed[index] ?? [])),
    );
  }

  /** The same invite lets one peer in, wherever it is shown. */
  async #entitled(claim: CertificateClaim, fromMs: number): Promise<Judged> {
    const judged = this.judge(claim, fromMs);
    const { used } = judged;
    if (used === null) return judged;
    await this.assertUnusedHere(used.invite.nonce, used.peer);
    await this.#useInDomain(used.invite.nonce, used.peer);
    return judged;
  }

  /** What was used while the domain was being formed is in no register of it. */
  async assertUnusedHere(nonce: string, peer: string): Promise<void> {
    const used = await this.#host.storage.get(`invite-used/${nonce}`);
    if (used !== undefined && Buffer.from(used).toString() !== peer) throw invalid("it was used before");
  }

  #signed({ certificates }: Judged): readonly Uint8Array[] {
    return certificates.map((one) => sealCertificate(this.#domain, one, this.#host.identity));
  }

  async #askFor(
    peer: string,
    claim: CertificateClaim,
    { fromMs, certificates }: { readonly fromMs: number; readonly certificates: readonly Certificate[] },
  ): Promise<readonly Uint8Array[]> {
    const { network, membership, identity } = this.#host;
    const { certificate } = membership;
    const request = { call: "certify", certificate, fromMs, claim } as const;
    const said = await askFor(await network.openCall(peer), request, "certified");
    const isSame = certificates.every((one, index) => {
      const bytes = said.certificates[index] ?? new Uint8Array();
      const opened = openEnvelope(bytes, { kind: "certificate", domain: this.#domain }, identity);
      if (!opened.ok || opened.value.envelope.signer !== peer) return false;
      return Buffer.from(opened.value.envelope.payload).equals(encodeValue(one));
    });
    if (isSame) return said.certificates;
    throw new Error("it signed something else");
  }

  get #domain(): string {
    return this.#host.membership.charter.domain;
  }
}

function notListed(): OttoError {
  return new OttoError("OTTO_UNREACHABLE", {
    what: "This control peer is not one of those that the charter lists, so what it signs lets nobody in.",
    state: "Nobody was certified; an invite is as good as it was.",
    next: "Ask another one: `otto control ls` shows them.",
  });
}

function tooFew(needed: number, problems: readonly string[]): OttoError {
  return new OttoError("OTTO_UNREACHABLE", {
    what: `It takes ${needed} control peers to certify anybody, and too few of them did (${problems.join("; ")}).`,
    state: "Nobody was certified; an invite is still good for the same machine.",
    next: "Try again when more of them are up: `otto control ls` shows which are.",
  });
}
