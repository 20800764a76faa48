/** One run, followed through one node of a real mesh: what happens is waited for, and each thing is taken once. */

import { setTimeout as sleep } from "node:timers/promises";
import { isWatchItem, Seen } from "../../cli/follow-run.ts";
import { callFor } from "../../node/edge/client.ts";
import { DataFolder } from "../../node/edge/data-folder.ts";
import { connectLocally } from "../../node/edge/local-socket.ts";
import type { WatchItem } from "../../protocol/calls.ts";
import { OttoError } from "../../protocol/errors.ts";
import type { Event } from "../../protocol/events.ts";
import { patienceMs } from "./program.ts";

/** Follows one run through one node and lets a test wait for what happens. */
export class Watch {
  readonly events: Event[] = [];
  readonly #run: string;
  readonly #listeners = new Set<() => void>();
  #output = new Map<string, string>();
  #over: string | null = null;
  #isClosed = false;
  #abort: () => void = () => undefined;

  constructor(run: string, folder: string) {
    this.#run = run;
    this.#follow(folder).then(
      () => this.#end("the watch ended"),
      (error: unknown) => this.#end(String(error)),
    );
  }

  /** What an attempt has written so far. */
  output(step: string, attempt = 1): string {
    return this.#output.get(`${attempt}/${step}`) ?? "";
  }

  /** Resolves with the first event that fits, now or later. */
  async event<Kind extends Event["kind"]>(
    kind: Kind,
    fits: (event: Extract<Event, { kind: Kind }>) => boolean = () => true,
  ): Promise<Extract<Event, { kind: Kind }>> {
    const find = (): Event | undefined =>
      this.events.find((event) => event.kind === kind && fits(event as Extract<Event, { kind: Kind }>));
    return (await this.#until(find, kind)) as Extract<Event, { kind: Kind }>;
  }

  async closed(): Promise<string> {
    return (await this.event("run-closed")).outcome;
  }

  async wrote(step: string, text: string, attempt = 1): Promise<void> {
    const find = (): true | undefined => (this.output(step, attempt).includes(text) ? true : undefined);
    await this.#until(find, `${step} writing "${text}"`);
  }

  close(): void {
    this.#isClosed = true;
    this.#abort();
  }

  #until<Value>(find: () => Value | undefined, what: string): Promise<Value> {
    return new Promise((resolve, reject) => {
      const done = (finish: () => void): void => {
        clearTimeout(timer);
        this.#listeners.delete(look);
        finish();
      };
      const failed = (why: string): Error =>
        new Error(`Run ${this.#run}: no ${what} before ${why}. Events: ${JSON.stringify(this.events)}`);
      const look = (): void => {
        const found = find();
        const over = this.#over;
        if (found !== undefined) return done(() => resolve(found));
        if (over !== null) done(() => reject(failed(over)));
      };
      const timer = setTimeout(() => done(() => reject(failed(`${patienceMs} ms passed`))), patienceMs);
      this.#listeners.add(look);
      look();
    });
  }

  /** A node that is lost, or hands the run on to another home, is asked again: each thing is taken once. */
  async #follow(folder: string): Promise<void> {
    const seen = new Seen();
    const request = { call: "watch", certificate: null, run: this.#run, output: true, follow: true } as const;
    for (;;) {
      try {
        const channel = await connectLocally(new DataFolder(folder).socket);
        this.#abort = () => channel.abort();
        for await (const item of callFor(channel, request)) {
          const fresh = isWatchItem(item) ? seen.take(item) : null;
          if (fresh === null) continue;
          this.#take(fresh);
          for (const listener of this.#listeners) listener();
        }
      } catch (error) {
        if (!(error instanceof OttoError)) throw error;
      }
      if (this.#isClosed || this.events.some(({ kind }) => kind === "run-closed")) return;
      await sleep(100);
    }
  }

  #take(item: WatchItem): void {
    if (item.kind === "event") this.events.push(item.event);
    if (item.kind !== "output") return;
    const key = `${item.attempt}/${item.step}`;
    const before = this.#output.get(key) ?? "";
    this.#output.set(key, before + Buffer.from(item.bytes).toString());
  }

  #end(why: string): void {
    this.#over = why;
    for (const listener of this.#listeners) listener();
  }
}
