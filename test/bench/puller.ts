/**
 * A worker that only claims: a real member with a real link to every control peer, whose sessions pull and pull again
 * and never execute anything.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { AddressBook } from "../../node/edge/address-book.ts";
import type { DataFolder } from "../../node/edge/data-folder.ts";
import { realClock, realRandom } from "../../node/edge/clock.ts";
import { openIdentity } from "../../node/edge/identity.ts";
import { type RealNetwork, startNetwork } from "../../node/edge/network.ts";
import { openCharter } from "../../protocol/membership.ts";
import { limits } from "../../protocol/limits.ts";
import type { LeaseRef, Message } from "../../protocol/messages.ts";
import { gapRestMs, LongestGap, type Measurement, percentile, type Shape } from "./measure.ts";
import { Disk } from "../../simulations/storage.ts";

const silenceMsMax = 20_000;

type Measured = {
  readonly target: number;
  readonly slots: number;
  granted: number;
  readonly latenciesMs: number[];
  /** How long a session rests after each grant. */
  readonly restMs: number;
  done(granted: number): void;
};

export class Puller {
  readonly #network: RealNetwork;
  readonly #linked = new Set<string>();
  /** The sessions that claim, or claimed last, and how many steps each asks for at a time. */
  #claiming: { readonly sessions: readonly string[]; readonly slots: number } = { sessions: [], slots: 1 };
  /** Steps granted since the start. */
  granted = 0;
  #home: string | null = null;
  #hadHome = false;
  #sessions = 0;
  #pulls = 0;
  #measured: Measured | null = null;
  #grantedAtMs = 0;
  /** Sessions with a pull that was not answered, how many steps each asks for, and since when. */
  readonly #outstanding = new Map<
    string,
    { readonly nonce: string; readonly slots: number; readonly sinceMs: number }
  >();
  readonly #gap = new LongestGap();
  #drained: () => void = () => undefined;
  #watching: NodeJS.Timeout | undefined;
  fail: (cause: Error) => void = () => undefined;

  private constructor(network: RealNetwork) {
    this.#network = network;
  }

