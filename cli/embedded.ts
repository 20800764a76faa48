/**
 * The embedded mesh: one control peer and one worker of this user's own, on this machine, started when they are
 * needed and kept warm for a while. The same programs as in a mesh of many machines.
 *
 *   absent --first use--> made --start--> ready --idle--> stopped --start--> ready
 *
 * Promises: a run sees the tools of the shell that it was started from, and the Otto that is installed now. A mesh
 * that was started with others is started anew, unless it has something to do; then that is said.
 */

import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Channel } from "../node/edge/channel.ts";
import { askFor } from "../node/edge/client.ts";
import { DataFolder, type NodeConfig, ottoHome } from "../node/edge/data-folder.ts";
import { certify, foundDomain, moveFounder } from "../node/edge/founding.ts";
import { choosePassVariables } from "../node/edge/execution/pass-variables.ts";
import { isAlive, signalProcess } from "../node/edge/execution/processes.ts";
import { openIdentity } from "../node/edge/identity.ts";
import { connectLocally } from "../node/edge/local-socket.ts";
import type { StartReport } from "../node/edge/node-process.ts";
import { type Program, programPath } from "../node/edge/programs.ts";
import { type ErrorCode, errorCodes, OttoError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { renewFromMs } from "../protocol/renewal.ts";
import { openCharter } from "../protocol/membership.ts";
import { freePort } from "./free-port.ts";
import { person } from "./person.ts";

export type Embedded = {
  readonly control: DataFolder;
  readonly worker: DataFolder;
  /** What the person should know of it before the run. */
  readonly notices: readonly string[];
  open(): Promise<Channel>;
};

export function embeddedFolders(): { readonly control: DataFolder; readonly worker: DataFolder } {
  const root = join(ottoHome(), "local");
  return { control: new DataFolder(join(root, "control")), worker: new DataFolder(join(root, "worker")) };
}

/** A ready embedded mesh: the one that is running, or a new start of it. */
export async function embeddedMesh(): Promise<Embedded> {
  const { control, worker } = embeddedFolders();
  const notices: string[] = [];
  const embedded = { control, worker, notices, open: () => connectLocally(control.socket) };
  if (!control.isNode) makeFolders();
  if (startedWith(worker) !== surroundings() && (await answers(control))) {
    if (await hasOpenRuns(control)) notices.push(otherSurroundings);
    else for (const folder of [worker, control]) await stopProcess(folder);
  }
  const [hasControl, hasWorker] = await Promise.all([answers(control), answers(worker)]);
  if (hasControl && hasWorker) return embedded;
  certifyAnew(control, worker);
  worker.write("started-with", Buffer.from(surroundings()));
  if (!hasControl) {
    const address = `/ip4/127.0.0.1/tcp/${await freePort()}`;
    await stopLeftWorker(worker, hasWorker);
    giveAddress(control, worker, address);
    await Promise.all([start("control", control), start("worker", worker)]);
  } else await start("worker", worker);
  return embedded;
}

const otherSurroundings =
  "The local mesh was started by another version of Otto or with another PATH, and has a run to finish; this run uses it as it is.";

/** What the processes of the mesh are made of, as a digest: the program, and the variables that steps get. */
function surroundings(): string {
  const program = programPath("worker");
  const made = [process.execPath, program, statSync(program).mtimeMs, choosePassVariables(process.env)];
  return createHash("sha256").update(JSON.stringify(made)).digest("hex");
}

function startedWith(worker: DataFolder): string | null {
  return worker.read("started-with")?.toString() ?? null;
}

async function hasOpenRuns(control: DataFolder): Promise<boolean> {
  const channel = await connectLocally(control.socket);
  const { runs } = await askFor(channel, { call: "status", certificate: null }, "runs");
  return runs.some(({ endedMs }) => endedMs === null);
}

/** Makes both folders elsewhere and moves them into place: two first uses at once do not mix. */
function makeFolders(): void {
  const root = join(ottoHome(), "local");
  const made = `${root}.${process.pid}`;
  rmSync(made, { recursive: true, force: true });
  const common = { otto: "node/1", labels: [], passVariables: [], idleMs: limits.idleMeshMs } as const;
  const slots = availableParallelism();
  const control: NodeConfig = {
    ...common,
    role: "control",
    name: "local",
    listen: ["/ip4/127.0.0.1/tcp/1"],
    slots,
  };
  const charter = foundDomain({
    folder: join(made, "control"),
    domainName: "local",
    size: 1,
    config: control,
    person: person().peer,
    leaseMs: limits.leaseMsDefault,
  });
  const founder = new DataFolder(join(made, "control"));
  const worker = new DataFolder(join(made, "worker"));
  worker.create();
  const subject = { peer: openIdentity(worker.key).peer, role: "worker", name: "local" } as const;
  worker.write("certificate", certify(openIdentity(founder.ownerKey), charter, subject));
  worker.write("charter", founder.need("charter"));
  worker.saveConfig({ ...common, role: "worker", name: "local", listen: [], slots });
  try {
    mkdirSync(ottoHome(), { recursive: true, mode: 0o700 });
    renameSync(made, root);
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    if (!new DataFolder(join(root, "control")).isNode) throw error;
  }
}

/** Nobody may have used the mesh for longer than a worker's certificate is good. */
function certifyAnew(control: DataFolder, worker: DataFolder): void {
  const owner = openIdentity(control.ownerKey);
  const charter = openCharter(control.need("charter"), null, owner);
  if (!charter.ok || Date.now() < renewFromMs(worker.need("certificate"), charter.value, owner)) return;
  const subject = { peer: openIdentity(worker.key).peer, role: "worker", name: "local" } as const;
  worker.write("certificate", certify(owner, charter.value, subject));
}

/** The mesh listens wherever there is room this time; the charter says where. */
function giveAddress(control: DataFolder, worker: DataFolder, address: string): void {
  const charter = openCharter(control.need("charter"), null, openIdentity(control.key));
  if (!charter.ok)
    throw new OttoError("OTTO_DATA_FOLDER_INVALID", {
      what: `The charter in ${control.path} is not one: ${charter.problem}.`,
      next: `Remove ${control.path} and ${worker.path}; they are made again. Runs kept there are lost.`,
    });
  control.saveConfig({ ...control.config(), listen: [address] });
  worker.write("charter", moveFounder(control, charter.value, [address]));
}

async function answers(folder: DataFolder): Promise<boolean> {
  try {
    (await connectLocally(folder.socket)).abort();
    return true;
  } catch {
    return false;
  }
}

/** A worker whose control peer is gone would hold the folder that the new worker needs. */
async function stopLeftWorker(worker: DataFolder, isRunning: boolean): Promise<void> {
  const pid = isRunning ? worker.running()?.pid : undefined;
  if (pid === undefined) return;
  signalProcess(pid, "SIGTERM");
  for (let waitedMs = 0; waitedMs < limits.drainMsMax && isAlive(pid); waitedMs += 20) await sleep(20);
  signalProcess(pid, "SIGKILL");
}

/**
 * Asks the process of a folder to stop and waits until all of it is gone. False when there was none.
 *
 * @throws `OTTO_TIMED_OUT`: it is still there.
 */
export async function stopProcess(folder: DataFolder, withinMs = limits.drainMsMax * 2): Promise<boolean> {
  const pid = folder.running()?.pid;
  if (pid === undefined || !isAlive(pid) || !signalProcess(pid, "SIGTERM")) return false;
  const deadlineMs = Date.now() + withinMs;
  while (isAlive(pid) && Date.now() < deadlineMs) await sleep(20);
  if (!isAlive(pid)) return true;
  throw new OttoError("OTTO_TIMED_OUT", {
    what: `Process ${pid} of ${folder.path} does not stop.`,
    state: "It still runs, and holds its folder and its port.",
    next: `End it with: kill -9 ${pid}`,
  });
}

/** False also for a process that has ended and only waits for its parent to notice. */
function start(program: Program, folder: DataFolder): Promise<void> {
  const log = openSync(join(folder.path, "log"), "w", 0o600);
  const child = fork(programPath(program), [folder.path], {
    detached: true,
    cwd: folder.path,
    stdio: ["ignore", log, log, "ipc"],
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  closeSync(log);
  return new Promise((resolve, reject) => {
    const failed = (error: OttoError): void => {
      child.removeAllListeners();
      child.unref();
      reject(error);
    };
    child.once("message", (message) => {
      const report = message as StartReport;
      child.removeAllListeners();
      child.unref();
      if (report.kind === "ready") return resolve();
      const { what, next } = report;
      // Another command line was faster: its mesh serves this one, too.
      if (report.code === "OTTO_DATA_FOLDER_IN_USE") return void waitFor(folder).then(resolve, reject);
      const code = Object.hasOwn(errorCodes, report.code) ? (report.code as ErrorCode) : "OTTO_START_FAILED";
      reject(new OttoError(code, { what, state: "Nothing was submitted.", next }));
    });
    child.once("error", (cause) => failed(startFailed(program, folder, cause)));
    child.once("exit", (code) => failed(startFailed(program, folder, new Error(`exit code ${code}`))));
  });
}

async function waitFor(folder: DataFolder): Promise<void> {
  for (let waitedMs = 0; waitedMs < limits.requestMsMax; waitedMs += 20) {
    if (await answers(folder)) return;
    await sleep(20);
  }
  throw new OttoError("OTTO_START_FAILED", {
    what: `Another Otto process holds ${folder.path} and does not answer.`,
    state: "Nothing was submitted.",
    next: "Stop it with `otto down`, then try again.",
  });
}

function startFailed(program: Program, folder: DataFolder, cause: unknown): OttoError {
  return new OttoError("OTTO_START_FAILED", {
    what: `The embedded ${program} process did not start.`,
    state: "Nothing was submitted.",
    next: `Look at ${join(folder.path, "log")} for the reason.`,
    cause,
  });
}
