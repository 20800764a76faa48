/** What a node's processes keep in memory, at rest and after work. Linux only: it reads /proc. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Bed, type Row } from "./measure.ts";
import { echoRepository, manyStepsRepository } from "./pipelines.ts";

const restMs = 10_000;
const MiB = 1024 * 1024;

type Memory = { readonly rss: number; readonly pss: number };

export async function benchMemory(): Promise<Row[]> {
  await using bed = new Bed();
  const echo = await echoRepository(bed.folder);
  const many = await manyStepsRepository(bed.folder, 1_000);
  await bed.otto(echo, "run");
  await sleep(restMs);
  const atRest = rowsOf(bed, "10 s after start", true);
  await bed.otto(many, "run");
  await sleep(restMs / 2);
  return [...atRest, ...rowsOf(bed, "after 1,000 steps", false)];
}

function rowsOf(bed: Bed, when: string, isAtRest: boolean): Row[] {
  const worker = pidOf(bed, "worker");
  const runner = childOf(worker);
  const memory = {
    control: memoryOf(pidOf(bed, "control")),
    worker: memoryOf(worker),
    runner: memoryOf(runner),
  };
  const sum = { rss: memory.worker.rss + memory.runner.rss, pss: memory.worker.pss + memory.runner.pss };
  const row = (name: string, { rss, pss }: Memory, most: number | null): Row[] => [
    {
      name: `${name}, ${when}, RSS`,
      value: rss / MiB,
      unit: "MB",
      ...(most !== null && isAtRest ? { target: { most } } : {}),
    },
    { name: `${name}, ${when}, PSS`, value: pss / MiB, unit: "MB" },
  ];
  return [
    ...row("control", memory.control, 130),
    ...row("worker", memory.worker, 110),
    ...row("its runner", memory.runner, null),
    ...row("worker and runner", sum, null),
  ];
}

function pidOf(bed: Bed, role: "control" | "worker"): number {
  const running = readFileSync(join(bed.home, "local", role, "running.json"), "utf8");
  return (JSON.parse(running) as { pid: number }).pid;
}

function childOf(parent: number): number {
  for (const name of readdirSync("/proc").filter((name) => /^\d+$/u.test(name))) {
    try {
      const status = readFileSync(`/proc/${name}/stat`, "utf8");
      if (Number(status.slice(status.lastIndexOf(")") + 2).split(" ")[1]) === parent) return Number(name);
    } catch {
      // It ended while the others were looked at.
      continue;
    }
  }
  throw new Error(`process ${parent} has no child`);
}

/** Bytes. Shared pages count whole in RSS, and for each of their users in part in PSS. */
function memoryOf(pid: number): Memory {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "mu").exec(rollup)?.[1]) * 1024;
  return { rss: field("Rss"), pss: field("Pss") };
}
