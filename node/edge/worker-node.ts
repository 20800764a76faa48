/**
 * A worker as a process: the real side of `node/core/worker.ts`. It fetches, prepares, starts steps through its
 * runner and reports; it decides nothing about runs. Calls that only control peers can answer are relayed to them.
 */

import type { Stream } from "@libp2p/interface";
import { allowedLabels } from "../../protocol/allowed.ts";
import { OttoError, unreachable } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { nameBundle } from "../../protocol/manifest.ts";
import { openCertificate } from "../../protocol/certificate.ts";
import type { Request } from "../../protocol/requests.ts";
import type { WorkerEffect, WorkerInput } from "../core/effects.ts";
import { workerStopMs } from "../core/leases.ts";
import { Loop } from "../core/loop.ts";
import { WorkerCore, workerKeys } from "../core/worker.ts";
import { submissionRefused } from "./answer-words.ts";
import { withMachineLabels } from "./machine-labels.ts";
import { Gateway } from "./broker/gateway.ts";
import { sandboxDefault } from "./data-folder.ts";
import { isolationWords } from "./execution/sandbox/probe.ts";
import { CallServer } from "./call-server.ts";
import { realClock, realRandom } from "./clock.ts";
import type { RunningNode } from "./control-node.ts";
import { type LocalExecutor, startExecutor } from "./execution/executor.ts";
import { choosePassVariables } from "./execution/pass-variables.ts";
import { type NodeHost, openHost } from "./node-host.ts";
import { hearRevocations } from "./revoking.ts";
import { OutputSender } from "../core/output-sender.ts";

export async function startWorker(path: string): Promise<RunningNode> {
  const queued: WorkerInput[] = [];
  let worker: WorkerNode | null = null;
  const post = (input: WorkerInput): void => void (worker === null ? queued.push(input) : worker.post(input));
  const host = await openHost(path, {
    up: (peer, role) => post({ kind: "peer-up", peer, role }),
    down: (peer) => post({ kind: "peer-down", peer }),
    message: (from, message) =>
      message.kind === "revocations"
        ? hearRevocations(host, from, message)
        : post({ kind: "message", from, message }),
    call: (channel) => (worker === null ? channel.abort() : worker.calls.accept(channel)),
    charter: () => worker?.charterChanged(),
  });
  let executor: LocalExecutor;
  try {
    executor = await startExecutor({
      folder: host.folder.work,
      blobs: host.blobs,
      fetch: (digests) => host.fetching.blobs(digests),
      passVariables: { ...choosePassVariables(process.env), ...declared(host.config.passVariables) },
      slots: host.config.slots,
      graceMs: workerStopMs(host.membership.charter.leaseMs),
      credentials: new Gateway(() => openBroker(host, worker?.home ?? null)),
      isolation: { ...(host.config.sandbox ?? sandboxDefault), secrets: [host.folder.key] },
      observer: {
        output: (assignment, offset, bytes) =>
          post({ kind: "step-output", assignment, end: offset + bytes.length }),
        ended: (assignment, report) => {
          worker?.forget(assignment);
          post({ kind: "step-ended", assignment, report });
        },
      },
    });
  } catch (error) {
    await host.close();
    throw error;
  }
  worker = new WorkerNode(host, executor);
  await worker.start();
  for (const input of queued) worker.post(input);
  return worker;
}

/** To the home, which knows best whose lease is whose, else to any control peer. */
function openBroker({ network }: NodeHost, home: string | null): Promise<Stream> {
  const controls = [...network.links].filter(([, { role }]) => role === "control").map(([peer]) => peer);
  const [chosen] = home !== null && network.links.has(home) ? [home] : controls;
  if (chosen !== undefined) return network.openBroker(chosen);
  throw new OttoError("OTTO_UNREACHABLE", {
    what: "No control peer is linked.",
    next: "Look with `otto peers`, and try again when one is back.",
  });
}

