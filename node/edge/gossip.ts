/**
 * Announcements to the whole domain by gossipsub: a hint that hurries what anti-entropy would bring anyway. Peers that are
 * linked are told directly, and at once.
 *
 * What is said within a second leaves as one signed piece: every peer of the mesh checks each piece once, and every
 * link carries it a few times, so that a thousand pieces would cost what twenty do not. What is checked is remembered
 * for as long as it is handed on, and certificates until the charter changes.
 */

import { hash } from "node:crypto";
import { type GossipSub, TopicValidatorResult } from "@libp2p/gossipsub";
import { equals } from "uint8arrays/equals";
import { type Announcements, openAnnouncements, sealAnnouncements } from "../../protocol/announcement.ts";
import type { RefusedBecause } from "../../protocol/envelope.ts";
import { failure, type Result, success } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { type Certificate, openCertificate } from "../../protocol/certificate.ts";
import type { Message } from "../../protocol/messages.ts";
import type { Clock, Timer } from "../ports.ts";
import type { Identity } from "./identity.ts";
import { type Membership, rollOf } from "./membership.ts";

export type GossipOptions = {
  readonly pubsub: GossipSub;
  readonly topic: string;
  readonly identity: Identity;
  readonly membership: Membership;
  readonly clock: Clock;
  readonly heard: (from: string, message: Message) => void;
  readonly refused: (because: RefusedBecause) => void;
};

type Remembered = {
  readonly bytes: Uint8Array;
  readonly charter: number;
  readonly revoked: Membership["revoked"];
  readonly certificate: Certificate;
};

/** A signed announcement, its certificate and its nonce take less than this beside the messages. */
const sealBytesMax = 4 * 1_024;

export class Gossip {
  readonly #options: GossipOptions;
  readonly #certificates = new Map<string, Remembered>();
  /** What was found to hold, until it is handed on. */
  readonly #opened = new WeakMap<Uint8Array, Announcements>();
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #timer: Timer | null = null;
  #sealed = 0;

  constructor(options: GossipOptions) {
    this.#options = options;
    const { pubsub, topic } = options;
    pubsub.topicValidators.set(topic, (_from, { data }) => this.#validate(data));
    pubsub.addEventListener("message", ({ detail }) => {
      if (detail.topic === topic) this.#take(detail.data);
    });
    pubsub.subscribe(topic);
  }

  /**
   * Says it to everybody, with whatever else is said within a second: on a busy machine, too, where what leaves at once
   * would leave piece by piece.
   */
  publish(message: Uint8Array): void {
    const room = limits.gossipBytesMax - sealBytesMax;
    if (message.length > room) return this.#options.refused("oversized");
    const isFull =
      this.#waitingBytes + message.length > room || this.#waiting.length >= limits.announcementsGatheredMax;
    if (isFull) this.#flush();
    this.#waiting.push(message);
    // A list's head and the head of its longest item, in CBOR.
    this.#waitingBytes += message.length + 5;
    this.#timer ??= this.#options.clock.setTimer(limits.announcementsGatherMs, () => {
      this.#timer = null;
      this.#flush();
    });
  }

  close(): void {
    this.#timer?.cancel();
  }

  #flush(): void {
    const { pubsub, topic, identity, membership, clock, refused } = this.#options;
    this.#sealed += 1;
    const bytes = sealAnnouncements(this.#waiting, {
      domain: membership.charter.domain,
      signer: identity,
      certificate: membership.certificate,
      nonce: `${clock.wallMs()}.${this.#sealed}`,
    });
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (bytes.length > limits.gossipBytesMax) return refused("oversized");
    // Gossip is a hint: whoever misses it learns by anti-entropy.
    pubsub.publish(topic, bytes).catch(() => refused("flood"));
  }

  #validate(data: Uint8Array): TopicValidatorResult {
    const { membership, identity, refused } = this.#options;
    const opened = openAnnouncements(data, {
      domain: membership.charter.domain,
      keys: identity,
      certified: (bytes) => this.#certified(bytes),
    });
    if (opened.ok) {
      this.#opened.set(data, opened.value);
      return TopicValidatorResult.Accept;
    }
    refused(opened.problem);
    return TopicValidatorResult.Reject;
  }

  #take(data: Uint8Array): void {
    const opened = this.#opened.get(data);
    this.#opened.delete(data);
    for (const message of opened?.messages ?? []) this.#options.heard(opened?.from ?? "", message);
  }

  /** Opened once, and then again when it has expired, or when it is to be judged by a newer charter or with others revoked. */
  #certified(bytes: Uint8Array): Result<Certificate, RefusedBecause> {
    const { membership, identity, clock } = this.#options;
    const { charter, revoked } = membership;
    const wallMs = clock.wallMs();
    const digest = hash("sha256", bytes);
    const known = this.#certificates.get(digest);
    const holds =
      known !== undefined &&
      equals(known.bytes, bytes) &&
      known.charter === charter.version &&
      known.revoked === revoked &&
      known.certificate.expiresMs >= wallMs;
    if (holds) return success(known.certificate);
    const opened = openCertificate(bytes, rollOf(membership), wallMs, identity);
    if (!opened.ok) return failure(opened.problem);
    if (this.#certificates.size >= limits.certificatesRememberedMax) this.#certificates.clear();
    this.#certificates.set(digest, { bytes, charter: charter.version, revoked, certificate: opened.value });
    return opened;
  }
}
