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
  deadlineMs: number;
};

/** How long a home waits for a silent worker before it offers the step again. */
export function reofferAfterMs(leaseMs: number): number {
  return Math.ceil(leaseMs * (1 + limits.driftPercentMax / 100)) + limits.leaseGraceMs;
}

/**
 * How long a worker may count on its lease after it sent the message that was answered. What it then stops may take
 * its grace to end, and must have ended before the step is offered again.
 */
export function workerDeadlineMs(leaseMs: number): number {
  const stopMs = Math.min(limits.killGraceMs, leaseMs / 4);
  return Math.floor(leaseMs * (1 - limits.driftPercentMax / 100) - stopMs);
}

export class Leases {
  readonly #leaseMs: number;
  readonly #sessions = new Map<string, Session>();
  readonly #held = new Map<string, HeldLease>();

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  session(id: string): Session | undefined {
    return this.#sessions.get(id);
  }

  get sessions(): IterableIterator<[string, Session]> {
    return this.#sessions.entries();
  }

  /**
   * A worker's session is there. Returns the leases of the same worker's earlier process: that process is gone,
   * and its leases end now rather than later.
   */
  open(id: string, session: Session): HeldLease[] {
    this.#sessions.set(id, session);
    const process = processOf(id);
    return [...this.#held.values()].filter(
      (lease) => lease.worker === session.peer && processOf(lease.session) !== process,
    );
  }

  /** Forgets the sessions of a peer whose link is down; its leases run on. Returns the sessions' names. */
  closePeer(peer: string): string[] {
    const closed = [...this.#sessions].filter(([, session]) => session.peer === peer).map(([id]) => id);
    for (const id of closed) this.#sessions.delete(id);
    return closed;
  }

  grant(lease: Omit<HeldLease, "deadlineMs">, nowMs: number): void {
    const deadlineMs = nowMs + reofferAfterMs(this.#leaseMs);
    this.#held.set(key(lease), { ...lease, deadlineMs });
  }

  end(run: string, index: number): HeldLease | undefined {
    const lease = this.#held.get(key({ run, index }));
    this.#held.delete(key({ run, index }));
    return lease;
  }

  get(run: string, index: number): HeldLease | undefined {
    return this.#held.get(key({ run, index }));
  }

  /** The worker still works on these. Renews those that are its own under the same token. */
  renew(peer: string, held: readonly LeaseRef[], nowMs: number): void {
    for (const ref of held) {
      const lease = this.#held.get(key(ref));
      if (lease?.token === ref.token && lease.worker === peer)
        lease.deadlineMs = nowMs + reofferAfterMs(this.#leaseMs);
    }
  }

  expired(nowMs: number): HeldLease[] {
    return [...this.#held.values()].filter((lease) => lease.deadlineMs <= nowMs);
  }

  /** Counts one more full time for a lease whose expiry is being decided, so that it is proposed once. */
  postpone(lease: HeldLease, nowMs: number): void {
    lease.deadlineMs = nowMs + reofferAfterMs(this.#leaseMs);
  }

  /** The reign is over: what was granted is the next home's to watch. Sessions stay: their links are up. */
  clearHeld(): void {
    this.#held.clear();
  }
}

function key({ run, index }: { readonly run: string; readonly index: number }): string {
  return `${run}/${index}`;
}

/** A session's name is `<process>:<number>`. */
function processOf(session: string): string {
  return session.slice(0, session.indexOf(":"));
}
