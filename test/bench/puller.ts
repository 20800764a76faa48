/**
 * A worker that only claims: a real member with a real link to every control peer, whose sessions pull and pull again
 * and never execute anything.
 */

import type { DataFolder } from "../../node/edge/data-folder.ts";
import { realClock, realRandom } from "../../node/edge/clock.ts";
import { openIdentity } from "../../node/edge/identity.ts";
import { type RealNetwork, startNetwork } from "../../node/edge/network.ts";
import { openCharter } from "../../protocol/membership.ts";
import type { Message } from "../../protocol/messages.ts";

const silenceMsMax = 20_000;

type Measured = {
  readonly target: number;
  readonly slots: number;
  granted: number;
  done(granted: number): void;
};

export class Puller {
  readonly #network: RealNetwork;
  readonly #controls: readonly string[];
  /** Steps granted since the start. */
  granted = 0;
  #home: string | null = null;
  #sessions = 0;
  #pulls = 0;
  #measured: Measured | null = null;
  #grantedAtMs = 0;
  /** Sessions with a pull that was not answered, and how many steps each asks for. */
  readonly #outstanding = new Map<string, number>();
  #drained: () => void = () => undefined;
  #watching: NodeJS.Timeout | undefined;
  fail: (cause: Error) => void = () => undefined;

  private constructor(network: RealNetwork, controls: readonly string[]) {
    this.#network = network;
    this.#controls = controls;
  }

  /** @param folder of a worker that has joined and does not run. */
  static async start(folder: DataFolder): Promise<Puller> {
    const identity = openIdentity(folder.key);
    const charterBytes = folder.need("charter");
    const charter = openCharter(charterBytes, null, identity);
    if (!charter.ok) throw new Error(`the charter is ${charter.problem}`);
    const heard = new Set<string>();
    let puller: Puller | null = null;
    const network = await startNetwork({
      identity,
      membership: { charter: charter.value, charterBytes, certificate: folder.need("certificate") },
      listen: [],
      clock: realClock,
      random: realRandom,
      observer: {
        up: (peer) => void heard.add(peer),
        down: (peer) => puller?.fail(new Error(`the link to ${peer} broke`)),
        message: (from, message) => puller?.message(from, message),
        call: (channel) => channel.abort(),
        refused: () => undefined,
        certified: () => undefined,
        charter: () => undefined,
      },
    });
    const { controls } = charter.value;
    puller = new Puller(
      network,
      controls.map(({ peer }) => peer),
    );
    for (const { peer, addresses } of controls) network.keepDialling(peer, addresses);
    while (heard.size < controls.length || puller.#home === null) {
      for (const peer of heard) puller.#greet(peer, "load:0", 1);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return puller;
  }

  /** Claims at least `target` steps with so many sessions, each one pull of so many steps outstanding. Per second. */
  async rate(shape: { readonly clients: number; readonly batch: number }, target: number): Promise<number> {
    // All of one process: what sessions of another hold is lost as soon as this one says that it is there.
    const sessions = Array.from({ length: shape.clients }, () => `load:${(this.#sessions += 1)}`);
    for (const peer of this.#controls)
      for (const session of sessions) this.#greet(peer, session, shape.batch);
    const start = performance.now();
    const granted = await new Promise<number>((resolve, reject) => {
      this.#measured = { target, slots: shape.batch, granted: 0, done: resolve };
      this.#watch(reject);
      for (const session of sessions) this.#pull(session, shape.batch);
    });
    const rate = (granted / (performance.now() - start)) * 1_000;
    // What is still outstanding is granted, too, before anything else is measured.
    await new Promise<void>((resolve, reject) => {
      this.#drained = resolve;
      this.#watch(reject);
      if (this.#outstanding.size === 0) resolve();
    });
    this.#unwatch();
    return rate;
  }

  /** From now on a silence, or a broken link, is the end of what is being waited for. */
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
    this.#outstanding.delete(session);
    this.granted += message.leases.length;
    this.#grantedAtMs = performance.now();
    const measured = this.#measured;
    if (measured === null) {
      if (this.#outstanding.size === 0) this.#drained();
      return;
    }
    measured.granted += message.leases.length;
    if (measured.granted < measured.target) return this.#pull(session, measured.slots);
    this.#measured = null;
    measured.done(measured.granted);
  }

  /** Another home knows nothing of what was asked of the one before: all is asked again. */
  #welcome(from: string, home: string | null): void {
    // As a worker does: a home that says that it is not, or not yet, has forgotten what it was asked.
    if (from === this.#home && home !== from) this.#home = null;
    if (home === null || home === this.#home) return;
    this.#home = home;
    for (const [session, slots] of this.#outstanding) this.#pull(session, slots);
  }

  stop(): Promise<void> {
    return this.#network.stop();
  }

  #greet(peer: string, session: string, slots: number): void {
    this.#network.send(peer, { kind: "session", session, labels: [], slots, held: [] });
  }

  #pull(session: string, slots: number): void {
    if (this.#home === null) return;
    this.#pulls += 1;
    this.#outstanding.set(session, slots);
    this.#network.send(this.#home, {
      kind: "pull",
      session,
      nonce: `${session}/${this.#pulls}`,
      slots,
      again: false,
    });
  }
}
