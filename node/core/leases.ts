/**
 * Worker sessions and the leases that a home has granted to them, with its own monotonic time.
 *
 * The home offers a step again only L(1+rho) plus a grace after it last heard of the lease; the worker counts
 * L(1-rho) from the moment it sent its renewal. No clock crosses machines. Leases are liveness: what a late worker
 * says is refused by its token, whatever the clocks do.
 *
 * @source C. Gray, D. Cheriton, "Leases: an efficient fault-tolerant mechanism for file cache consistency", SOSP 1989.
 */

import { limits } from "../../protocol/limits.ts";
import type { LeaseRef } from "../../protocol/messages.ts";
import type { StepValue } from "../../protocol/registers/registers.ts";

export type Session = {
  readonly peer: string;
  readonly labels: ReadonlySet<string>;
  readonly slots: number;
};

export type HeldLease = {
  readonly run: string;
  readonly index: number;
  readonly token: number;
  readonly attempt: number;
  readonly worker: string;
  readonly session: string;
  /** The pull that it was granted for. */
  readonly nonce: string;
  readonly fence: number | undefined;
  /** What let it be claimed, of a guarded step. */
  readonly permit: Uint8Array | undefined;
  deadlineMs: number;
  /** True once its end is proposed: it is told to nobody any more. */
  ending: boolean;
};

/** Leases by the nonce of the pull that they were granted for. */
type Pulls = Map<string, Set<HeldLease>>;

/** How long a home waits for a silent worker before it offers the step again. */
export function reofferAfterMs(leaseMs: number): number {
  return Math.ceil(leaseMs * (1 + limits.driftPercentMax / 100)) + limits.leaseGraceMs;
}

/**
 * How long a worker may count on its lease after it sent the message that was answered. What it then stops may take
 * its grace to end, and must have ended before the step is offered again.
 */
export function workerDeadlineMs(leaseMs: number): number {
  return Math.floor(leaseMs * (1 - limits.driftPercentMax / 100) - workerStopMs(leaseMs));
}

/** How long a step may take to end that is stopped because its lease is over. */
export function workerStopMs(leaseMs: number): number {
  return Math.min(limits.killGraceMs, leaseMs / 4);
}

export class Leases {
  readonly #leaseMs: number;
  /** By their keys: a name is only its own peer's, so nobody takes another's by being first. */
  readonly #sessions = new Map<string, Session>();
  /** The keys of each peer's sessions, the oldest first. */
  readonly #ofPeer = new Map<string, Set<string>>();
  /** By run and the step's place in its plan. */
  readonly #held = new Map<string, { readonly leases: (HeldLease | undefined)[]; count: number }>();
  /** The same leases by worker, process and pull. */
  readonly #byProcess = new Map<string, Map<string, Pulls>>();
  #asked = { session: "", process: "" };
  /** No lease runs out before this. */
  #earliestMs = Infinity;

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  session(key: string): Session | undefined {
    return this.#sessions.get(key);
  }

  get sessions(): IterableIterator<[string, Session]> {
    return this.#sessions.entries();
  }

