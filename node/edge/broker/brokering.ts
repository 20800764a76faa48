/**
 * All that a control peer has for credentials: its vault, its broker, its book of uses and the key that it tells.
 */

import type { Stream } from "@libp2p/interface";
import { issuerDocument } from "../../../protocol/credentials/issuer.ts";
import { secretTopic } from "../../../protocol/credentials/sealed-secret.ts";
import { documentName } from "../../../protocol/documents.ts";
import type { ControlCore } from "../../core/control.ts";
import type { UsesSeen } from "../../../protocol/calls.ts";
import { askFor } from "../client.ts";
import { realClock } from "../clock.ts";
import type { NodeHost } from "../node-host.ts";
import { Audit } from "./audit.ts";
import { Broker } from "./broker.ts";
import { OwnRecipient } from "./own-recipient.ts";
import { Vault } from "./vault.ts";

export type BrokeringSources = {
  readonly host: NodeHost;
  /** Null until the domain is formed. */
  readonly core: () => ControlCore | null;
  /** Has the domain take a document. */
  readonly put: (document: Uint8Array) => Promise<void>;
};

export class Brokering {
  readonly #host: NodeHost;
  readonly #vault: Vault;
  readonly #audit: Audit;
  readonly #broker: Broker;
  readonly #recipient: OwnRecipient;

  constructor({ host, core, put }: BrokeringSources) {
    const { folder, identity, membership } = host;
    this.#host = host;
    this.#vault = new Vault(folder.vault);
    this.#audit = new Audit(folder.audit, () => realClock.wallMs());
    const charter = () => membership.charter;
    const sources = {
      keys: identity,
      charter,
      leased: (run: string, index: number) => core()?.leasedStep(run, index) ?? null,
      whyNotPermitted: (run: string, index: number) =>
        core()?.whyNotPermitted(run, index, realClock.wallMs()) ?? null,
      secret: (name: string) => core()?.documents.get(documentName({ topic: secretTopic, name })) ?? null,
      mayExpose: (secret: string) => core()?.mayExpose(secret) ?? false,
      claims: (run: string, index: number) => core()?.stepClaims(run, index) ?? null,
      issuer: () => core()?.documents.get(documentName(issuerDocument))?.bytes ?? null,
      wallMs: () => realClock.wallMs(),
      isLed: () => (core()?.home ?? null) !== null,
      nowMs: () => realClock.monotonicMs(),
    };
    this.#broker = new Broker(sources, { vault: this.#vault, audit: this.#audit });
    const document = (name: string) => core()?.documents.get(name);
    this.#recipient = new OwnRecipient({
      identity,
      vault: this.#vault,
      folder: folder.vault,
      charter,
      document,
      put,
    });
  }

  accept(stream: Stream, worker: string): void {
    this.#broker.accept(stream, worker);
  }

  /** To be called whenever a lease may have ended. */
  recheck(): void {
    this.#broker.recheck();
  }

  /** Resolves when the domain knows what to seal secrets for, so that this control peer can open them. */
  tellRecipient(): Promise<void> {
    return this.#recipient.tell();
  }

  /** What was brokered here; and, with `all`, through each other control peer that the charter knows. */
  async *uses(all: boolean, verify: boolean): AsyncGenerator<UsesSeen, void, void> {
    const { identity, network, membership } = this.#host;
    const { peer } = identity;
    const { domain } = membership.charter;
    if (verify) {
      const chain = this.#audit.verify();
      yield { peer, uses: [], chain, book: this.#audit.signed(domain, identity) };
    } else yield { peer, uses: this.#audit.lines() };
    if (!all) return;
    for (const { peer } of membership.charter.controls) {
      if (peer === identity.peer) continue;
      const { certificate } = membership;
      const request = { call: "uses", certificate, all: false, verify } as const;
      const asked = network.openCall(peer).then((channel) => askFor(channel, request, "uses"));
      // One that is away has its book on its own disk, and is said to be missing. Whose book it is, is not for the answer to say.
      yield { ...(await asked.catch(() => ({ uses: null }))), peer };
    }
  }

  close(): void {
    this.#broker.close();
    this.#vault.close();
    this.#audit.flush();
  }
}
