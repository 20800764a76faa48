/**
 * A chaos run: a mesh of real processes that works all the time while links and processes fail, is then healed, and
 * must have finished everything that it took on, with one story of it.
 *
 *   found ──► [ faults and work ──► heal ──► everything ends ──► checks ] again and again ──► end
 *
 * The processes live on from one round to the next, so that what grows is seen.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { receiveExport } from "../../cli/receive-export.ts";
import { localTarget } from "../../cli/target.ts";
import { verifySignature } from "../../node/edge/identity.ts";
import { OttoError } from "../../protocol/errors.ts";
import type { Event } from "../../protocol/events.ts";
import { limits } from "../../protocol/limits.ts";
import { Chance } from "../random.ts";
import {
  type Account,
  accountOf,
  type Broken,
  checkAgreement,
  checkAttempts,
  checkEffects,
  claimsIn,
  type EffectsFound,
} from "./checks.ts";
import { type ChaosFault, chaosFaults, faultText } from "./faults.ts";
import { ChaosMesh, type MeshSize } from "./mesh.ts";
import type { ChaosNode } from "./nodes.ts";
import { type Submitted, Workload } from "./workload.ts";

export type ChaosOptions = MeshSize & {
  readonly seed: number;
  /** How long faults and work last in one round. */
  readonly seconds: number;
  /** No faults. */
  readonly calm: boolean;
  /** Between two submissions, on average. */
  readonly everyMs: number;
  readonly say: (line: string) => void;
};

export type Round = {
  readonly broken: readonly Broken[];
  readonly submitted: number;
  readonly acknowledged: number;
  readonly claims: number;
  readonly longestGapMs: number;
  readonly excusedOverlaps: number;
  readonly healMs: number;
  /** Through all proxies since the mesh was founded. */
  readonly connections: number;
  readonly bytes: number;
  /** How long this very process was kept from doing anything, at worst: what the machine was like. */
  readonly heldUpMs: number;
  readonly memory: ReadonlyMap<string, NodeJS.MemoryUsage>;
};

const openSubmissionsMax = 20;
/** From the end of the faults until everything has ended and is known everywhere; anti-entropy is among it. */
const healMsMax = 2 * limits.antiEntropyMs + 30_000;
/** Of so many runs at a time. */
const askedAtOnce = 8;
/** More of them tell nothing more. */
const brokenMax = 20;
const rssBytesMax = 500 * 1024 * 1024;
/** After a garbage collection. */
const heapBytesMax = 150 * 1024 * 1024;

export class ChaosRun {
  readonly #options: ChaosOptions;
  readonly #mesh: ChaosMesh;
  readonly #workload: Workload;
  readonly #chance: Chance;
  #rounds = 0;

  private constructor(options: ChaosOptions, mesh: ChaosMesh, workload: Workload) {
    this.#options = options;
    this.#mesh = mesh;
    this.#workload = workload;
    this.#chance = new Chance("chaos", options.seed);
  }

  static async start(options: ChaosOptions): Promise<ChaosRun> {
    const mesh = await ChaosMesh.found(options);
    return new ChaosRun(options, mesh, await Workload.prepare(mesh.folder));
  }

  get folder(): string {
    return this.#mesh.folder;
  }

  /** How long a run of so many rounds takes at most, with all that it waits for. */
  static msMax(seconds: number, rounds: number): number {
    return ChaosMesh.foundMsMax + rounds * (seconds * 1_000 + 3 * healMsMax) + healMsMax;
  }