/** Variables that the worker's operator named: passed whatever they are called. */
function declared(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

class WorkerNode implements RunningNode {
  readonly host: NodeHost;
  readonly calls: CallServer;
  readonly stopped: Promise<unknown>;
  readonly #executor: LocalExecutor;
  readonly #sender: OutputSender;
  #core: WorkerCore | null = null;
  #loop: Loop<WorkerInput, WorkerEffect> | null = null;
  #early: WorkerInput[] = [];
  #busyAtMs = realClock.monotonicMs();
  #idleTimer: NodeJS.Timeout | null = null;
  #stopping = false;
  #resolveStopped: (cause: unknown) => void = () => undefined;
  #drained: () => void = () => undefined;

  constructor(host: NodeHost, executor: LocalExecutor) {
    this.host = host;
    this.#executor = executor;
    this.#sender = new OutputSender((id, offset, bytesMax) => executor.read(id, offset, bytesMax));
    this.stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
    this.calls = new CallServer(host, {
      relayTo: (request) => this.#relayTo(request),
      submit: (bundle) => this.#submit(bundle),
      bundle: async (run) => (await host.storage.get(workerKeys.pending + run)) ?? null,
      home: () => this.#core?.home ?? null,
      isNeighbour: () => false,
      forks: () => [],
      control: null,
      stop: () => void this.stop(),
    });
  }

  /** One sentence for its person. */
  get isolation(): string {
    return isolationWords(this.#executor.reached, this.#executor.probed);
  }

  async start(): Promise<void> {
    await this.#startCore();
    await this.host.serve();
    this.#dialControls();
    const { idleMs } = this.host.config;
    if (idleMs !== null)
      this.#idleTimer = setInterval(() => this.#stopWhenIdle(idleMs), Math.min(idleMs, 5_000));
  }

  get home(): string | null {
    return this.#core?.home ?? null;
  }

  post(input: WorkerInput): void {
    if (this.#loop === null) this.#early.push(input);
    else this.#loop.post(input);
  }

  /** The attempt is over: nothing more of its output is sent. */
  forget(assignment: string): void {
    this.#sender.ended(assignment);
  }

  charterChanged(): void {
    this.#dialControls();
    this.post({ kind: "charter", charter: this.host.membership.charter });
  }

  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    if (this.#idleTimer !== null) clearInterval(this.#idleTimer);
    const drained = new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
    this.post({ kind: "stop" });
    const deadline = setTimeout(() => this.#drained(), limits.drainMsMax);
    await drained;
    clearTimeout(deadline);
    await this.#close();
    this.#resolveStopped(null);
  }

  async #close(): Promise<void> {
    this.calls.closeAll();
    await this.#executor.close();
    await this.#loop?.stop();
    await this.host.close();
  }

  /** The control peers do not count them: whoever started the worker has to know. */
  #sayNotAllowed(labels: readonly string[]): void {
    const { membership, identity } = this.host;
    const own = openCertificate(membership.certificate, membership.charter, 0, identity);
    const allowed = allowedLabels((own.ok && own.value.allowed) || null, labels);
    const without = labels.filter((label) => !allowed.includes(label));
    if (without.length > 0)
      process.stderr.write(
        `otto: The invite of this worker does not let it have ${without.join(", ")}: no step is given to it for that.\n`,
      );
  }

  async #startCore(): Promise<void> {
    const { membership, identity, storage, incarnation, config } = this.host;
    const { charter } = membership;
    const { slots } = config;
    const labels = withMachineLabels(config.labels, this.#executor.reached);
    this.#sayNotAllowed(labels);
    const lists = await Promise.all([workerKeys.pending, workerKeys.policy].map((key) => storage.list(key)));
    const stored = lists.flat();
    const now = { monotonicMs: realClock.monotonicMs(), wallMs: realClock.wallMs() };
    const options = { charter, keys: identity, incarnation, labels, slots, random: realRandom, stored };
    const core = new WorkerCore(options, now);
    this.#core = core;
    this.#loop = new Loop<WorkerInput, WorkerEffect>({
      decide: (inputs, at) => core.decide(inputs, at),
      perform: (effect) => this.#perform(effect),
      clock: realClock,
      storage,
      tick: { input: { kind: "tick" }, afterMs: (now) => core.tickAfterMs(now) },
      failed: (cause) => this.#fail(cause),
    });
    this.#loop.start();
    for (const input of this.#early.splice(0)) this.#loop.post(input);
  }

  #dialControls(): void {
    this.host.network.dialExactly(this.host.membership.charter.controls);
  }

  #perform(effect: Exclude<WorkerEffect, { kind: "store" }>): void {
    const { host } = this;
    switch (effect.kind) {
      case "send":
        return host.network.send(effect.to, effect.message);
      case "publish":
        return host.publish(effect.message);
      case "fetch-bundle":
        return this.#fetchBundle(effect);
      case "start-step":
        this.#busyAtMs = realClock.monotonicMs();
        return this.#executor.start(effect.assignment, effect.deadlineMs);
      case "set-deadline":
        return this.#executor.setDeadline(effect.assignment, effect.deadlineMs);
      case "push-output": {
        const { to, assignment, attempt, ask } = effect;
        const piece = this.#sender.cut(assignment, effect);
        if (piece !== null) host.network.send(to, { kind: "output", ...attempt, ...piece, ask });
        return;
      }
      case "stop-step":
        return this.#executor.stop(effect.assignment, effect.cause);
      case "keep-blobs":
        return this.#keepBlobs(effect);
      case "answer":
        return host.questions.answer(effect.question, effect.answer);
      case "count-refused":
        host.refused.set(effect.because, (host.refused.get(effect.because) ?? 0) + 1);
        return;
      case "stopped":
        return this.#drained();
      default:
        return unreachable(effect);
    }
  }

  #fetchBundle({ run, digest, from }: Extract<WorkerEffect, { kind: "fetch-bundle" }>): void {
    const done = (found: { bytes: Uint8Array; from: string } | null): void => {
      const bytes = found?.bytes ?? null;
      this.post({ kind: "bundle", run, digest, from: found?.from ?? from, bytes, question: null });
    };
    this.host.fetching.bundle({ run, digest }, from).then(done, () => done(null));
  }

  /** Outputs and logs go to a majority of the control peers before the result is told, for as long as it takes. */
  #keepBlobs(effect: Extract<WorkerEffect, { kind: "keep-blobs" }>): void {
    const { assignment, report } = effect;
    const { fetching, membership } = this.host;
    const controls = membership.charter.controls.map(({ peer }) => peer);
    const copies = Math.floor(controls.length / 2) + 1;
    const trees = report.outputs.map(({ tree }) => tree);
    const logs = report.log.digest === null ? [] : [report.log.digest];
    const attempt = async (): Promise<void> => {
      await fetching.keep([...trees, ...logs], controls, copies);
      await fetching.keepTrees(trees, controls, copies);
    };
    attempt().then(
      () => this.post({ kind: "kept", assignment }),
      () => {
        if (!this.#stopping) setTimeout(() => this.#keepBlobs(effect), limits.dialBackoffMsMax / 5);
      },
    );
  }

  #relayTo(request: Request): string | null {
    const here = ["submit", "missing-blobs", "put-blobs", "get-blobs", "bundle", "stop"];
    if (here.includes(request.call)) return null;
    const { links } = this.host.network;
    const home = this.#core?.home ?? null;
    if (home !== null && links.has(home)) return home;
    for (const [peer, { role }] of links) if (role === "control") return peer;
    return null;
  }

  async #submit(bundle: Uint8Array): Promise<string> {
    const { questions } = this.host;
    // Only a name: the core judges the bundle, once.
    const { run, digest } = nameBundle(bundle) ?? { run: "", digest: "" };
    const answer = await questions.ask((question) =>
      this.post({ kind: "bundle", run, digest, from: null, bytes: bundle, question }),
    );
    if (answer.ok) return run;
    throw submissionRefused(answer);
  }

  #stopWhenIdle(idleMs: number): void {
    const nowMs = realClock.monotonicMs();
    if (this.calls.open > 0 || this.#core?.isBusy === true) this.#busyAtMs = nowMs;
    else if (nowMs - this.#busyAtMs >= idleMs) void this.stop();
  }

  #fail(cause: unknown): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#close().then(
      () => this.#resolveStopped(cause),
      () => this.#resolveStopped(cause),
    );
  }
}
