/**
 * A node's certificate, renewed by itself: from when a third of its life is left, at a moment of its own, the node asks a control
 * peer for the next one, keeps it, and shows it to everybody that it is linked to.
 *
 * A control peer that the charter lists signs its own: that it is one is the owner's word, and the certificate adds nothing to it. One
 * that it does not list, or no more, has what it came with, until that ends.
 */

import { askFor } from "./client.ts";
import { realClock, realRandom } from "./clock.ts";
import { wordsOf } from "./error-words.ts";
import type { DataFolder } from "./data-folder.ts";
import { certify } from "./founding.ts";
import { type Identity, verifySignature } from "./identity.ts";
import type { Membership } from "./membership.ts";
import type { RealNetwork } from "./network.ts";
import { OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { type Certificate, lifeMs, openCertificate } from "../../protocol/certificate.ts";
import { type Charter, isListed, openCharter } from "../../protocol/membership.ts";
import { renewFromMs, sealRenewal } from "../../protocol/renewal.ts";
import type { Timer } from "../ports.ts";

type RenewingOptions = {
  readonly folder: DataFolder;
  readonly identity: Identity;
  readonly membership: Membership;
  readonly network: Pick<RealNetwork, "links" | "openCall" | "greetAgain">;
};

export class Renewing {
  readonly #options: RenewingOptions;
  /** Nodes that were certified in the same moment are not renewed in the same one. */
  readonly #jitterMs = realRandom.integer(limits.workerCertificateMs / 12);
  #timer: Timer | null = null;
  #isAsking = false;
  #hasSaidEnd = false;
  #stopped = false;

  constructor(options: RenewingOptions) {
    this.#options = options;
  }

  /** Looks whether it is time; and again later. */
  look(): void {
    this.#timer?.cancel();
    if (this.#stopped) return;
    const { membership, identity } = this.#options;
    const fromMs = renewFromMs(membership.certificate, membership.charter, identity);
    const nowMs = realClock.wallMs();
    const dueMs = fromMs === 0 ? 0 : fromMs + this.#jitterMs;
    const isDue = nowMs >= dueMs;
    const againMs = isDue ? limits.renewAgainMs : Math.min(dueMs - nowMs, limits.renewLookMs);
    this.#timer = realClock.setTimer(againMs, () => this.look());
    if (!isDue || this.#isAsking) return;
    this.#sayEnd(nowMs);
    this.#isAsking = true;
    this.#renew()
      .catch((error: unknown) =>
        process.stderr.write(`otto: the certificate was not renewed: ${wordsOf(error)}\n`),
      )
      .finally(() => (this.#isAsking = false));
  }

  /** Nobody takes it any more: whoever started the node has to know. */
  #sayEnd(nowMs: number): void {
    const { membership, identity, folder } = this.#options;
    const opened = openCertificate(membership.certificate, membership.charter, 0, identity);
    if (this.#hasSaidEnd || !opened.ok || opened.value.expiresMs >= nowMs) return;
    this.#hasSaidEnd = true;
    const { message, next } = notAMember(opened.value, membership.charter, folder);
    process.stderr.write(`otto: ${message} ${next}\n`);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #renew(): Promise<void> {
    const { membership, identity, network, folder } = this.#options;
    const own = certifiedByItself(folder, identity, membership.charter);
    // Any of those that certify: one of them that answers nothing that holds is not asked for ever.
    const controls = [...network.links.keys()].filter((peer) => isListed(membership.charter, peer));
    const control = controls[realRandom.integer(Math.max(1, controls.length))];
    // It is tried again: what lacks is a link, or that the charter lists this control peer, whose certificate nobody else renews.
    const isRenewed = control !== undefined && folder.config().role !== "control";
    if (own === null && !isRenewed) return;
    const next = own ?? (await this.#asked(control ?? ""));
    if (this.#stopped) return;
    folder.write("certificate", next);
    membership.certificate = next;
    network.greetAgain();
  }

  async #asked(control: string): Promise<Uint8Array> {
    const { membership, identity, network } = this.#options;
    const { certificate, charter } = membership;
    const shown = { keys: identity, certificate };
    const renewal = sealRenewal(realClock.wallMs(), charter.domain, shown);
    const request = { call: "renew", certificate, renewal } as const;
    const answer = await askFor(await network.openCall(control), request, "certificate");
    const opened = openCertificate(answer.certificate, charter, realClock.wallMs(), identity);
    if (opened.ok && opened.value.peer === identity.peer) return answer.certificate;
    throw new Error(`what ${control} answered is none of this node's`);
  }
}

/** Null: the charter does not name the node, so others have to. */
function certifiedByItself(folder: DataFolder, identity: Identity, charter: Charter): Uint8Array | null {
  const { peer } = identity;
  if (!isListed(charter, peer)) return null;
  return certify(identity, charter, { peer, role: "control", name: folder.config().name });
}

/**
 * The certificate that a node begins with.
 *
 * @throws `OTTO_NOT_A_MEMBER`: it was away for longer than its certificate was good.
 */
export function certificateAtStart(folder: DataFolder, identity: Identity, charter: Charter): Uint8Array {
  const bytes = folder.need("certificate");
  const opened = openCertificate(bytes, charter, 0, identity);
  if (!opened.ok || opened.value.expiresMs >= realClock.wallMs()) return bytes;
  const own = certifiedByItself(folder, identity, charter);
  if (own !== null) {
    folder.write("certificate", own);
    return own;
  }
  throw notAMember(opened.value, charter, folder);
}

function notAMember({ name, role, expiresMs }: Certificate, charter: Charter, folder: DataFolder): OttoError {
  return new OttoError("OTTO_NOT_A_MEMBER", {
    what: `The certificate of ${role} ${name} ended on ${new Date(expiresMs).toISOString().slice(0, 10)}: it was away for longer than the ${lifeMs(role) / limits.dayMs} days that one is good.`,
    state: "The node was not started; what is in its folder is kept.",
    next: `Let it join anew: \`otto invite\` on a node of domain ${charter.name}, and here \`otto join CODE --data ${folder.path}\`.`,
  });
}

/** True for the folder of a node that may join anew, since its certificate has ended. */
export function hasEnded(folder: DataFolder): boolean {
  const keys = { verify: verifySignature };
  const charter = openCharter(folder.need("charter"), null, keys);
  const opened = charter.ok ? openCertificate(folder.need("certificate"), charter.value, 0, keys) : charter;
  return opened.ok && opened.value.expiresMs < realClock.wallMs();
}
