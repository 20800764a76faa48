/**
 * What workers are to be told of their results. Most have asked for the next step with the result of the last: both are
 * decided in one round, and told in one message.
 */

import { limits } from "../../protocol/limits.ts";
import type { Ack, Message } from "../../protocol/messages.ts";

export class Acks {
  readonly #send: (to: string, message: Message) => void;
  readonly #waiting = new Map<string, Ack[]>();

  constructor(send: (to: string, message: Message) => void) {
    this.#send = send;
  }

  add(worker: string, ack: Ack): void {
    const before = this.#waiting.get(worker);
    if (before === undefined) this.#waiting.set(worker, [ack]);
    else before.push(ack);
  }

  /** What goes with a grant to this worker. */
  take(worker: string): { readonly acks?: readonly Ack[] } {
    const acks = this.#waiting.get(worker)?.splice(0, limits.leasesPerMessageMax) ?? [];
    return acks.length === 0 ? {} : { acks };
  }

  /** Behind all that was decided: the rest, whose workers are granted nothing. */
  tell(): void {
    for (const [worker, acks] of this.#waiting)
      for (const ack of acks) this.#send(worker, { kind: "ack", ...ack });
    this.#waiting.clear();
  }
}
