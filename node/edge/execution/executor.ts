/**
 * The executor of a worker: fetches what a step starts from, has its commands run by the runner, stores what comes
 * out, and says once how it ended.
 *
 *   accepted --files are there--> running --no process is left--> storing --> ended
 *      +------ stopped, out of time, or nothing to start from ------------------^
 *
 * Promises: `ended` comes exactly once per attempt, after all of its output, when none of its processes is left.
 * Whatever goes wrong with one attempt is in its report; the executor goes on. What an earlier executor on the same
 * folder left running is killed before this one starts anything.
 */

import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Mask, maskOf } from "../../../protocol/credentials/masker.ts";
import { OttoError } from "../../../protocol/errors.ts";
import { credentialForImage } from "../../../protocol/credentials/image-credential.ts";
import type { ImageName } from "../../../protocol/image-name.ts";
import { limits } from "../../../protocol/limits.ts";
import type { SandboxLevel } from "../../../protocol/plan.ts";
import type { LogReference, StepReport } from "../../../protocol/report.ts";
import type { Assignment, Executor, ExecutorObserver, StopCause } from "../../ports.ts";
import type { Blobs } from "../blobs.ts";
import { type Gateway, noCredentials, type OpenedCredentials } from "../broker/gateway.ts";
import { type CacheLimits, Caches, type SoughtCache } from "./caches.ts";
import { type PreparedLibrary, prepareLibrary } from "./libraries.ts";
import type { ImageWay } from "./images/image-messages.ts";
import { type Image, ImageStore } from "./images/image-store.ts";
import { readLog } from "./attempt-log.ts";
import { makeMemoryFolder, removeMemoryFolder, removeMemoryFolders } from "./memory-folder.ts";
import { maskReport } from "./masked-report.ts";
import { secretsAmong } from "./pass-variables.ts";
import { machineMs } from "../clock.ts";
import { identityOf, killAll } from "./processes.ts";
import { type End, endOf, problemOf, tooOpen, Unprepared } from "./ends.ts";
import { proxiesAmong, withoutProxies } from "./proxies.ts";
import { boundReport, Tail, tailText } from "./report.ts";
import { RunnerLink } from "./runner-link.ts";
import type { RunnerResult } from "./runner-messages.ts";
import { openSaid } from "./said.ts";
import { Sources } from "./sources.ts";
import { stepEnvironment } from "./step-environment.ts";
import { nothingTaken, take, type Taken } from "./taking.ts";
import {
  foldersOf,
  isApart,
  Isolation,
  type IsolationOptions,
  makeOwnFolders,
  noIsolation,
} from "./sandbox/isolation.ts";
import { type Probed, probeLevels } from "./sandbox/probe.ts";
import { type Workspace, Workspaces } from "./workspaces.ts";

export type ExecutorOptions = {
  /** The worker's own; nobody else may use it at the same time. */
  readonly folder: string;
  readonly blobs: Blobs;
  /** Brings blobs that are missing here into `blobs`, or throws. */
  readonly fetch: (digests: string[]) => Promise<void>;
  readonly observer: ExecutorObserver;
  /** Variables of this machine that every step gets; see `pass-variables.ts`. */
  readonly passVariables: Readonly<Record<string, string>>;
  /** How many attempts run at once as a rule. More are not refused, they only cost more. */
  readonly slots: number;
  /** How long a step may take to end that is stopped, before it is killed: what the worker counts on (`node/core/leases.ts`). */
  readonly graceMs: number;
  /** Opens the way to brokers for an attempt that has credentials. */
  readonly credentials?: Pick<Gateway, "open" | "openSocket">;
  /** Those of `limits`, unless said otherwise. */
  readonly cacheLimits?: CacheLimits;
  /** How far steps are kept apart; without it, not (S0). */
  readonly isolation?: IsolationOptions & {
    /** Files of the worker that no step may read, such as its key. */
    readonly secrets: readonly string[];
  };
};

