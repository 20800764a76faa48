/**
 * A control peer as a process: the real side of `node/core/control.ts`.
 *
 * Until the charter lists as many control peers as it is to have, nothing is decided: the founder only lets peers
 * join. Then the core starts. Everything that the core asks for is performed here, in its order.
 */

import type { AnswerItem } from "../../protocol/calls.ts";
import { OttoError, unreachable } from "../../protocol/errors.ts";
import { type Event, isOfRun } from "../../protocol/events.ts";
import { limits } from "../../protocol/limits.ts";
import { nameBundle } from "../../protocol/manifest.ts";
import { isFormed } from "../../protocol/membership.ts";
import type { Request } from "../../protocol/requests.ts";
import { recipientTopic } from "../../protocol/credentials/sealed-secret.ts";
import { outcomeSigned, whyUnsigned } from "../core/released.ts";
import { ControlCore, controlKeys, keysAtStart } from "../core/control.ts";
import type { ControlEffect, ControlInput, PollRequest, ReleaseTold } from "../core/effects.ts";
import { Loop } from "../core/loop.ts";
import { answerTo } from "../core/output-sender.ts";
import {
  answerRefused,
  cancelRefused,
  documentRefused,
  notFormed,
  removalRefused,
  signedElsewhere,
  submissionRefused,
} from "./answer-words.ts";
import type { CallActions, ControlActions } from "./call-actions.ts";
import { CallServer } from "./call-server.ts";
import { Certifying } from "./certifying.ts";
import { realClock } from "./clock.ts";
import { exportRun } from "./exporting.ts";
import { wordsOf } from "./error-words.ts";
import { askFor } from "./client.ts";
import { Brokering } from "./broker/brokering.ts";
import { backupOf } from "./backup.ts";
import { controlsSeen, recharter } from "./controls.ts";
import { InviteUse } from "./invite-use.ts";
import { Joining } from "./joining.ts";
import { KeptEntries } from "./kept-entries.ts";
import { type NodeHost, openHost } from "./node-host.ts";
import { findPlan } from "./plan-finder.ts";
import { signProvenance } from "./provenance.ts";
import { Outputs } from "./outputs.ts";
import { poll } from "./polling.ts";
import { Releasing } from "./releasing.ts";
import { Replication } from "./replication.ts";
import { tellRevocations } from "./revoking.ts";
import { Views } from "./views.ts";

export type RunningNode = {
  readonly host: NodeHost;
  /** Resolves when the node has stopped, with what made it stop, or null when it was asked to. */
  readonly stopped: Promise<unknown>;
  /** Of a worker: how it keeps steps apart, as a sentence. */
  readonly isolation?: string;
  stop(): Promise<void>;
};

export async function startControl(path: string): Promise<RunningNode> {
  const queued: ControlInput[] = [];
  let control: ControlNode | null = null;
  const post = (input: ControlInput): void =>
    void (control === null ? queued.push(input) : control.post(input));
  const host = await openHost(path, {
    up: (peer, role, allowed) => {
      post({ kind: "peer-up", peer, role, allowed });
      control?.peerUp(peer);
    },
    down: (peer) => post({ kind: "peer-down", peer }),
    message: (from, message) => post({ kind: "message", from, message }),
    call: (channel) => (control === null ? channel.abort() : control.calls.accept(channel)),
    charter: () => control?.charterChanged(),
    brokered: (stream, worker) =>
      control === null ? stream.abort(new Error("starting")) : control.brokering.accept(stream, worker),
  });
  control = new ControlNode(host);
  try {
    await control.start();
  } catch (error) {
    await control.stop();
    throw error;
  }
  for (const input of queued) control.post(input);
  return control;
}

/** Live output is the home's, and what it alone decides or knows best. */
const asksHome: ReadonlySet<Request["call"]> = new Set([
  "watch",
  "find-plan",
  "cancel",
  "answer",
  "export",
  "use-invite",
  "schedules",
  "remove-schedule",
  "recharter",
  "put-document",
  "gates",
  "release",
] as const);

