/**
 * What it takes to start and end a step that does nothing, one at a time, at each level of isolation that this machine reaches, beside
 * a bare process and a bare bubblewrap with everything of its own.
 */

import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBlobs } from "../../node/edge/blobs.ts";
import { noCredentials } from "../../node/edge/broker/gateway.ts";
import { startExecutor } from "../../node/edge/execution/executor.ts";
import { limits } from "../../protocol/limits.ts";
import type { SandboxLevel } from "../../protocol/plan.ts";
import type { StepReport } from "../../protocol/report.ts";
import { encodeTree } from "../../protocol/tree.ts";
import { assignmentOf } from "../contracts/witness.ts";
import { machineSystem } from "../node/images/machine-system.ts";
import { startRegistry } from "../node/images/registry-fixture.ts";
import { inRounds, type Row } from "./measure.ts";

const rounds = 31;
/** Of the steps at S3. */
const smallest = machineSystem("sh");
const bareBubblewrap = [
  "--unshare-all",
  "--die-with-parent",
  "--ro-bind",
  "/",
  "/",
  "--proc",
  "/proc",
  "--dev",
  "/dev",
];

async function timed(act: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await act();
  return performance.now() - startMs;
}

async function toEnd(program: string, words: readonly string[]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = spawn(program, words, { stdio: "ignore" });
    child.once("error", reject);
    child.once("exit", (code) =>
      code === 0 ? resolve() : reject(new Error(`${program} ended with ${code}`)),
    );
  });
}

export async function benchSandbox(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "otto-bench-"));
  chmodSync(folder, 0o711);
  const blobs = await openBlobs(join(folder, "blobs"));
  const tree = await blobs.writeBytes(encodeTree([]));
  const waiting = new Map<string, (report: StepReport) => void>();
  const registry = await startRegistry();
  const executor = await startExecutor({
    folder: join(folder, "execution"),
    blobs,
    fetch: async () => undefined,
    passVariables: {},
    slots: 1,
    graceMs: limits.killGraceMs,
    isolation: { atMost: "S3", byDefault: "S0", visible: [], secrets: [] },
    credentials: {
      openSocket: () => Promise.reject(new Error("none of the steps has an image that needs it")),
      open: async ({ credentials }) => ({ ...noCredentials, ports: credentials.map(() => 4_801) }),
    },
    observer: { output: () => undefined, ended: (id, report) => waiting.get(id)?.(report) },
  });
  try {
    const image = { name: registry.add([smallest]).text, orHost: false };
    const step = async (sandbox: SandboxLevel, isBrokered = false): Promise<void> => {
      const credentials = isBrokered
        ? [{ name: "token", kind: "http" as const, to: "https://example.org" }]
        : [];
      const assignment = assignmentOf(tree, ["true"], {
        sandbox,
        credentials,
        image: sandbox === "S3" ? image : null,
      });
      const { promise, resolve } = Promise.withResolvers<StepReport>();
      waiting.set(assignment.id, resolve);
      executor.start(assignment);
      const { outcome, problem } = await promise;
      if (outcome !== "passed") throw new Error(problem);
    };
    const things: Record<string, () => Promise<number>> = {
      "a bare process": () => timed(() => toEnd("/bin/sh", ["-c", "true"])),
    };
    for (const level of executor.reached) things[level] = () => timed(() => step(level));
    if (executor.reached.includes("S2")) {
      execFileSync("bwrap", [...bareBubblewrap, "true"]);
      things["a bare bubblewrap"] = () => timed(() => toEnd("bwrap", [...bareBubblewrap, "true"]));
      things["S2 with a credential"] = () => timed(() => step("S2", true));
    }
    const of = await inRounds(rounds, things);
    return Object.keys(things).map((name): Row => {
      const peer = /^S[23]/.test(name) ? "a bare bubblewrap" : "a bare process";
      const ratio = name.startsWith("S") ? { ratio: { value: of(name) / of(peer), of: peer } } : {};
      return {
        name: name.startsWith("S") ? `a step at ${name}` : name,
        value: of(name),
        unit: "ms",
        ...ratio,
      };
    });
  } finally {
    await executor.close();
    await registry.close();
    rmSync(folder, { recursive: true });
  }
}
