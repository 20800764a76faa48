/**
 * The container images that a worker has unpacked, each as a folder that a sandbox takes as its root, by its digest.
 *
 *   images / DIGEST / root, config.json, about.json
 *   images / temporary                what is being brought or deleted
 *
 * Promises: an image is there whole or not at all, also after a crash: it is brought elsewhere, made durable and renamed. One that
 * is here is used without asking anybody, unless it was given to a credential: then its registry says each time who may have it. Who wants the same at once waits for the same; it is brought for as long as somebody
 * waits. All of them together stay within a bound and a part of their disk, but for those in use. Only the one process that has the folder uses it.
 */

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statfsSync,
  statSync,
  utimesSync,
} from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { decodeImageConfig } from "../../../../protocol/image-documents.ts";
import type { ImageName } from "../../../../protocol/image-name.ts";
import { limits } from "../../../../protocol/limits.ts";
import { compareText } from "../../../../protocol/values.ts";
import { wordsOf } from "../../error-words.ts";
import { Unprepared } from "../ends.ts";
import {
  type ImageBounds,
  imageBounds,
  ImageProblem,
  type ImageWay,
  passingProblem,
} from "./image-messages.ts";
import { runImageTask } from "./image-task.ts";

export type Image = {
  /** Absolute; whoever uses it changes nothing in it. */
  readonly root: string;
  /** Variables that the image sets for what runs in it. */
  readonly environment: Readonly<Record<string, string>>;
  /** To be called once the image is not used any more: until then it stays. */
  release(): void;
};

type Kept = {
  readonly folder: string;
  readonly bytes: number;
  /** True when its registry does not give it to everybody: whoever wants it is to be given it there, each time. */
  readonly isPrivate: boolean;
  usedMs: number;
  uses: number;
};

type Waiter = { readonly said: (line: string) => void };

type Wish = { readonly signal: AbortSignal; readonly said: (line: string) => void };

type Arrival = {
  readonly name: ImageName;
  readonly way: ImageWay | null;
  readonly waiters: Set<Waiter>;
  readonly stop: AbortController;
  readonly done: Promise<void>;
};

const digest = /^[0-9a-f]{64}$/;
const aboutFile = "about.json";

export class ImageStore {
  readonly #folder: string;
  readonly #bounds: ImageBounds;
  readonly #kept = new Map<string, Kept>();
  readonly #arriving = new Map<string, Arrival>();
  /** Images that wait until fewer are being brought. */
  readonly #queue: (() => void)[] = [];
  readonly #closing = new AbortController();
  readonly #work = new Set<Promise<void>>();
  #running = 0;
  #made = 0;
  #isOpen = false;

  /** @param options.bounds those that are not `limits`. */
  constructor(options: { readonly folder: string; readonly bounds?: Partial<ImageBounds> }) {
    this.#folder = resolve(options.folder);
    this.#bounds = { ...imageBounds, ...options.bounds };
  }