const pathDefault = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Starts an executor with its runner. Throws `OTTO_START_FAILED` or what the folder's file system says. */
export async function startExecutor(options: ExecutorOptions): Promise<LocalExecutor> {
  const { folder } = options;
  mkdirSync(join(folder, "home"), { recursive: true });
  const identity = identityOf(folder);
  await killAll(identity);
  removeMemoryFolders(identity);
  const { secrets, ...wanted } = options.isolation ?? noIsolation;
  const isolation = new Isolation(folder, identity, wanted);
  const workspaces = new Workspaces(isolation.folder);
  for (const left of ["pipes", "logs", "ways"]) rmSync(join(folder, left), { recursive: true, force: true });
  mkdirSync(join(folder, "logs"));
  const runner = await RunnerLink.start({
    folder,
    executor: identity,
    slots: options.slots,
    environment: {
      PATH: pathDefault,
      LANG: "C.UTF-8",
      CI: "true",
      ...withoutProxies(options.passVariables),
      HOME: join(folder, "home"),
    },
  });
  const logFile = (serial: number): string => join(folder, "logs", String(serial));
  const probed =
    wanted.atMost === "S0" ? [] : await probeLevels({ isolation, runner, workspaces, logFile, secrets });
  return new LocalExecutor(options, { identity, runner, workspaces, isolation, probed });
}

type Attempt = {
  readonly assignment: Assignment;
  readonly serial: number;
  readonly startedAt: number;
  readonly abort: AbortController;
  readonly tail: Tail;
  logBytes: number;
  isRunning: boolean;
  /** By the machine's monotonic clock; null: it has none. */
  deadlineMs: number | null;
  /** Lines that the log begins with. */
  notes: readonly string[];
  sought: readonly SoughtCache[];
  library: PreparedLibrary | null;
  /** The root of its file system, where that is an image. */
  image: Image | null;
  /** In memory, for what it is given itself; null: there is none, or it is given nothing. */
  memory: string | null;
  readonly level: SandboxLevel | null;
  /** What it may know and others may not; of a step that did not begin, what every step may know. */
  secrets: readonly Uint8Array[];
  mask: Mask;
};

export class LocalExecutor implements Executor {
  readonly #options: ExecutorOptions;
  readonly #identity: string;
  readonly #runner: RunnerLink;
  readonly #workspaces: Workspaces;
  readonly #isolation: Isolation;
  /** What was found when it started, above S0. */
  readonly probed: readonly Probed[];
  readonly #sources: Sources;
  readonly #caches: Caches;
  readonly #images: ImageStore;
  readonly #secrets: readonly Uint8Array[];
  readonly #mask: Mask;
  readonly #attempts = new Map<string, Attempt>();
  readonly #executions = new Set<Promise<void>>();
  #serial = 0;

  constructor(
    options: ExecutorOptions,
    parts: {
      readonly identity: string;
      readonly runner: RunnerLink;
      readonly workspaces: Workspaces;
      readonly isolation: Isolation;
      readonly probed: readonly Probed[];
    },
  ) {
    this.#options = options;
    this.#identity = parts.identity;
    this.#runner = parts.runner;
    this.#workspaces = parts.workspaces;
    this.#isolation = parts.isolation;
    this.probed = parts.probed;
    this.#sources = new Sources(options);
    this.#secrets = secretsAmong(options.passVariables);
    this.#mask = maskFor(this.#secrets);
    const { cacheLimits: bounds = limits } = options;
    this.#images = new ImageStore({ folder: join(parts.isolation.folder, "images") });
    this.#caches = new Caches({ folder: join(parts.isolation.folder, "caches"), bounds });
  }

  /** This program, Node, as steps of every level can run it. */
  get node(): string {
    return this.#isolation.node;
  }

  get reached(): readonly SandboxLevel[] {
    return this.#isolation.reached;
  }

  /** The process that the steps are children of; for tests and for the curious. */
  get runnerPid(): number | undefined {
    return this.#runner.pid;
  }