  /**
   * A worker's session is there. Returns the leases of the same worker's earlier process: that process is gone,
   * and its leases end now rather than later.
   */
  open(name: string, session: Session): HeldLease[] {
    const key = sessionKey(session.peer, name);
    this.#sessions.set(key, session);
    this.#ofPeer.set(session.peer, (this.#ofPeer.get(session.peer) ?? new Set()).add(key));
    const own = this.#processOf(name);
    const replaced: HeldLease[] = [];
    for (const [process, pulls] of this.#byProcess.get(session.peer) ?? [])
      if (process !== own) replaced.push(...leasesOf(pulls));
    return replaced;
  }

  /** Before the peer opens one more: forgets its oldest sessions beyond what it may have. Returns the sessions' keys. */
  makeRoom(peer: string, name: string): string[] {
    const own = this.#ofPeer.get(peer);
    if (own === undefined || own.has(sessionKey(peer, name))) return [];
    const forgotten = [...own].slice(0, Math.max(0, own.size + 1 - limits.sessionsPerPeerMax));
    for (const session of forgotten) {
      own.delete(session);
      this.#sessions.delete(session);
    }
    return forgotten;
  }

  /** Forgets the sessions of a peer whose link is down; its leases run on. Returns the sessions' keys. */
  closePeer(peer: string): string[] {
    const closed = [...(this.#ofPeer.get(peer) ?? [])];
    this.#ofPeer.delete(peer);
    for (const id of closed) this.#sessions.delete(id);
    return closed;
  }

  /** The keys of a peer's sessions, the oldest first. */
  sessionsOf(peer: string): Iterable<string> {
    return this.#ofPeer.get(peer) ?? [];
  }

  /** Leases of all processes of a worker. */
  heldBy(worker: string): HeldLease[] {
    return [...(this.#byProcess.get(worker)?.values() ?? [])].flatMap(leasesOf);
  }

  /** The lease that is in a step's register. */
  grant(
    { run, index }: { readonly run: string; readonly index: number },
    leased: Extract<StepValue, { state: "leased" }>,
    nowMs: number,
  ): HeldLease {
    this.end(run, index);
    const { token, attempt, worker, session, nonce, fence, gate } = leased;
    const deadlineMs = nowMs + reofferAfterMs(this.#leaseMs);
    const held: HeldLease = {
      run,
      index,
      token,
      attempt,
      worker,
      session,
      nonce,
      fence,
      permit: gate?.permit,
      deadlineMs,
      ending: false,
    };
    const ofRun = this.#held.get(run) ?? { leases: [], count: 0 };
    if (ofRun.count === 0) this.#held.set(run, ofRun);
    // Without holes it stays an array however many steps are left out.
    while (ofRun.leases.length <= index) ofRun.leases.push(undefined);
    ofRun.leases[index] = held;
    ofRun.count += 1;
    this.#earliestMs = Math.min(this.#earliestMs, held.deadlineMs);
    const processes = this.#byProcess.get(worker) ?? new Map<string, Pulls>();
    if (processes.size === 0) this.#byProcess.set(worker, processes);
    const process = this.#processOf(session);
    const pulls = processes.get(process) ?? new Map<string, Set<HeldLease>>();
    if (pulls.size === 0) processes.set(process, pulls);
    const leases = pulls.get(nonce);
    if (leases === undefined) pulls.set(nonce, new Set([held]));
    else leases.add(held);
    return held;
  }

  end(run: string, index: number): HeldLease | undefined {
    const ofRun = this.#held.get(run);
    const lease = ofRun?.leases[index];
    if (ofRun === undefined || lease === undefined) return undefined;
    ofRun.leases[index] = undefined;
    ofRun.count -= 1;
    if (ofRun.count === 0) this.#held.delete(run);
    const { worker, session, nonce } = lease;
    const process = this.#processOf(session);
    const processes = this.#byProcess.get(worker);
    const pulls = processes?.get(process);
    const leases = pulls?.get(nonce);
    leases?.delete(lease);
    if (leases?.size === 0) pulls?.delete(nonce);
    if (pulls?.size === 0) processes?.delete(process);
    if (processes?.size === 0) this.#byProcess.delete(worker);
    return lease;
  }

  get(run: string, index: number): HeldLease | undefined {
    return this.#held.get(run)?.leases[index];
  }

  /** What was granted for one pull of a worker's, is still leased and stays so as far as this home knows. */
  ofPull(worker: string, session: string, nonce: string): HeldLease[] {
    const leases = this.#byProcess.get(worker)?.get(this.#processOf(session))?.get(nonce) ?? [];
    return [...leases].filter(({ ending }) => !ending);
  }

  /** The worker still works on these. Renews those that are its own under the same token. */
  renew(peer: string, held: readonly LeaseRef[], nowMs: number): void {
    for (const ref of held) {
      const lease = this.get(ref.run, ref.index);
      if (lease?.token === ref.token && lease.worker === peer)
        lease.deadlineMs = nowMs + reofferAfterMs(this.#leaseMs);
    }
  }

  /** True when one of these, still the peer's own, is being taken back: to whom it goes next may be decided already. */
  isEnding(peer: string, held: readonly LeaseRef[]): boolean {
    return held.some((ref) => {
      const lease = this.get(ref.run, ref.index);
      return lease?.token === ref.token && lease.worker === peer && lease.ending;
    });
  }

  expired(nowMs: number): HeldLease[] {
    if (nowMs < this.#earliestMs) return [];
    const expired: HeldLease[] = [];
    this.#earliestMs = Infinity;
    for (const { leases } of this.#held.values())
      for (const lease of leases) {
        if (lease === undefined) continue;
        this.#earliestMs = Math.min(this.#earliestMs, lease.deadlineMs);
        if (lease.deadlineMs <= nowMs) expired.push(lease);
      }
    return expired;
  }

  /** Counts one more full time for a lease whose expiry is being decided, so that it is proposed once. */
  postpone(lease: HeldLease, nowMs: number): void {
    lease.deadlineMs = nowMs + reofferAfterMs(this.#leaseMs);
  }

  /** The reign is over: what was granted is the next home's to watch. Sessions stay: their links are up. */
  clearHeld(): void {
    this.#held.clear();
    this.#byProcess.clear();
    this.#earliestMs = Infinity;
  }

  /** A session's name is `<process>:<number>`. The one asked for last is kept: most are asked for many times in a row. */
  #processOf(session: string): string {
    if (session !== this.#asked.session)
      this.#asked = { session, process: session.slice(0, session.indexOf(":")) };
    return this.#asked.process;
  }
}

function leasesOf(pulls: Pulls): HeldLease[] {
  return [...pulls.values()].flatMap((leases) => [...leases]);
}

/** What a worker's session is known by at its home. */
export function sessionKey(peer: string, name: string): string {
  return `${peer} ${name}`;
}

export function sessionName(key: string): string {
  return key.slice(key.indexOf(" ") + 1);
}