  /** What each process is doing, for whoever gives up waiting. */
  get state(): readonly string[] {
    return this.#mesh.nodes.map(({ name, isUp, kernelState, said }) => {
      const last = said.trimEnd().split("\n").at(-1) ?? "";
      return `${name}: ${isUp ? "up" : "not up"}; ${kernelState}; its last line: ${last}`;
    });
  }

  /** One round of faults and work, and what came of it. */
  async round(): Promise<Round> {
    this.#rounds += 1;
    const { seconds, calm, say } = this.#options;
    const overMs = seconds * 1_000;
    const faults = calm ? [] : chaosFaults(this.#chance, this.#mesh.peers, overMs);
    writeFileSync(join(this.folder, `faults-${this.#rounds}.json`), `${JSON.stringify(faults, null, 2)}\n`);
    for (const fault of faults) say(faultText(fault));
    const delay = monitorEventLoopDelay({ resolution: 20 });
    delay.enable();
    const [submitted] = await Promise.all([this.#work(overMs), this.#inflict(faults, overMs)]);
    const healedMs = performance.now();
    say(`${submitted.length} submitted; every process is up`);
    const settled = await this.#settle(submitted);
    const healMs = performance.now() - healedMs;
    delay.disable();
    const memory = await this.#mesh.memory();
    const events = settled.accounts.flatMap(([first]) => first?.events ?? []);
    const { broken, excused } = this.#judge(settled.accounts, events);
    const { bytes, connections } = this.#mesh.links;
    return {
      ...claimsIn(events),
      broken: [...settled.broken, ...broken, ...this.#mesh.deaths, ...boundsOf(memory)],
      submitted: submitted.length,
      acknowledged: submitted.filter(({ acknowledged }) => acknowledged).length,
      excusedOverlaps: excused,
      healMs,
      connections,
      bytes,
      heldUpMs: delay.max / 1e6,
      memory,
    };
  }

  /** Ends every process, and tells of what did not end. */
  end(options: { readonly keep: boolean }): Promise<readonly Broken[]> {
    return this.#mesh.end(options);
  }

  /** Submits all the time, through nodes that seem to be up. */
  async #work(overMs: number): Promise<readonly Submitted[]> {
    const { seed, everyMs } = this.#options;
    const chance = new Chance("work", seed, this.#rounds);
    const startedMs = performance.now();
    const all: Submitted[] = [];
    const open = new Set<Promise<void>>();
    while (performance.now() - startedMs < overMs) {
      const up = this.#mesh.nodes.filter(({ isUp }) => isUp);
      if (up.length > 0 && open.size < openSubmissionsMax) {
        const submitting = this.#workload
          .submit(chance, chance.pick(up), startedMs)
          .then((submitted) => void all.push(submitted))
          .finally(() => open.delete(submitting));
        open.add(submitting);
      }
      await sleep(chance.between(Math.floor(everyMs / 2), Math.ceil((3 * everyMs) / 2)));
    }
    await Promise.all(open);
    return all;
  }

  /** Lets each fault begin and end at its time; afterwards all is well again. */
  async #inflict(faults: readonly ChaosFault[], overMs: number): Promise<void> {
    const startedMs = performance.now();
    const active = new Set<ChaosFault>();
    const changes = faults
      .flatMap((fault) => [
        { atMs: fault.atMs, fault, begins: true },
        { atMs: fault.atMs + fault.lastsMs, fault, begins: false },
      ])
      .sort((one, other) => one.atMs - other.atMs);
    for (const { atMs, fault, begins } of changes) {
      await sleep(Math.max(0, startedMs + atMs - performance.now()));
      if (begins) active.add(fault);
      else active.delete(fault);
      if (begins && fault.kind === "reset") this.#mesh.links.reset(...fault.between);
      this.#mesh.apply(active);
    }
    await sleep(Math.max(0, startedMs + overMs - performance.now()));
    await this.#mesh.heal();
  }

  /** Waits until every control peer tells of every run that it has ended, and all tell the same. */
  async #settle(
    submitted: readonly Submitted[],
  ): Promise<{ readonly accounts: readonly (readonly Account[])[]; readonly broken: readonly Broken[] }> {
    const broken: Broken[] = [];
    const done: (readonly Account[])[] = [];
    let open = submitted;
    const { controls } = this.#mesh;
    for (const deadlineMs = performance.now() + healMsMax; open.length > 0; await sleep(100)) {
      const left: Submitted[] = [];
      const isLate = performance.now() > deadlineMs;
      // A node that does not answer takes its time with each of them.
      const silent = isLate ? await this.#silent() : [];
      if (silent.length > 0) return { accounts: done, broken: silent };
      for (const some of chunksOf(open, askedAtOnce)) {
        if (isLate ? broken.length >= brokenMax : performance.now() > deadlineMs) {
          left.push(...some);
          continue;
        }
        const told = await Promise.all(some.map((each) => this.#accountsOf(each)));
        for (const [index, each] of some.entries()) {
          const accounts = told[index] ?? [];
          // Nobody said that it was taken, and nobody knows of it.
          if (accounts.length === 0 && !each.acknowledged) continue;
          const isOver =
            accounts.length === controls.length && accounts.every(({ state }) => state !== "open");
          const differing = checkAgreement(accounts);
          if (isOver && differing.length === 0) done.push(accounts);
          else if (isLate) broken.push(...(isOver ? differing : [lateness(each, accounts)]));
          else left.push(each);
        }
      }
      open = left;
      if (isLate) break;
    }
    return { accounts: done, broken };
  }

  /** What those control peers tell of a run that know of it. */
  async #accountsOf({ run }: Submitted): Promise<readonly Account[]> {
    const told = await Promise.all(this.#mesh.controls.map((node) => accountAt(node, run)));
    return told.filter((account) => account !== null);
  }

  /** Control peers that are up and do not answer a simple question. */
  async #silent(): Promise<readonly Broken[]> {
    const silent: Broken[] = [];
    for (const node of this.#mesh.controls) {
      const problem = await node.home().then(
        () => null,
        (error: unknown) => String(error),
      );
      if (problem !== null)
        silent.push({
          checker: "processes",
          what: `${node.name} does not answer: ${problem} ${node.kernelState}`,
        });
    }
    return silent;
  }

  #judge(accounts: readonly (readonly Account[])[], events: readonly Event[]): EffectsFound {
    const named = events.map((event) =>
      event.kind === "attempt-started" ? { ...event, worker: this.#mesh.nameOf(event.worker) } : event,
    );
    const runs = new Set(events.map(({ run }) => run));
    const effects = this.#workload.effects().filter(({ run }) => runs.has(run));
    const { broken, excused } = checkEffects(effects, named, this.#mesh.asleep);
    const told = accounts.flat().flatMap((account) => [...account.broken, ...checkAttempts(account)]);
    return { broken: [...broken, ...told], excused };
  }
}

/** Null: it knows nothing of the run. */
async function accountAt(node: ChaosNode, run: string): Promise<Account | null> {
  try {
    const bytes = await receiveExport(run, localTarget(node.folder));
    return accountOf(node.name, run, bytes, { verify: verifySignature });
  } catch (error) {
    if (error instanceof OttoError) return null;
    throw error;
  }
}

function lateness({ run, through, atMs }: Submitted, accounts: readonly Account[]): Broken {
  if (accounts.length === 0)
    return {
      checker: "durability",
      what: `${run}, which ${through} had taken at ${(atMs / 1_000).toFixed(1)} s, is known to nobody`,
    };
  const open = accounts.filter(({ state }) => state === "open").map(({ control }) => control);
  const where =
    open.length > 0 ? `open at ${open.join(", ")}` : `known to ${accounts.length} control peers only`;
  const what = `${run} had not ended ${healMsMax / 1_000} s after all was healed: ${where}`;
  return { checker: "progress", what };
}

function boundsOf(memory: ReadonlyMap<string, NodeJS.MemoryUsage>): readonly Broken[] {
  return [...memory].flatMap(([name, { rss, heapUsed }]) => {
    const isBounded = rss <= rssBytesMax && heapUsed <= heapBytesMax;
    const what = `${name} keeps ${Math.round(rss / 1e6)} MB, ${Math.round(heapUsed / 1e6)} MB of them heap`;
    return isBounded ? [] : [{ checker: "memory", what }];
  });
}

function chunksOf<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) =>
    items.slice(at * size, (at + 1) * size),
  );
}