  /** @param folder of a worker that has joined and does not run. */
  static async start(folder: DataFolder): Promise<Puller> {
    const identity = openIdentity(folder.key);
    const charterBytes = folder.need("charter");
    const charter = openCharter(charterBytes, null, identity);
    if (!charter.ok) throw new Error(`the charter is ${charter.problem}`);
    const early = new Set<string>();
    let puller: Puller | null = null;
    const network = await startNetwork({
      identity,
      membership: { charter: charter.value, charterBytes, certificate: folder.need("certificate") },
      listen: [],
      clock: realClock,
      random: realRandom,
      book: await AddressBook.open(new Disk().open(setImmediate), realClock),
      observer: {
        up: (peer) => puller?.up(peer) ?? early.add(peer),
        down: (peer) => puller?.down(peer) ?? early.delete(peer),
        message: (from, message) => puller?.message(from, message),
        call: (channel) => channel.abort(),
        refused: () => undefined,
        certified: () => undefined,
        charter: () => undefined,
      },
    });
    const { controls } = charter.value;
    puller = new Puller(network);
    for (const peer of early) puller.up(peer);
    for (const { peer, addresses } of controls) network.keepDialling(peer, addresses);
    while (puller.#linked.size < controls.length || puller.home === null) {
      for (const peer of puller.#linked) puller.#greet(peer, "load:0", 1);
      await sleep(50);
    }
    return puller;
  }

  /** The control peer that is home, as far as it has said so. */
  get home(): string | null {
    return this.#home;
  }

  get linked(): ReadonlySet<string> {
    return this.#linked;
  }

  up(peer: string): true {
    this.#linked.add(peer);
    for (const session of this.#claiming.sessions) this.#greet(peer, session, this.#claiming.slots);
    return true;
  }

  down(peer: string): true {
    this.#linked.delete(peer);
    if (peer === this.#home) this.#home = null;
    return true;
  }

  /** Claims at least `target` steps with so many sessions, each one pull of so many steps outstanding. */
  async measure(shape: Shape, target: number): Promise<Measurement> {
    const latenciesMs: number[] = [];
    const start = performance.now();
    const granted = await this.#claim(shape, { target, latenciesMs, restMs: 0 });
    const perSecond = (granted / (performance.now() - start)) * 1_000;
    await this.#drain();
    return { perSecond, p50Ms: percentile(latenciesMs, 50), p99Ms: percentile(latenciesMs, 99) };
  }

  /** Claims one step after the other with so many sessions while `during` goes on; the longest time without a claim. */
  async gapDuring(clients: number, during: (gap: LongestGap) => Promise<number>): Promise<number> {
    const unending = { target: Number.POSITIVE_INFINITY, latenciesMs: [], restMs: gapRestMs };
    const claiming = this.#claim({ clients, batch: 1 }, unending);
    const longest = await Promise.race([during(this.#gap), claiming]);
    this.#measured?.done(0);
    this.#measured = null;
    await this.#drain();
    return longest;
  }

  #claim(shape: Shape, how: Pick<Measured, "target" | "latenciesMs" | "restMs">): Promise<number> {
    // All of one process: what sessions of another hold is lost as soon as this one says that it is there.
    const sessions = Array.from({ length: shape.clients }, () => `load:${(this.#sessions += 1)}`);
    this.#claiming = { sessions, slots: shape.batch };
    for (const peer of this.#linked) this.up(peer);
    return new Promise((resolve, reject) => {
      this.#measured = { ...how, slots: shape.batch, granted: 0, done: resolve };
      this.#watch(reject);
      for (const session of sessions) this.#pull(session, shape.batch);
    });
  }

  /** What is still outstanding is granted, too, before anything else is measured. */
  async #drain(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#drained = resolve;
      this.#watch(reject);
      if (this.#outstanding.size === 0) resolve();
    });
    this.#unwatch();
  }

  /** From now on a silence is the end of what is being waited for. */
  #watch(reject: (cause: Error) => void): void {
    this.#unwatch();
    this.#grantedAtMs = performance.now();
    this.fail = (cause) => {
      this.#unwatch();
      reject(cause);
    };
    this.#watching = setInterval(() => {
      if (performance.now() - this.#grantedAtMs >= silenceMsMax)
        this.fail(new Error(`no claim was granted for ${silenceMsMax / 1_000} s`));
    }, 1_000);
  }

  #unwatch(): void {
    clearInterval(this.#watching);
    this.fail = () => undefined;
  }

  message(from: string, message: Message): void {
    if (message.kind === "welcome") return this.#welcome(from, message.home);
    if (message.kind !== "grant" || from !== this.#home) return;
    const session = message.nonce.slice(0, message.nonce.indexOf("/"));
    const asked = this.#outstanding.get(session);
    this.#outstanding.delete(session);
    this.granted += message.leases.length;
    this.#grantedAtMs = performance.now();
    this.#gap.mark();
    if (asked !== undefined) this.#measured?.latenciesMs.push(this.#grantedAtMs - asked.sinceMs);
    const measured = this.#measured;
    if (measured === null) {
      if (this.#outstanding.size === 0) this.#drained();
      return;
    }
    measured.granted += message.leases.length;
    if (measured.restMs > 0) this.#giveBack(message.leases);
    if (measured.granted < measured.target) {
      if (measured.restMs === 0) return this.#pull(session, measured.slots);
      setTimeout(() => this.#measured === measured && this.#pull(session, measured.slots), measured.restMs);
      return;
    }
    this.#measured = null;
    measured.done(measured.granted);
  }

  /** As a worker does, session for session: asks another home again with the same nonces, spread over a while. */
  #welcome(from: string, home: string | null): void {
    // A home that says that it is not, or not yet, has forgotten what it was asked.
    if (from === this.#home && home !== from) this.#home = null;
    if (home === null || home === this.#home || !this.#linked.has(home)) return;
    const isFirst = !this.#hadHome;
    this.#hadHome = true;
    this.#home = home;
    for (const [session, { nonce }] of this.#outstanding) {
      const jitterMs = isFirst ? 0 : Math.random() * limits.pullJitterMsMax;
      setTimeout(() => this.#ask(session, nonce, true), jitterMs);
    }
  }

  stop(): Promise<void> {
    return this.#network.stop();
  }

  #greet(peer: string, session: string, slots: number): void {
    this.#network.send(peer, { kind: "session", session, labels: [], slots, held: [] });
  }

  #pull(session: string, slots: number): void {
    this.#pulls += 1;
    const nonce = `${session}/${this.#pulls}`;
    this.#outstanding.set(session, { nonce, slots, sinceMs: performance.now() });
    this.#ask(session, nonce, false);
  }

  /** So that the domain's table stays as large as that of a few runs, however long is claimed. */
  #giveBack(granted: readonly LeaseRef[]): void {
    const leases = granted.map(({ run, index, token }) => ({ run, index, token }));
    if (this.#home !== null) this.#network.send(this.#home, { kind: "release", leases, how: "unstarted" });
  }

  #ask(session: string, nonce: string, again: boolean): void {
    const asked = this.#outstanding.get(session);
    if (this.#home === null || asked?.nonce !== nonce) return;
    const alike = asked.slots > 1 ? { alike: true } : {};
    this.#network.send(this.#home, { kind: "pull", session, nonce, slots: asked.slots, again, ...alike });
  }
}
