/** `otto down` says that a process has stopped when it is gone, with all that it held. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { stopProcess } from "../../cli/embedded.ts";
import { DataFolder } from "../../node/edge/data-folder.ts";
import { eventually } from "../mesh/program.ts";

const folder = new DataFolder(mkdtempSync(join(tmpdir(), "otto-stopping-")));
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder.path, { recursive: true, force: true });
});

/** A process that the folder takes for its node's, once it has said that it is ready. */
async function running(program: string): Promise<number> {
  const child = spawn(
    process.execPath,
    ["-e", `${program}; console.log("ready"); setInterval(() => 0, 1e6)`],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  children.push(child);
  if (child.stdout !== null) await once(child.stdout, "data");
  const { pid = 0 } = child;
  folder.saveRunning({ pid, socket: folder.socket, addresses: [], peer: "" });
  return pid;
}

/** None where there is no `/proc`. */
function threadsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).length;
  } catch {
    return 0;
  }
}

it("waits for the last of its threads, which may hold the port for longer than the first one lives", async () => {
  // The first thread often ends before the others, not always; to give all this memory back takes the last one a while.
  const rounds = Array.from({ length: 6 }, (_, round) => round);
  const left: number[] = [];
  for (const _ of rounds) {
    const pid = await running(`
      const { Worker } = require("node:worker_threads");
      for (let count = 0; count < 4; count += 1) new Worker("for (;;);", { eval: true });
      globalThis.kept = Buffer.alloc(2 ** 28, 1)`);
    expect(await stopProcess(folder)).toBe(true);
    left.push(threadsOf(pid));
  }
  expect(left.filter((threads) => threads > 1)).toEqual([]);
});

it("fails in time when the process does not go, and says how to end it", async () => {
  const pid = await running('process.on("SIGTERM", () => 0)');
  await expect(stopProcess(folder, 50)).rejects.toMatchObject({
    code: "OTTO_TIMED_OUT",
    message: `Process ${pid} of ${folder.path} does not stop.`,
    state: "It still runs, and holds its folder and its port.",
    next: `End it with: kill -9 ${pid}`,
  });
});

it.runIf(existsSync("/proc"))(
  "stops nothing that has ended and that only its parent has not noticed",
  async () => {
    // The shell becomes a program that never looks after its children.
    const child = spawn("sh", ["-c", "echo $(sh -c 'echo $PPID') & exec sleep 600"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    const [said] = child.stdout === null ? [] : ((await once(child.stdout, "data")) as [Buffer]);
    const pid = Number(said?.toString());
    const isZombie = (): boolean => / Z /u.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
    await eventually("it has ended", isZombie, (ended) => ended);
    folder.saveRunning({ pid, socket: folder.socket, addresses: [], peer: "" });
    expect(await stopProcess(folder)).toBe(false);
  },
);
