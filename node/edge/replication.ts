/**
 * Copies of what steps left behind, for a control peer that was not there: a worker hands logs and outputs to a majority
 * of the control peers of its time, and when those are replaced one after another the files have to move on, too.
 *
 *   told of an attempt that ended before this process began --wanted, on disk--> brought, or given up after many tries
 *
 * One file set after another, behind everything else that this peer does.
 */

import type { Event } from "../../protocol/events.ts";
import { limits } from "../../protocol/limits.ts";
import type { StepReport } from "../../protocol/report.ts";
import type { Clock, Storage, Timer } from "../ports.ts";
import type { Blobs } from "./blobs.ts";

const wantedKey = "wanted/";

/** A log is one file; an output is a tree of them. */
type Wanted = { readonly kind: "log" | "tree"; readonly digest: string };

export type ReplicationOptions = {
  readonly blobs: Pick<Blobs, "has">;
  readonly storage: Pick<Storage, "list" | "write">;
  readonly clock: Pick<Clock, "wallMs" | "setTimer">;
  /** Each brings all files of what is wanted here, or throws. */
  readonly bring: Readonly<Record<Wanted["kind"], (digest: string) => Promise<void>>>;
  readonly failed: (cause: unknown) => void;
};

export class Replication {
  readonly #options: ReplicationOptions;
  readonly #sinceMs: number;
  /** By their keys, with how often each was tried in vain. */
  readonly #wanted = new Map<string, { readonly what: Wanted; tries: number }>();
  #isBusy = false;
  #again: Timer | null = null;
  #isOver = false;

  constructor(options: ReplicationOptions) {
    this.#options = options;
    this.#sinceMs = options.clock.wallMs();
  }

  /** Goes on with what an earlier process had not brought. */
  async start(): Promise<void> {
    for (const [key] of await this.#options.storage.list(wantedKey)) {
      const [, kind, digest = ""] = key.split("/");
      if (kind === "log" || kind === "tree") this.#wanted.set(key, { what: { kind, digest }, tries: 0 });
    }
    this.#goOn();
  }

  /** What this peer had not known: of attempts that ended before its time it may lack the files. */
  heard(events: readonly Event[]): void {
    const added = new Map<string, Wanted>();
    for (const event of events) {
      if (event.kind !== "attempt-ended" || event.report === null || event.timeMs >= this.#sinceMs) continue;
      for (const what of filesOf(event.report)) {
        const key = `${wantedKey}${what.kind}/${what.digest}`;
        const isHere = what.kind === "log" && this.#options.blobs.has(what.digest);
        if (!isHere && !this.#wanted.has(key)) added.set(key, what);
      }
    }
    const room = limits.replicatedWaitingMax - this.#wanted.size;
    const taken = [...added].slice(0, Math.max(0, room));
    if (taken.length === 0) return;
    for (const [key, what] of taken) this.#wanted.set(key, { what, tries: 0 });
    const operations = taken.map(([key]) => ({ kind: "put", key, value: new Uint8Array() }) as const);
    this.#options.storage.write(operations).then(
      () => this.#goOn(),
      (cause: unknown) => this.#options.failed(cause),
    );
  }

  /** Somebody is there who may have what nobody had. */
  peerUp(): void {
    this.#goOn();
  }

  stop(): void {
    this.#isOver = true;
    this.#again?.cancel();
  }

  #goOn(): void {
    if (this.#isBusy || this.#isOver || this.#wanted.size === 0) return;
    this.#isBusy = true;
    this.#again?.cancel();
    this.#again = null;
    this.#bringAll().then(
      () => {
        this.#isBusy = false;
        if (this.#wanted.size > 0 && !this.#isOver)
          this.#again = this.#options.clock.setTimer(limits.replicateAgainMs, () => this.#goOn());
      },
      (cause: unknown) => this.#options.failed(cause),
    );
  }

  /** Each once; whatever could not be had stays for the next time, until there were enough of them. */
  async #bringAll(): Promise<void> {
    for (const [key, wanted] of this.#wanted) {
      if (this.#isOver) return;
      const { kind, digest } = wanted.what;
      let isDone = true;
      try {
        await this.#options.bring[kind](digest);
      } catch {
        wanted.tries += 1;
        isDone = wanted.tries >= limits.replicateTriesMax;
      }
      if (!isDone) continue;
      this.#wanted.delete(key);
      await this.#options.storage.write([{ kind: "delete", key }]);
    }
  }
}

function filesOf(report: StepReport): Wanted[] {
  const log: Wanted[] = report.log.digest === null ? [] : [{ kind: "log", digest: report.log.digest }];
  return [...log, ...report.outputs.map(({ tree }): Wanted => ({ kind: "tree", digest: tree }))];
}