  /**
   * @throws an `Error` that says in one sentence which image cannot be used, why, and what to do: `Unprepared` when it may be had
   * another time or elsewhere; or the signal's reason.
   */
  async bring(
    name: ImageName,
    { signal, said, way = null }: Wish & { readonly way?: ImageWay | null },
  ): Promise<Image> {
    try {
      if (!this.#isOpen) this.#open();
      for (;;) {
        signal.throwIfAborted();
        const kept = this.#find(name.sha256);
        if (kept !== null) {
          if (kept.isPrivate) await this.#check(name, way, { signal, said });
          // It may have had to make room meanwhile.
          if (this.#find(name.sha256) === kept) return this.#give(kept);
          continue;
        }
        const arrival = this.#arriving.get(name.sha256) ?? this.#begin(name, way);
        try {
          await wait(arrival, { signal, said });
        } catch (error) {
          // That another registry does not have it, or does not give it to another, says nothing of this one.
          if (signal.aborted || (isSamePlace(arrival.name, name) && isSameWay(arrival.way, way))) throw error;
        }
      }
    } catch (error) {
      signal.throwIfAborted();
      throw sentence(name, error);
    }
  }

  /** Ends what is being brought, and waits for what is being deleted. */
  async close(): Promise<void> {
    this.#closing.abort(passingProblem("this worker ends", "start the run again"));
    while (this.#work.size > 0) await Promise.allSettled(this.#work);
  }

  #open(): void {
    // Programs of other users, in sandboxes, have it as their root.
    mkdirSync(this.#folder, { recursive: true });
    chmodSync(this.#folder, 0o711);
    mkdirSync(this.#temporary, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.#temporary)) this.#remove(join(this.#temporary, name));
    for (const name of readdirSync(this.#folder)) {
      const folder = join(this.#folder, name);
      if (folder === this.#temporary) continue;
      const kept = digest.test(name) ? keptIn(folder) : null;
      if (kept === null) this.#remove(folder);
      else this.#kept.set(name, kept);
    }
    this.#isOpen = true;
    this.#makeRoom(null);
  }

  get #temporary(): string {
    return join(this.#folder, "temporary");
  }

  #find(sha256: string): Kept | null {
    const kept = this.#kept.get(sha256);
    if (kept === undefined) return null;
    if (existsSync(join(kept.folder, "root")) && existsSync(join(kept.folder, "config.json"))) return kept;
    this.#kept.delete(sha256);
    return null;
  }

  #give(kept: Kept): Image {
    const config = decodeImageConfig(readFileSync(join(kept.folder, "config.json")));
    if (!config.ok) throw passingProblem(config.problem, `remove the folder ${kept.folder}`);
    kept.uses += 1;
    kept.usedMs = Date.now();
    utimesSync(join(kept.folder, aboutFile), kept.usedMs / 1_000, kept.usedMs / 1_000);
    let isInUse = true;
    const release = (): void => {
      if (!isInUse) return;
      isInUse = false;
      kept.uses -= 1;
      this.#makeRoom(null);
    };
    return { root: join(kept.folder, "root"), environment: config.value.environment, release };
  }

  async #check(name: ImageName, way: ImageWay | null, wish: Wish): Promise<void> {
    const signal = AbortSignal.any([wish.signal, this.#closing.signal]);
    await runImageTask({ kind: "check", name, way, bounds: this.#bounds }, { ...wish, signal });
  }

  #begin(name: ImageName, way: ImageWay | null): Arrival {
    const stop = new AbortController();
    const waiters = new Set<Waiter>();
    const signal = AbortSignal.any([stop.signal, this.#closing.signal]);
    const done = this.#arrive({ name, way }, signal, (line) => {
      for (const waiter of waiters) waiter.said(line);
    });
    const arrival: Arrival = { name, way, waiters, stop, done };
    this.#arriving.set(name.sha256, arrival);
    const over = (): void => {
      if (this.#arriving.get(name.sha256) === arrival) this.#arriving.delete(name.sha256);
    };
    // When the last that waited goes, the next that comes begins anew.
    stop.signal.addEventListener("abort", over, { once: true });
    this.#own(done.then(over, over));
    return arrival;
  }

  async #arrive(
    { name, way }: Pick<Arrival, "name" | "way">,
    signal: AbortSignal,
    said: (line: string) => void,
  ): Promise<void> {
    await this.#turn();
    this.#made += 1;
    const folder = join(this.#temporary, `${process.pid}-${this.#made}`);
    try {
      signal.throwIfAborted();
      await mkdir(folder, { mode: 0o755 });
      const roomBytes = this.#diskBytesMax() - this.#usedBytes();
      const task = { kind: "bring", name, way, folder, roomBytes, bounds: this.#bounds } as const;
      await runImageTask(task, { signal, said });
      this.#add(name.sha256, folder);
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#running -= 1;
      else next();
      if (existsSync(folder)) this.#remove(folder);
    }
  }

  async #turn(): Promise<void> {
    if (this.#running < limits.imagesBroughtAtOnceMax) {
      this.#running += 1;
      return;
    }
    // Whoever ends gives its place to the next.
    await new Promise<void>((resolve) => {
      this.#queue.push(resolve);
    });
  }

  #add(sha256: string, made: string): void {
    const folder = join(this.#folder, sha256);
    if (existsSync(folder)) this.#remove(folder);
    renameSync(made, folder);
    const kept = keptIn(folder);
    if (kept === null) throw new Error("Bug: an image that is not whole");
    this.#kept.set(sha256, kept);
    this.#makeRoom(sha256);
  }

  /** What all images may have of the disk that they are on. */
  #diskBytesMax(): number {
    const { bavail, bsize } = statfsSync(this.#folder);
    const held = [...this.#kept.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    return Math.floor(((bavail * bsize + held) * this.#bounds.imagesDiskPercentMax) / 100);
  }

  /** Of those that cannot go. */
  #usedBytes(): number {
    return [...this.#kept.values()].reduce((sum, { bytes, uses }) => sum + (uses > 0 ? bytes : 0), 0);
  }

  /** @param fresh who waits for it is about to take it. */
  #makeRoom(fresh: string | null): void {
    const byUse = [...this.#kept].sort(
      ([left, { usedMs: leftMs }], [right, { usedMs: rightMs }]) =>
        leftMs - rightMs || compareText(left, right),
    );
    const bytesMax = Math.min(this.#bounds.imagesBytesMax, this.#diskBytesMax());
    let total = byUse.reduce((sum, [, { bytes }]) => sum + bytes, 0);
    for (const [sha256, { folder, bytes, uses }] of byUse) {
      if (total <= bytesMax) break;
      if (uses > 0 || sha256 === fresh) continue;
      this.#kept.delete(sha256);
      this.#remove(folder);
      total -= bytes;
    }
  }

  /** Out of the way at once, and deleted meanwhile: many files take long. */
  #remove(folder: string): void {
    this.#made += 1;
    const gone = join(this.#temporary, `gone-${process.pid}-${this.#made}`);
    renameSync(folder, gone);
    // What cannot be deleted now is tried again at the next start.
    this.#own(rm(gone, { recursive: true, force: true }).catch(() => undefined));
  }

  #own(work: Promise<void>): void {
    this.#work.add(work);
    void work.then(() => this.#work.delete(work));
  }
}

/** Until the image is there. Who wants it no more goes; with the last, bringing it ends. */
async function wait(
  { waiters, stop, done }: Arrival,
  { signal, said }: { readonly signal: AbortSignal; readonly said: (line: string) => void },
): Promise<void> {
  const waiter: Waiter = { said };
  waiters.add(waiter);
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([done, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    waiters.delete(waiter);
    if (signal.aborted && waiters.size === 0) stop.abort();
  }
}

function isSameWay(left: ImageWay | null, right: ImageWay | null): boolean {
  return left?.socket === right?.socket;
}

function isSamePlace(left: ImageName, right: ImageName): boolean {
  return left.registry === right.registry && left.repository === right.repository;
}

function sentence({ registry, repository, sha256 }: ImageName, error: unknown): Error {
  const image = `The image ${registry}/${repository}@sha256:${sha256} cannot be used`;
  const { next, passes } =
    error instanceof ImageProblem ? error : { next: "look at the worker's disk", passes: true };
  const what = `${image}, since ${wordsOf(error)}: ${next}.`;
  return passes ? new Unprepared(what, { cause: error }) : new Error(what, { cause: error });
}

/** Null: it is not whole, or of another version. */
function keptIn(folder: string): Kept | null {
  const about = join(folder, aboutFile);
  try {
    const { bytes, isPrivate } = JSON.parse(readFileSync(about, "utf8")) as Record<string, unknown>;
    if (typeof bytes !== "number" || typeof isPrivate !== "boolean") return null;
    return { folder, bytes, isPrivate, usedMs: statSync(about).mtimeMs, uses: 0 };
  } catch {
    // Nothing that can be used: it is brought anew.
    return null;
  }
}
