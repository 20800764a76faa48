/**
 * Finds by doing which levels a worker reaches: an attacker is run as a step of each level, by the very runner that runs
 * steps, and tries what the level forbids. A level is reached when all of that failed and nothing of the attacker is left.
 */

import { randomBytes } from "node:crypto";
import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { dirname, join } from "node:path";
import { limits } from "../../../../protocol/limits.ts";
import { type SandboxLevel, sandboxLevels } from "../../../../protocol/plan.ts";
import type { RunnerLink } from "../runner-link.ts";
import type { Workspace } from "../workspaces.ts";
import { systemProgram } from "./bubblewrap.ts";
import { type Isolation, makeOwnFolders } from "./isolation.ts";
import { rootOf } from "./own-programs.ts";

const serialMax = 2 ** 32 - 1;

export type Probed = {
  readonly level: SandboxLevel;
  /** Why it is not reached, as a clause; null when it is. */
  readonly why: string | null;
};

export type ProbeParts = {
  readonly isolation: Isolation;
  readonly runner: RunnerLink;
  readonly workspaces: { take(): Workspace; release(workspace: Workspace): void };
  readonly logFile: (serial: number) => string;
  /** Files that no step may read. */
  readonly secrets: readonly string[];
};

/** Tries all levels above S0 at once, and has the isolation know those that are reached. */
export async function probeLevels(parts: ProbeParts): Promise<readonly Probed[]> {
  const { isolation } = parts;
  const nonce = randomBytes(8).toString("hex");
  const abstract = `otto-attack-${nonce}`;
  const port = createServer((socket) => socket.destroy());
  const local = createServer((socket) => socket.destroy());
  try {
    const listening = [listen(port, { port: 0, host: "127.0.0.1" })];
    if (process.platform === "linux") listening.push(listen(local, { path: `\0${abstract}` }));
    await Promise.all(listening);
    const at = port.address();
    const apart = { port: at !== null && typeof at === "object" ? at.port : 0, abstract };
    const probed = await Promise.all(
      sandboxLevels.slice(1).map(async (level, index) => {
        const why =
          isolation.hindrance(level) ??
          (await attack(level, { parts, apart, nonce, serial: serialMax - index }));
        return { level, why };
      }),
    );
    for (const { level, why } of probed) if (why === null) isolation.reach(level);
    return probed;
  } finally {
    port.close();
    local.close();
  }
}

/** Returns why the level is not reached. */
async function attack(
  level: SandboxLevel,
  how: {
    readonly parts: ProbeParts;
    readonly apart: { readonly port: number; readonly abstract: string };
    readonly nonce: string;
    /** Beyond those of attempts. */
    readonly serial: number;
  },
): Promise<string | null> {
  const { parts, apart, serial } = how;
  const { isolation, runner, workspaces, secrets, logFile } = parts;
  const daemon = `${how.nonce}-${level}`;
  const workspace = workspaces.take();
  let said = "";
  try {
    makeOwnFolders(workspace);
    await isolation.handOver(level, workspace);
    const root = level === "S3" ? makeRoot(join(isolation.folder, "probe-root")) : null;
    const confinement = isolation.confine(level, workspace, { ports: [], root });
    if (confinement === null) return "it cannot be made here";
    const orders = {
      secrets,
      worker: { pid: process.pid, uid: process.getuid?.() ?? -1 },
      ownUser: confinement.user !== null,
      apart: level === "S1" ? null : apart,
      hidden: root === null ? [] : machineFiles.filter((path) => existsSync(path)),
      daemon,
    };
    const result = await runner.run(
      {
        serial,
        workspace: workspace.folder,
        logFile: logFile(serial),
        preamble: "",
        commands: [`exec ${isolation.attackAt(level).map(quoted).join(" ")} "$ORDERS"`],
        environment: {
          HOME: workspace.home,
          TMPDIR: workspace.temporary,
          ORDERS: JSON.stringify(orders),
        },
        secrets: [],
        timeoutMs: limits.sandboxProbeMsMax,
        graceMs: 0,
        confinement,
        bounds: isolation.bounds,
        folders: [workspace.folder],
      },
      {
        signal: new AbortController().signal,
        output: (_offset, bytes) => void (said += bytes.toString()),
        listens: (_port, server) => void server.close(),
      },
    );
    if (result?.end.kind !== "passed") return wordsOfFailure(said);
    const breaches = JSON.parse(said) as string[];
    if (isRunning(daemon)) breaches.push("a process of it lived on");
    if (existsSync(join(dirname(workspace.folder), "otto-attack")))
      breaches.push("it wrote beside its folders");
    return breaches.length === 0 ? null : `the probe succeeded at what must fail: ${breaches.join(", ")}`;
  } catch (error) {
    return wordsOfFailure(error instanceof Error ? error.message : String(error));
  } finally {
    workspaces.release(workspace);
  }
}

function wordsOfFailure(said: string): string {
  const [line = ""] = said.trim().split("\n").slice(-1);
  return line === "" ? "the probe could not be run" : `the probe could not be run: ${line.slice(0, 200)}`;
}

async function listen(
  server: Server,
  where: { port: number; host: string } | { path: string },
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, resolve);
  });
}

function isRunning(name: string): boolean {
  return readdirSync("/proc").some((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(`\0${name}\0`);
    } catch {
      // It has ended since.
      return false;
    }
  });
}

/** What the machine has, and an image has not. */
const machineFiles = ["/etc/hostname", "/etc/os-release", "/etc/group", "/usr/bin/env"];

/** A file system that has just what the attacker starts itself. */
function makeRoot(folder: string): string | null {
  rmSync(folder, { recursive: true, force: true });
  const programs = ["sh", "sleep", "unshare"].flatMap((name) => systemProgram(name) ?? []);
  const files = rootOf(programs);
  if (files === null) return null;
  for (const path of files) {
    const place = join(folder, path);
    mkdirSync(dirname(place), { recursive: true });
    copyFileSync(path, place, constants.COPYFILE_FICLONE);
    chmodSync(place, 0o755);
  }
  const shell = join(folder, "bin/sh");
  if (!existsSync(shell)) {
    mkdirSync(dirname(shell), { recursive: true });
    symlinkSync("/usr/bin/sh", shell);
  }
  return folder;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

const meanings: Readonly<Record<SandboxLevel, string>> = {
  S0: "as this user, with all that this user can reach",
  S1: "each slot as a user of its own",
  S2: "each in a sandbox without network",
  S3: "each in a sandbox without network, in the file system of an image where it names one",
};

/** How far a worker keeps steps apart, and what keeps it from more. */
export function isolationWords(reached: readonly SandboxLevel[], probed: readonly Probed[]): string {
  const most = reached.at(-1) ?? "S0";
  const next = probed.find(
    ({ level, why }) => why !== null && sandboxLevels.indexOf(level) > sandboxLevels.indexOf(most),
  );
  const more = next === undefined ? "" : `; not ${next.level}, since ${next.why ?? ""}`;
  return `Steps run at most at level ${most} (${meanings[most]})${more}.`;
}