  start(assignment: Assignment, deadlineMs?: number): void {
    this.#serial += 1;
    const attempt: Attempt = {
      assignment,
      serial: this.#serial,
      startedAt: performance.now(),
      abort: new AbortController(),
      tail: new Tail(),
      logBytes: 0,
      isRunning: false,
      notes: [],
      sought: [],
      library: null,
      image: null,
      memory: null,
      level: this.#isolation.levelFor(assignment),
      deadlineMs: deadlineMs === undefined ? null : byMachine(deadlineMs),
      secrets: this.#secrets,
      mask: this.#mask,
    };
    this.#attempts.set(assignment.id, attempt);
    const execution = this.#execute(attempt).finally(() => this.#executions.delete(execution));
    this.#executions.add(execution);
  }

  read(id: string, offset: number, bytesMax: number): Uint8Array {
    const attempt = this.#attempts.get(id);
    if (attempt === undefined || offset >= attempt.logBytes) return new Uint8Array();
    const { tail, logBytes } = attempt;
    const length = Math.min(bytesMax, logBytes - offset);
    return readLog({ tail: tail.bytes(), logBytes, file: this.#logFile(attempt) }, offset, length);
  }

  setDeadline(id: string, deadlineMs: number): void {
    const attempt = this.#attempts.get(id);
    if (attempt === undefined) return;
    attempt.deadlineMs = byMachine(deadlineMs);
    if (attempt.isRunning) this.#runner.setDeadline(attempt.serial, attempt.deadlineMs);
  }

  stop(id: string, _cause: StopCause): void {
    const attempt = this.#attempts.get(id);
    if (attempt === undefined) return;
    attempt.abort.abort();
    if (attempt.isRunning) this.#runner.stop(attempt.serial);
  }

  async close(): Promise<void> {
    for (const id of this.#attempts.keys()) this.stop(id, "cancelled");
    await Promise.all(this.#executions);
    await this.#runner.close();
    await this.#images.close();
    await this.#workspaces.close();
  }

  async #execute(attempt: Attempt): Promise<void> {
    let workspace: Workspace | null = null;
    let end: End;
    let taken = nothingTaken;
    try {
      workspace = this.#workspaces.take();
      end = await this.#prepareAndRun(attempt, workspace);
      if (end.outcome === "passed" || end.outcome === "failed") {
        const { blobs } = this.#options;
        taken = await take(attempt.assignment, { workspace, blobs, mask: attempt.mask });
        if (end.outcome === "passed" && taken.problem !== null)
          end = { ...end, outcome: "failed", problem: taken.problem };
        const kept = end.outcome === "passed" ? await this.#keepCaches(attempt, workspace) : [];
        end = this.#say(attempt, end, [...taken.notes, ...kept]);
      }
    } catch (error) {
      const problem = problemOf(error, this.#options.folder);
      end = { outcome: "failed", problem, result: null, isUnprepared: error instanceof Unprepared };
    }
    const report = await this.#report(attempt, end, taken);
    if (workspace !== null) this.#workspaces.release(workspace);
    attempt.image?.release();
    removeMemoryFolder(attempt.memory);
    this.#attempts.delete(attempt.assignment.id);
    this.#options.observer.ended(attempt.assignment.id, report);
  }

  async #prepareAndRun(attempt: Attempt, workspace: Workspace): Promise<End> {
    const { assignment, level } = attempt;
    if (level === null) return tooOpen(assignment, this.#isolation.reached);
    if (level !== "S0") makeOwnFolders(workspace);
    const stopped = await this.#prepare(attempt, workspace);
    if (stopped !== null) return stopped;
    const opened = await this.#openCredentials(attempt, workspace, level);
    try {
      if (opened.secrets.length > 0) {
        attempt.secrets = [...this.#secrets, ...opened.secrets];
        attempt.mask = maskFor(attempt.secrets);
      }
      return await this.#run(attempt, workspace, { level, opened });
    } finally {
      opened.close();
    }
  }

  async #openCredentials(
    attempt: Attempt,
    { temporary }: Workspace,
    level: SandboxLevel,
  ): Promise<OpenedCredentials> {
    const { credentials } = this.#options;
    if (credentials === undefined) return noCredentials;
    const apart = isApart(level);
    if (!apart && attempt.assignment.credentials.some(({ expose }) => expose === undefined))
      attempt.notes = [
        ...attempt.notes,
        `Isolation of this worker ends at ${level}: until the step ends, whatever runs on the machine can use its credentials.`,
      ];
    const isGivenFiles = attempt.assignment.credentials.some(({ expose }) => expose === "file");
    if (isGivenFiles) attempt.memory = makeMemoryFolder(this.#identity);
    if (isGivenFiles && attempt.memory === null)
      attempt.notes = [
        ...attempt.notes,
        "This worker has no folder in memory: until the step ends, what it is given itself is on the worker's disk.",
      ];
    return credentials.open(attempt.assignment, temporary, apart ? "sandbox" : "machine", attempt.memory);
  }

  async #run(
    attempt: Attempt,
    workspace: Workspace,
    { level, opened }: { readonly level: SandboxLevel; readonly opened: OpenedCredentials },
  ): Promise<End> {
    const { assignment, library, image } = attempt;
    const said = openSaid(workspace.said, assignment);
    await this.#isolation.handOver(level, workspace, attempt.memory);
    attempt.isRunning = true;
    const result = await this.#runner.run(
      {
        serial: attempt.serial,
        workspace: workspace.folder,
        logFile: this.#logFile(attempt),
        preamble: linesOf(attempt.notes),
        commands: library === null ? assignment.commands : [library.command],
        environment: {
          ...this.#proxiesFor(attempt),
          ...(image === null ? {} : variablesIn(image, this.#options.passVariables)),
          ...stepEnvironment(assignment, workspace, level),
          ...opened.variables,
          ...library?.variables,
          ...said,
        },
        secrets: attempt.secrets.map((secret) => Buffer.from(secret).toString("base64")),
        timeoutMs: leftMs(attempt),
        graceMs: this.#options.graceMs,
        confinement: this.#isolation.confine(level, workspace, {
          ports: opened.ports,
          root: image?.root ?? null,
          memory: attempt.memory,
        }),
        bounds: this.#isolation.bounds,
        folders: level === "S0" ? [workspace.folder, workspace.temporary] : foldersOf(workspace),
      },
      {
        signal: attempt.abort.signal,
        deadlineMs: () => attempt.deadlineMs,
        listens: (port, server) => opened.accept(port, server),
        output: (offset, bytes) => {
          attempt.tail.append(bytes);
          attempt.logBytes = offset + bytes.length;
          this.#options.observer.output(assignment.id, offset, bytes);
        },
      },
    );
    return endOf(assignment, result);
  }

  #proxiesFor({ assignment, level }: Attempt): Readonly<Record<string, string>> {
    const hasOwnPorts = assignment.credentials.length > 0;
    return level === null || isApart(level) ? {} : proxiesAmong(this.#options.passVariables, { hasOwnPorts });
  }

  /** Gets the files into the workspace. Returns an end when it was stopped, or ran out of time, on the way. */
  async #prepare(attempt: Attempt, workspace: Workspace): Promise<End | null> {
    const { assignment, abort } = attempt;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      abort.abort();
    }, assignment.timeoutMs);
    const interrupted = new Promise<"interrupted">((resolve) => {
      abort.signal.addEventListener("abort", () => resolve("interrupted"), { once: true });
    });
    try {
      const filling = this.#fill(attempt, workspace);
      // A fetch that cannot be interrupted is left to itself; what it still does ends at its next look.
      filling.catch(() => undefined);
      await Promise.race([filling, interrupted]);
    } catch (error) {
      if (!abort.signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
    }
    if (!abort.signal.aborted) return null;
    if (!isLate)
      return { outcome: "cancelled", problem: "Cancelled before its files were there.", result: null };
    const problem = `The step's time of ${assignment.timeoutMs / 1000} s was over before its files were there.`;
    return { outcome: "timed-out", problem, result: null };
  }

  /** The files of the source and the inputs, the caches, whose keys are made of them, and the step library. */
  async #fill(attempt: Attempt, workspace: Workspace): Promise<void> {
    const { assignment, abort } = attempt;
    const { signal } = abort;
    await this.#sources.fill(workspace.folder, assignment, signal);
    if (assignment.caches.length > 0) {
      const restored = await this.#caches.restore(assignment, this.#rootsOf(attempt, workspace), signal);
      attempt.sought = restored.sought;
      attempt.notes = restored.notes;
    }
    await this.#bringImage(attempt);
    const { blobs } = this.#options;
    const node = this.#isolation.nodeAt(attempt.level ?? "S0");
    const parts = { sources: this.#sources, workspace, blobs, node, signal };
    attempt.library = await prepareLibrary(assignment, parts);
  }

  async #bringImage(attempt: Attempt): Promise<void> {
    const name = this.#isolation.imageFor(attempt.assignment);
    if (name === null) return;
    const { signal } = attempt.abort;
    const called = attempt.assignment.image?.name ?? "";
    const said = (line: string): void => void (attempt.notes = [...attempt.notes, `${called}: ${line}`]);
    const opened = await this.#wayTo(name, attempt);
    let image: Image;
    try {
      image = await this.#images.bring(name, { signal, said, way: opened?.way ?? null });
    } finally {
      opened?.close();
    }
    // Whoever waited for it may have been stopped meanwhile.
    if (signal.aborted) image.release();
    else attempt.image = image;
  }

