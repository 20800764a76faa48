import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StepReport } from "../../../protocol/report.ts";
import { isRunning } from "./surroundings.ts";

const fixture = join(import.meta.dirname, "worker-fixture.ts");
/** Leaves its group and closes everything, so that only its environment tells whose it is. */
const stubborn =
  "setsid sh -c 'exec 9>&-; exec sleep 600' >/dev/null 2>&1 & echo pid=$!; echo begun; sleep 600";

type Line = {
  readonly worker?: number;
  readonly runner?: number;
  readonly text?: string;
  readonly report?: StepReport;
  readonly closed?: true;
};

/** A worker process and everything it has said, with waiting for what it will say. */
class Worker {
  readonly child: ChildProcess;
  readonly lines: Line[] = [];
  #watchers: (() => void)[] = [];

  constructor(command: string, words: readonly string[]) {
    this.child = spawn(command, words, { stdio: ["ignore", "pipe", "inherit"], detached: true });
    const output = this.child.stdout;
    if (output === null) throw new Error("no output");
    createInterface({ input: output }).on("line", (line) => {
      this.lines.push(JSON.parse(line) as Line);
      for (const watcher of this.#watchers.splice(0)) watcher();
    });
  }

  async line(wanted: (line: Line) => boolean): Promise<Line> {
    for (;;) {
      const found = this.lines.find(wanted);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#watchers.push(resolve);
      });
    }
  }

  get reports(): readonly StepReport[] {
    return this.lines.flatMap((line) => (line.report === undefined ? [] : [line.report]));
  }

  /** The stray process that the step printed, and the processes of the worker itself. */
  async processes(): Promise<{ worker: number; runner: number; stray: number }> {
    const { worker = 0, runner = 0 } = await this.line((line) => line.runner !== undefined);
    // What was written at once may come in two pieces.
    const said = () => this.lines.map(({ text = "" }) => text).join("");
    await this.line(() => said().includes("begun"));
    return { worker, runner, stray: Number(/pid=(\d+)/.exec(said())?.[1]) };
  }
}

/** Waits for a process of somebody else to be gone: there is no signal for that. */
async function gone(pid: number): Promise<void> {
  while (isRunning(pid)) {
    await new Promise<void>((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

describe.runIf(process.platform === "linux")("when a process of the worker is killed", () => {
  let folder: string;
  const workers: Worker[] = [];

  function startWorker(...scripts: readonly (readonly string[])[]): Worker {
    return startWith(...scripts.map((commands) => ({ commands })));
  }

  function startWith(...attempts: readonly object[]): Worker {
    const words = [fixture, folder, ...attempts.map((attempt) => JSON.stringify(attempt))];
    const worker = new Worker(process.execPath, words);
    workers.push(worker);
    return worker;
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "otto-crash-"));
  });

  afterEach(async () => {
    for (const worker of workers.splice(0)) {
      if (worker.child.exitCode === null && worker.child.signalCode === null) {
        worker.child.kill("SIGKILL");
        await once(worker.child, "exit");
      }
    }
    await rm(folder, { recursive: true, force: true });
  });

  it("the runner: its attempt fails with a clear problem, nothing is left, and the next attempt runs", async () => {
    const worker = startWorker([stubborn], ["echo again"]);
    const { runner, stray } = await worker.processes();
    process.kill(runner, "SIGKILL");
    await worker.line((line) => line.closed === true);
    const [first, second] = worker.reports;
    expect(first?.outcome).toBe("failed");
    expect(first?.problem).toContain("The process that ran the step died");
    expect(first?.tail).toContain("begun");
    expect(second?.outcome, second?.problem).toBe("passed");
    expect(isRunning(stray)).toBe(false);
  });

  it("the worker: the runner notices, kills the steps and goes", async () => {
    const worker = startWorker([stubborn]);
    const { worker: pid, runner, stray } = await worker.processes();
    process.kill(pid, "SIGKILL");
    await gone(runner);
    expect(isRunning(stray)).toBe(false);
  });

  it("and when the worker stands still: the runner ends an attempt at its deadline, and it is told of that later", async () => {
    const worker = startWith({ commands: [stubborn], deadlineMs: 1_000 });
    const { worker: pid, stray } = await worker.processes();
    process.kill(pid, "SIGSTOP");
    await gone(stray);
    expect(worker.reports).toEqual([]);
    process.kill(pid, "SIGCONT");
    await worker.line((line) => line.closed === true);
    expect(worker.reports[0]).toMatchObject({ outcome: "cancelled" });
  });

  it("both at once: the next start on the folder kills what they left and clears the workspaces", async () => {
    const first = startWorker(["touch left-over", stubborn]);
    const { worker: pid, runner, stray } = await first.processes();
    process.kill(runner, "SIGSTOP");
    process.kill(pid, "SIGKILL");
    process.kill(runner, "SIGKILL");
    await gone(runner);
    expect(isRunning(stray)).toBe(true);
    const second = startWorker(["ls -A"]);
    await second.line((line) => line.closed === true);
    expect(isRunning(stray)).toBe(false);
    expect(second.reports[0]?.tail).toBe("");
    expect(readdirSync(join(folder, "execution", "trash"))).toEqual([]);
    expect(existsSync(join(folder, "execution", "work"))).toBe(false);
  });
});
