/**
 * The processes of a chaos run: real nodes, founded, joined and started with the real commands, on data folders of
 * their own; and what a fault does to them.
 *
 *   up --SIGKILL, SIGTERM--> down --start--> up --SIGSTOP--> stopped --SIGCONT--> up
 *
 * A fault says how a process shall be; `settle` brings it there, one step after the other, whatever else has changed
 * meanwhile. A process that ends without having been asked is told to whoever waits for it: that is never right.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { askFor } from "../../node/edge/client.ts";
import { DataFolder } from "../../node/edge/data-folder.ts";
import { connectLocally } from "../../node/edge/local-socket.ts";
import { signalAll, stateOf, treeOf } from "./processes.ts";

const otto = join(import.meta.dirname, "../../cli/otto.ts");
const preload = join(import.meta.dirname, "preload-fixture.ts");
const startMsMax = 60_000;
const answerMsMax = 10_000;

export type Wanted = {
  /** How it ends, if it is to be down. */
  readonly down: "SIGKILL" | "SIGTERM" | null;
  /** What is stopped, if anything. */
  readonly stopped: "process" | "tree" | null;
};

export const healthy: Wanted = { down: null, stopped: null };

export type NodeSurroundings = {
  /** Where everything of the run is: folders, logs, the code cache. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What this node dials, `HOST:PORT`, and the port of 127.0.0.1 that it is led to. */
  readonly dials: ReadonlyMap<string, number>;
};

export class ChaosNode {
  readonly name: string;
  readonly role: "control" | "worker";
  readonly folder: DataFolder;
  readonly #surroundings: NodeSurroundings;
  readonly #log: string;
  #child: ChildProcess | null = null;
  #wanted: Wanted = healthy;
  #stopped: readonly number[] = [];
  #settling: Promise<void> = Promise.resolve();
  #asked = 0;
  #isEnding = false;
  /** What it said when it ended though nobody had asked it to. */
  died: string | null = null;
  /** How often it was started. */
  starts = 0;

  constructor(name: string, role: "control" | "worker", surroundings: NodeSurroundings) {
    this.name = name;
    this.role = role;
    this.#surroundings = surroundings;
    this.folder = new DataFolder(join(surroundings.folder, name));
    this.#log = join(surroundings.folder, `${name}.log`);
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  get isUp(): boolean {
    return this.#child !== null && this.#stopped.length === 0;
  }

  /** As the kernel sees it: running, sleeping, stopped; since when; how much it has worked. */
  get kernelState(): string {
    return this.pid === null ? "no process" : stateOf(this.pid);
  }

  /** Everything that it has written to its standard output and error, over all of its starts. */
  get said(): string {
    return readFileSync(this.#log, "utf8");
  }

  /** Starts it with these words of the command line, and waits until it is up. */
  async start(words: readonly string[]): Promise<void> {
    const before = this.starts === 0 ? 0 : this.said.length;
    const log = openSync(this.#log, "a");
    const { folder, environment, dials } = this.#surroundings;
    const child = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", "--import", preload, otto, ...words],
      {
        cwd: folder,
        env: {
          PATH: process.env["PATH"] ?? "",
          LANG: "C.UTF-8",
          HOME: folder,
          NODE_COMPILE_CACHE: join(folder, "code"),
          OTTO_CHAOS_DIALS: JSON.stringify(Object.fromEntries(dials)),
          ...environment,
        },
        stdio: ["ignore", log, log, "ipc"],
      },
    );
    closeSync(log);
    this.starts += 1;
    this.#child = child;
    this.#isEnding = false;
    child.once("exit", (code, signal) => {
      if (this.#child !== child) return;
      this.#child = null;
      if (!this.#isEnding)
        this.died = `${this.name} ended with ${signal ?? code} though nobody had asked it to`;
    });
    const deadlineMs = performance.now() + startMsMax;
    while (!/ is up\./u.test(this.said.slice(before))) {
      if (this.#child !== child) throw new Error(`${this.name} did not start; see ${this.#log}`);
      if (performance.now() > deadlineMs)
        throw new Error(`${this.name} was not up in time; see ${this.#log}`);
      await sleep(20);
    }
  }

  /** From now on it shall be so. Resolves when it is, or something newer is wanted. */
  want(wanted: Wanted): Promise<void> {
    this.#wanted = wanted;
    this.#settling = this.#settling.then(() => this.#settle());
    return this.#settling;
  }

  async #settle(): Promise<void> {
    const { down, stopped } = this.#wanted;
    const pid = this.pid;
    if (down !== null) {
      if (pid !== null) await this.#end(pid, down);
      return;
    }
    if (pid === null) {
      if (this.died !== null) return;
      await this.start(["up", "--data", this.folder.path]);
      return this.#settle();
    }
    if (stopped === null) {
      signalAll(this.#stopped.toReversed(), "SIGCONT");
      this.#stopped = [];
    } else if (this.#stopped.length === 0) {
      this.#stopped = stopped === "tree" ? treeOf(pid) : [pid];
      signalAll(this.#stopped, "SIGSTOP");
    }
  }

  /** A stopped process takes only SIGKILL: for anything else it must go on first. */
  async #end(pid: number, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.#isEnding = true;
    const child = this.#child;
    const gone = new Promise<void>((resolve) => {
      child?.once("exit", () => resolve());
    });
    if (signal !== "SIGKILL") signalAll(this.#stopped.toReversed(), "SIGCONT");
    signalAll([pid], signal);
    const isGone = await Promise.race([gone.then(() => true), sleep(startMsMax, false, { ref: false })]);
    if (!isGone) {
      this.died = `${this.name} did not end within ${startMsMax / 1_000} s of ${signal}`;
      signalAll([pid], "SIGKILL");
      await gone;
    }
    // Whatever it had started has to see to itself, awake.
    signalAll(
      this.#stopped.filter((each) => each !== pid),
      "SIGCONT",
    );
    this.#stopped = [];
    this.#child = null;
  }

  /** Its memory after a garbage collection; null when it does not answer. */
  memory(): Promise<NodeJS.MemoryUsage | null> {
    const child = this.#child;
    if (child === null || !this.isUp) return Promise.resolve(null);
    this.#asked += 1;
    const serial = this.#asked;
    return new Promise((resolve) => {
      const finish = (memory: NodeJS.MemoryUsage | null): void => {
        clearTimeout(timer);
        child.off("message", hear);
        resolve(memory);
      };
      const hear = (answer: unknown): void => {
        const { serial: answered, memory } = answer as { serial: number; memory: NodeJS.MemoryUsage };
        if (answered === serial) finish(memory);
      };
      const timer = setTimeout(() => finish(null), answerMsMax);
      child.on("message", hear);
      child.send({ ask: "memory", serial }, (error) => {
        if (error !== null) finish(null);
      });
    });
  }

  /** The peer that is home as this node sees it. */
  async home(): Promise<string | null> {
    const channel = await connectLocally(this.folder.socket);
    const { peers } = await askFor(channel, { call: "peers", certificate: null }, "peers");
    return peers.find(({ isHome }) => isHome)?.peer ?? null;
  }

  /** At once, with all that it has started, for an end that leaves nothing. */
  killNow(): void {
    const pid = this.pid;
    this.#isEnding = true;
    if (pid !== null) signalAll(treeOf(pid).toReversed(), "SIGKILL");
  }
}