  /** The step's own credential for the image's registry, where it has one, is used through its broker: the worker does not get it. */
  async #wayTo(
    name: ImageName,
    { assignment, serial }: Attempt,
  ): Promise<{ readonly way: ImageWay; close(): void } | null> {
    const credential = credentialForImage(assignment.credentials, name);
    const { credentials: gateway } = this.#options;
    if (credential === null || gateway === undefined) return null;
    const folder = join(this.#options.folder, "ways");
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const socket = join(folder, String(serial));
    const door = await gateway.openSocket(assignment, credential, socket);
    return { way: { socket, credential: credential.name }, close: () => door.close() };
  }

  /** In what is left of the attempt's time, which a cache is never worth exceeding. */
  async #keepCaches(attempt: Attempt, workspace: Workspace): Promise<readonly string[]> {
    if (attempt.sought.length === 0) return [];
    const signal = AbortSignal.any([attempt.abort.signal, AbortSignal.timeout(leftMs(attempt))]);
    return this.#caches.keep(attempt.sought, this.#rootsOf(attempt, workspace), signal);
  }

  /** Steps that are kept apart have each a home of their own. */
  #rootsOf({ level }: Attempt, workspace: Workspace): { readonly workspace: string; readonly home: string } {
    const home = level === "S0" ? join(this.#options.folder, "home") : workspace.home;
    return { workspace: workspace.folder, home };
  }

  /** Adds lines to the log that the runner has closed. One that is full, or cannot be written, stays as it is. */
  #say(attempt: Attempt, end: End, notes: readonly string[]): End {
    const bytes = Buffer.from(attempt.mask.text(linesOf(notes)));
    if (bytes.length === 0 || end.result === null || attempt.logBytes + bytes.length > limits.logBytesMax)
      return end;
    const { logDigest } = end.result;
    const file = this.#logFile(attempt);
    try {
      if (logDigest !== null) appendFileSync(file, bytes);
      else if (attempt.logBytes + bytes.length > limits.reportTailBytesMax)
        writeFileSync(file, Buffer.concat([attempt.tail.bytes(), bytes]));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      return end;
    }
    this.#options.observer.output(attempt.assignment.id, attempt.logBytes, bytes);
    attempt.tail.append(bytes);
    attempt.logBytes += bytes.length;
    // The digest that the runner had counted is of a shorter log.
    return { ...end, result: { ...end.result, logDigest: null } };
  }

  async #report(attempt: Attempt, end: End, taken: Taken): Promise<StepReport> {
    const { outputs, values, ownOutcome, tests } = taken;
    const commands = end.result?.commands ?? [];
    const tailBytes = attempt.tail.bytes();
    const tail = tailText(tailBytes, limits.reportTailBytesMax);
    // Many commands or outputs may leave no room for the tail: then the log must be somewhere else.
    const isCrowded = commands.length > 20 || outputs.length > 10;
    const isWhole = attempt.logBytes === tailBytes.length && tailBytes.equals(Buffer.from(tail));
    let { problem, outcome } = end;
    let log: LogReference = {
      bytes: attempt.logBytes,
      droppedBytes: end.result?.logDroppedBytes ?? 0,
      digest: null,
    };
    try {
      if (!isWhole || (isCrowded && tail !== "")) {
        log = { ...log, digest: await this.#storeLog(attempt, end.result, tailBytes) };
      }
    } catch (error) {
      // Without a place for the whole log, its tail is the log.
      log = { bytes: tailBytes.length, droppedBytes: attempt.logBytes - tailBytes.length, digest: null };
      if (outcome === "passed") problem = problemOf(error, this.#options.folder);
      if (outcome === "passed") outcome = "failed";
    }
    rmSync(this.#logFile(attempt), { force: true });
    const durationMs = Math.round(performance.now() - attempt.startedAt);
    const isPassed = outcome === "passed";
    const report: StepReport = {
      outcome,
      problem,
      durationMs,
      commands,
      outputs,
      log,
      tail,
      ...(isPassed && values !== undefined ? { values } : {}),
      ...(isPassed && ownOutcome !== undefined ? { ownOutcome } : {}),
      ...(tests === undefined ? {} : { tests }),
      ...(end.isUnprepared === true ? { unprepared: true } : {}),
    };
    return boundReport(maskReport(report, attempt.mask));
  }

  /** Makes the log a blob. It is in a file when it is long, and all in the tail when it is short. */
  async #storeLog(attempt: Attempt, result: RunnerResult | null, tailBytes: Buffer): Promise<string> {
    const { blobs } = this.#options;
    if (attempt.logBytes === tailBytes.length) return blobs.writeBytes(tailBytes);
    const file = this.#logFile(attempt);
    const digest = result?.logDigest ?? null;
    if (digest === null) return blobs.addFile(file);
    await blobs.adoptFile(file, digest);
    return digest;
  }

  #logFile(attempt: Attempt): string {
    return join(this.#options.folder, "logs", String(attempt.serial));
  }
}

function maskFor(secrets: readonly Uint8Array[]): Mask {
  const mask = maskOf(secrets);
  if (mask.ok) return mask.value;
  const what = `Nothing was started: ${mask.problem}`;
  throw new OttoError("OTTO_START_FAILED", {
    what,
    next: "Give the steps of this worker fewer or longer secrets.",
  });
}

/** The moment that this process calls so, as every process of the machine does. */
function byMachine(monotonicMs: number): number {
  return machineMs() + monotonicMs - performance.now();
}

function leftMs({ assignment, startedAt }: Attempt): number {
  return Math.ceil(Math.max(1, assignment.timeoutMs - (performance.now() - startedAt)));
}

/** What the worker's owner lets through is above what the image says; but where programs are is the image's to say. */
function variablesIn(
  { environment }: Image,
  passVariables: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const { PATH: _, ...others } = withoutProxies(passVariables);
  return { PATH: pathDefault, ...environment, ...others };
}

function linesOf(notes: readonly string[]): string {
  return notes.map((note) => `[otto] ${note}\n`).join("");
}
