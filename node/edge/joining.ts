/**
 * How strangers become members: invites that are good once, certificates, and the forming of a domain.
 *
 *   forming --a control peer joins the founder--> forming --the last one--> formed
 *
 * While forming, only the founder admits, as the owner that it is, and remembers used invites itself; once formed, an invite is used
 * up in a register of the domain, so it is good once wherever it is shown, and control peers certify together (`certifying.ts`).
 */

import type { AnswerItem } from "../../protocol/calls.ts";
import type { CertificateClaim } from "../../protocol/certifying.ts";
import { OttoError } from "../../protocol/errors.ts";
import { type Charter, isFormed, isListed, sealCharter } from "../../protocol/membership.ts";
import type { Request } from "../../protocol/requests.ts";
import type { Certifying } from "./certifying.ts";
import { realClock } from "./clock.ts";
import { invalid } from "./invite-code.ts";
import type { NodeHost } from "./node-host.ts";
import { ownerOfFolder } from "./owner.ts";

export class Joining {
  readonly #host: NodeHost;
  readonly #certifying: Certifying;

  constructor(host: NodeHost, certifying: Certifying) {
    this.#host = host;
    this.#certifying = certifying;
  }

  async join(
    request: Extract<Request, { call: "join" }>,
    peer: string,
  ): Promise<Extract<AnswerItem, { kind: "joined" }>> {
    const { invite, application } = request;
    const claim: CertificateClaim = { kind: "invite", invite, application };
    const judged = this.#certifying.judge(claim, realClock.wallMs());
    const { used } = judged;
    if (used === null || used.peer !== peer) throw invalid("another peer asks for whoever has its code");
    if (used.invite.role === "control" && request.addresses.length === 0) throw hasNoAddress();
    const { membership, folder } = this.#host;
    let certificates: readonly Uint8Array[];
    if (isFormed(membership.charter)) certificates = await this.#certifying.certify(claim);
    else {
      if (!folder.isOwner) throw notFounder();
      await this.#useHere(used.invite.nonce, peer);
      if (used.invite.role === "control") this.#addControl(peer, request.store, request.addresses);
      certificates = this.#certifying.signAsOwner(judged);
    }
    const [certificate = new Uint8Array(), personCertificate = null] = certificates;
    return { kind: "joined", charter: this.#host.membership.charterBytes, certificate, personCertificate };
  }

  /** Certifies once more whoever is certified now. */
  async renew(renewal: Uint8Array): Promise<Uint8Array> {
    const [certificate = new Uint8Array()] = await this.#certifying.certify({ kind: "renewal", renewal });
    return certificate;
  }

  /** Good once, and again for the same peer: its answer may have been lost on the way. */
  async #useHere(nonce: string, peer: string): Promise<void> {
    const { storage } = this.#host;
    await this.#certifying.assertUnusedHere(nonce, peer);
    await storage.write([{ kind: "put", key: `invite-used/${nonce}`, value: Buffer.from(peer) }]);
    await storage.sync();
  }

  #addControl(peer: string, store: string, addresses: readonly string[]): void {
    const { membership, folder } = this.#host;
    const { charter } = membership;
    if (isListed(charter, peer)) return;
    const controls = [...charter.controls, { peer, store, addresses }];
    const next: Charter = { ...charter, version: charter.version + 1, controls };
    this.#host.adoptCharter(sealCharter(next, ownerOfFolder(folder)), next);
  }
}

function hasNoAddress(): OttoError {
  return new OttoError("OTTO_USAGE", {
    what: "A control peer needs an address that the others can reach.",
    state: "Nobody joined.",
    next: "Join with --listen HOST:PORT.",
  });
}

function notFounder(): OttoError {
  return new OttoError("OTTO_REFUSED", {
    what: "The domain is still being formed, and only its founder admits peers until it is complete.",
    state: "Nobody joined.",
    next: "Use an invite that the founder made.",
  });
}