class ControlNode implements RunningNode {
  readonly host: NodeHost;
  readonly calls: CallServer;
  readonly brokering: Brokering;
  readonly stopped: Promise<unknown>;
  readonly #outputs: Outputs;
  readonly #views: Views;
  readonly #kept: KeptEntries;
  readonly #replication: Replication;
  readonly #inviteUse: InviteUse;
  readonly #certifying: Certifying;
  readonly #joining: Joining;
  readonly #releasing: Releasing;
  #core: ControlCore | null = null;
  #loop: Loop<ControlInput, ControlEffect> | null = null;
  /** What happened before the core was there. */
  #early: ControlInput[] = [];
  #home: string | null = null;
  #busyAtMs = realClock.monotonicMs();
  #idleTimer: NodeJS.Timeout | null = null;
  #stopping = false;
  #resolveStopped: (cause: unknown) => void = () => undefined;

  constructor(host: NodeHost) {
    this.host = host;
    const { storage, blobs, identity, membership, fetching } = host;
    this.stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
    const { domain } = membership.charter;
    this.#outputs = new Outputs(host.folder.outputs);
    this.#views = new Views({
      domain,
      storage,
      openRuns: () => this.#core?.openRuns() ?? [],
      openPlan: (run) => this.#core?.openPlan(run) ?? null,
      blobs,
      outputs: this.#outputs,
      fetch: (some) => fetching.blobs(some),
      outputElsewhere: (name, offset) => fetching.outputElsewhere(name, offset),
    });
    this.#kept = new KeptEntries({
      storage,
      send: (to, message) => host.network.send(to, message),
      contested: (evidence) => this.post({ kind: "contested", evidence }),
      failed: (cause) => this.#fail(cause),
    });
    this.#replication = new Replication({
      blobs,
      storage,
      clock: realClock,
      bring: {
        log: (digest) => fetching.blobs([digest]),
        tree: (digest) => fetching.source({ kind: "tree", tree: digest }, [], null),
      },
      failed: (cause) => this.#fail(cause),
    });
    this.#inviteUse = new InviteUse({ host, home: () => this.#home, post: (input) => this.post(input) });
    this.#releasing = new Releasing({
      identity,
      blobs,
      bundle: (run) => this.#bundleOf(run),
      bring: (tree) => fetching.source({ kind: "tree", tree }, [], null),
    });
    this.#certifying = new Certifying(host, (nonce, peer) => this.#inviteUse.anywhere(nonce, peer));
    this.#joining = new Joining(host, this.#certifying);
    this.brokering = new Brokering({
      host,
      core: () => this.#core,
      put: (document) => this.#putAnywhere(document),
    });
    this.calls = new CallServer(host, this.#actions());
  }

  async start(): Promise<void> {
    await this.#views.start();
    await this.#startCore();
    await this.host.serve();
    this.#dialOthers();
    await this.#replication.start();
    const { idleMs } = this.host.config;
    if (idleMs !== null)
      this.#idleTimer = setInterval(() => this.#stopWhenIdle(idleMs), Math.min(idleMs, 5_000));
  }

  post(input: ControlInput): void {
    if (this.#loop === null) this.#early.push(input);
    else this.#loop.post(input);
  }

  charterChanged(): void {
    this.#dialOthers();
    if (this.#core === null) this.#startCore().catch((cause: unknown) => this.#fail(cause));
    else this.post({ kind: "charter", charter: this.host.membership.charter });
  }

  peerUp(peer: string): void {
    this.#replication.peerUp();
    if (this.#core !== null) tellRevocations(this.host, this.#core.documents, peer);
  }

  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#replication.stop();
    if (this.#idleTimer !== null) clearInterval(this.#idleTimer);
    this.calls.closeAll();
    this.brokering.close();
    await this.#loop?.stop();
    await this.host.close();
    this.#resolveStopped(null);
  }

  async #startCore(): Promise<void> {
    const { membership, identity, storage, incarnation } = this.host;
    if (this.#core !== null || !isFormed(membership.charter)) return;
    const stored = (await Promise.all(keysAtStart.map((prefix) => storage.list(prefix)))).flat();
    const now = { monotonicMs: realClock.monotonicMs(), wallMs: realClock.wallMs() };
    const { store, network } = this.host;
    const charter = { charter: membership.charter, bytes: membership.charterBytes };
    const { addresses } = network;
    const core = new ControlCore({ charter, store, addresses, keys: identity, incarnation, stored }, now);
    this.#core = core;
    this.#loop = new Loop<ControlInput, ControlEffect>({
      decide: (inputs, at) => {
        const effects = core.decide(inputs, at);
        this.brokering.recheck();
        return effects;
      },
      perform: (effect) => this.#perform(effect),
      clock: realClock,
      storage,
      tick: { input: { kind: "tick" }, afterMs: (now) => core.tickAfterMs(now) },
      failed: (cause) => this.#fail(cause),
    });
    this.#loop.start();
    for (const input of this.#early.splice(0)) this.#loop.post(input);
  }

  #tellRevoked(): void {
    const { host } = this;
    const core = this.#core;
    if (core === null || core.revoked === host.membership.revoked) return;
    host.revoke(core.revoked);
    tellRevocations(host, core.documents);
  }

  #dialOthers(): void {
    this.host.network.dialExactly(this.host.membership.charter.controls);
  }

  #perform(effect: Exclude<ControlEffect, { kind: "store" }>): void {
    const { host } = this;
    switch (effect.kind) {
      case "send":
        if (effect.to === host.identity.peer)
          return this.post({ kind: "message", from: effect.to, message: effect.message });
        return host.network.send(effect.to, effect.message);
      case "publish":
        return host.publish(effect.message);
      case "fetch-bundle":
        return this.#fetchBundle(effect);
      case "fetch-source":
        return this.#fetchSource(effect);
      case "recorded":
        this.#busyAtMs = realClock.monotonicMs();
        return this.#recorded(effect.events.filter(isOfRun));
      case "keep-output":
        return this.#keepOutput(effect);
      case "send-entries":
        return this.#kept.sendEntries(effect);
      case "compare-entry":
        return this.#kept.compare(effect);
      case "send-fork":
        return this.#kept.sendFork(effect);
      case "log-frozen":
        if (effect.own) this.#fail(signedElsewhere(effect.fork));
        return;
      case "home-is":
        this.#home = effect.home;
        if (effect.home !== null && effect.home !== host.identity.peer) this.calls.endFollowing();
        return this.#tellRecipient();
      case "documents-changed":
        return this.#tellRevoked();
      case "chartered":
        return host.adoptCharter(effect.bytes, effect.charter);
      case "poll":
        return this.#poll(effect.request);
      case "release":
        return this.#release(effect.told);
      case "answer":
        return host.questions.answer(effect.question, effect.answer);
      case "count-refused":
        host.refused.set(effect.because, (host.refused.get(effect.because) ?? 0) + 1);
        return;
      default:
        return unreachable(effect);
    }
  }

  #recorded(events: readonly Event[]): void {
    this.#views.record(events);
    this.#replication.heard(events);
  }

  #fetchBundle({ run, digest, from }: Extract<ControlEffect, { kind: "fetch-bundle" }>): void {
    const done = (found: { bytes: Uint8Array; from: string } | null): void => {
      const bytes = found?.bytes ?? null;
      this.post({ kind: "bundle", run, digest, from: found?.from ?? from, bytes, question: null });
    };
    this.host.fetching.bundle({ run, digest }, from).then(done, () => done(null));
  }

  #fetchSource({ run, source, libraries, from }: Extract<ControlEffect, { kind: "fetch-source" }>): void {
    this.host.fetching.source(source, libraries, from).then(
      () => this.post({ kind: "source", run, problem: null }),
      (error: unknown) =>
        this.post({ kind: "source", run, problem: error instanceof Error ? error.message : String(error) }),
    );
  }

  #keepOutput({ from, step, output }: Extract<ControlEffect, { kind: "keep-output" }>): void {
    const { run, attempt } = output;
    const end = this.#views.output({ run, step, attempt }, output);
    const answer = answerTo(output, end);
    if (answer !== null) this.host.network.send(from, answer);
  }

  #poll(request: PollRequest): void {
    poll(request).then(
      (polled) => this.post({ kind: "polled", polled }),
      (cause: unknown) => this.#fail(cause),
    );
  }

  async #bundleOf(run: string): Promise<Uint8Array | null> {
    const { storage } = this.host;
    const { bundles, orders, archive } = controlKeys;
    for (const prefix of [bundles, orders, archive]) {
      const found = await storage.get(prefix + run);
      if (found !== undefined) return found;
    }
    return null;
  }

  #release(told: ReleaseTold): void {
    const { run, index } = told;
    this.#releasing.tell(told).then(
      (answer) => this.post({ kind: "release-told", run, index, answer }),
      (cause: unknown) => this.#fail(cause),
    );
  }

  /** Takes a step of another domain's, unless it was taken, and says how it is. */
  async #released(bundle: Uint8Array): Promise<Extract<AnswerItem, { kind: "released" }>> {
    const name = nameBundle(bundle);
    const run = name?.run ?? "";
    const { membership, identity } = this.host;
    const events = await this.#views.eventsOf(run);
    const outcome = outcomeSigned(events, membership.charter.domain, identity);
    if (outcome !== null) return { kind: "released", state: "done", detail: "", outcome };
    const end = await this.#views.endOf(run);
    if (end !== null) return { kind: "released", state: "refused", detail: whyUnsigned(end), outcome: null };
    if (this.#core?.isKnown(run) !== true) {
      try {
        await this.#submit(bundle);
      } catch (error) {
        if (!(error instanceof OttoError) || error.code === "OTTO_UNREACHABLE") throw error;
        return { kind: "released", state: "refused", detail: error.message, outcome: null };
      }
    }
    const gate = this.#core?.closedGates.find((one) => one.run === run);
    const detail = gate === undefined ? "" : `it waits at a gate: ${gate.missing.join("; ")}`;
    return { kind: "released", state: "running", detail, outcome: null };
  }

  #actions(): CallActions {
    return {
      relayTo: (request) => this.#relayTo(request),
      submit: (bundle) => this.#submit(bundle),
      bundle: (run) => this.#bundleOf(run),
      home: () => this.#home,
      isNeighbour: (peer) => this.#core?.isNeighbour(peer) === true,
      forks: () => this.#core?.forks ?? [],
      control: this.#controlActions(),
      stop: () => void this.stop(),
    };
  }

  #controlActions(): ControlActions {
    const { questions } = this.host;
    return {
      watch: (request, signal) => this.#views.watch(request, signal),
      keptOutput: (name, offset) => this.#outputs.read(name, offset),
      runs: () => this.#views.newest(limits.runsListedMax),
      findPlan: (wanted) => findPlan(wanted, this.#views),
      schedules: () =>
        [...(this.#core?.schedules ?? [])].map(([pipeline, value]) => ({ pipeline, ...value })),
      removeSchedule: async (pipeline, by) => {
        const answer = await questions.ask((question) =>
          this.post({ kind: "remove-schedule", pipeline, by, question }),
        );
        if (!answer.ok) throw removalRefused(pipeline, answer);
      },
      cancel: async (run, by) => {
        const answer = await questions.ask((question) => this.post({ kind: "cancel", run, by, question }));
        if (!answer.ok) throw cancelRefused(run, answer);
      },
      answer: async (bytes, said) => {
        const answer = await questions.ask((question) =>
          this.post({ kind: "answer-step", bytes, said, question }),
        );
        if (!answer.ok) throw answerRefused(answer);
      },
      export: (run) => exportRun(this.host, run, this.#core?.policy),
      renew: (renewal) => this.#joining.renew(renewal),
      certify: ({ claim, fromMs }) => this.#certifying.sign(claim, fromMs),
      useInvite: (nonce, peer) => this.#inviteUse.here(nonce, peer),
      join: (request, peer) => this.#joining.join(request, peer),
      controls: () => controlsSeen(this.host, this.#core?.configurations ?? null, () => this.#home),
      release: (bundle) => this.#released(bundle),
      gates: () => this.#core?.closedGates ?? [],
      putDocument: (bytes) => this.#put(bytes),
      uses: (all, verify) => this.brokering.uses(all, verify),
      provenance: (name, all) => signProvenance(this.host, name, { policy: this.#core?.policy, all }),
      documents: async (topic) => {
        // Whoever asks is about to seal a secret; an embedded mesh has told nobody for whom before that.
        if (topic === recipientTopic) await this.brokering.tellRecipient();
        return [...(this.#core?.documents ?? [])].flatMap(([name, { version, bytes }]) =>
          name.startsWith(`${topic}/`) ? [{ version, bytes }] : [],
        );
      },
      backup: () => backupOf(this.host),
      recharter: (charter) => recharter(this.host, charter, (input) => this.post(input)),
    };
  }

  async #put(bytes: Uint8Array): Promise<void> {
    const answer = await this.host.questions.ask((question) =>
      this.post({ kind: "put-document", bytes, question }),
    );
    if (!answer.ok) throw documentRefused(answer);
  }

  async #putAnywhere(document: Uint8Array): Promise<void> {
    const { network, membership, identity } = this.host;
    const { certificate } = membership;
    if (this.#home === null || this.#home === identity.peer) return this.#put(document);
    await askFor(await network.openCall(this.#home), { call: "put-document", certificate, document }, "done");
  }

  /** An embedded mesh has no secrets until somebody sets one, and is told then. */
  #tellRecipient(): void {
    if (this.#home === null || this.host.config.idleMs !== null) return;
    this.brokering.tellRecipient().catch((error: unknown) => {
      if (!this.#stopping)
        process.stderr.write(`otto: no secrets can be sealed for this control peer: ${wordsOf(error)}\n`);
    });
  }

  /** Live output, cancelling, answers, schedules and one-time invites are the home's, and the newest records of a run. */
  #relayTo(request: Request): string | null {
    if (!asksHome.has(request.call) || this.#home === null || this.#home === this.host.identity.peer)
      return null;
    return this.host.network.links.has(this.#home) ? this.#home : null;
  }

  async #submit(bundle: Uint8Array): Promise<string> {
    const { membership, questions } = this.host;
    if (!isFormed(membership.charter))
      throw notFormed(membership.charter.controls.length, membership.charter.size);
    // Only a name: the core judges the bundle, once.
    const { run, digest } = nameBundle(bundle) ?? { run: "", digest: "" };
    const answer = await questions.ask((question) =>
      this.post({ kind: "bundle", run, digest, from: null, bytes: bundle, question }),
    );
    if (!answer.ok) throw submissionRefused(answer);
    this.#views.appeared(run);
    return run;
  }

  #stopWhenIdle(idleMs: number): void {
    const nowMs = realClock.monotonicMs();
    const busy = this.calls.open > 0 || this.#views.watched > 0 || this.#core?.hasOpenRuns === true;
    if (busy) this.#busyAtMs = nowMs;
    else if (nowMs - this.#busyAtMs >= idleMs) void this.stop();
  }

  /** Nothing that was acknowledged is lost; but this process can promise no more. */
  #fail(cause: unknown): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#replication.stop();
    this.calls.closeAll();
    this.brokering.close();
    this.host.close().then(
      () => this.#resolveStopped(cause),
      () => this.#resolveStopped(cause),
    );
  }
}
