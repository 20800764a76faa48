/** Has the domain decide that an invite is used up, whoever is home: it is good once. */

import { setTimeout as sleep } from "node:timers/promises";
import { exitCodes, OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type { ControlInput } from "../core/effects.ts";
import { askFor } from "./client.ts";
import { realClock } from "./clock.ts";
import type { NodeHost } from "./node-host.ts";

export type InviteUseOptions = {
  readonly host: Pick<NodeHost, "network" | "membership" | "identity" | "questions">;
  readonly home: () => string | null;
  readonly post: (input: ControlInput) => void;
};

export class InviteUse {
  readonly #options: InviteUseOptions;

  constructor(options: InviteUseOptions) {
    this.#options = options;
  }

  /** Asks whoever is home, again and again for a while: right after the forming, or between two homes, nobody is. */
  async anywhere(nonce: string, peer: string): Promise<void> {
    const deadlineMs = realClock.monotonicMs() + limits.requestMsMax;
    for (;;) {
      try {
        return await this.#once(nonce, peer);
      } catch (error) {
        const mayPass = error instanceof OttoError && error.exitCode === exitCodes.unreachable;
        if (!mayPass || realClock.monotonicMs() >= deadlineMs) throw error;
        await sleep(limits.tickMs);
      }
    }
  }

  /** Decides here or not at all: two peers that each take the other for home would ask in a circle. */
  async here(nonce: string, peer: string): Promise<void> {
    const { host, post } = this.#options;
    const answer = await host.questions.ask((question) =>
      post({ kind: "use-invite", nonce, peer, question }),
    );
    if (answer.ok) return;
    const isTaken = answer.reason === "taken";
    throw new OttoError(isTaken ? "OTTO_INVITE_INVALID" : "OTTO_UNREACHABLE", {
      what: isTaken
        ? "This invite was used before."
        : "The domain cannot decide now: no more than half of its control peers can be reached.",
      state: "Nobody joined.",
      next: isTaken ? "Ask for a new one: `otto invite`." : "Try again when they are back.",
    });
  }

  async #once(nonce: string, peer: string): Promise<void> {
    const { network, membership, identity } = this.#options.host;
    const home = this.#options.home();
    if (home === null || home === identity.peer) return this.here(nonce, peer);
    const request = { call: "use-invite", certificate: membership.certificate, nonce, peer } as const;
    await askFor(await network.openCall(home), request, "done");
  }
}
