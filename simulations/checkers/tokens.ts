/**
 * What workers were told about leases, as anybody on the links could hear it.
 *
 * I1: no two workers were granted one step under one token.
 * I3: a grant's token is above every token told before its pull was sent.
 */

import type { Message } from "../../protocol/messages.ts";
import { type Checker, type Observation, type PeerName, Violation } from "../observation.ts";

type Told = {
  readonly token: number;
  readonly worker: PeerName;
  readonly nonce: string;
  readonly order: number;
};

export function tokensChecker(): Checker {
  const told = new Map<string, Told[]>();
  const pulls = new Map<string, number>();
  let order = 0;

  const grant = (to: PeerName, message: Extract<Message, { kind: "grant" }>) => {
    const pulled = pulls.get(message.nonce);
    if (pulled === undefined) throw new Violation("tokens", `${to} was granted a pull that it never sent`);
    for (const { run, index, token } of message.leases) {
      const step = `${run}/${index}`;
      const before = told.get(step) ?? [];
      for (const other of before) {
        const same = other.worker === to && other.nonce === message.nonce;
        if (other.token === token && !same)
          throw new Violation(
            "tokens",
            `I1: ${step} under token ${token} went to ${other.worker} and to ${to}`,
          );
        if (other.order < pulled && other.token >= token && !same)
          throw new Violation("tokens", `I3: ${step} under ${token} after ${other.token} had been told`);
      }
      told.set(step, [...before, { token, worker: to, nonce: message.nonce, order }]);
    }
  };

  return {
    name: "tokens",
    looksAt: ["sent pull", "sent result", "sent grant", "lied"],
    observe: (observation: Observation) => {
      if (observation.kind !== "sent" && observation.kind !== "lied") return;
      order += 1;
      const { message, to } = observation;
      if (message === null || to === null) return;
      const pull = message.kind === "result" ? message.pull : message.kind === "pull" ? message : undefined;
      if (pull !== undefined && !pulls.has(pull.nonce)) pulls.set(pull.nonce, order);
      if (observation.kind === "sent" && message.kind === "grant") grant(to, message);
    },
    finish: () => undefined,
  };
}
