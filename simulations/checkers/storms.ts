/**
 * Nobody says one thing to one peer over and over: what is said in answer to an answer, or again without waiting, grows
 * with nothing that anybody does. A liar that floods others is answered as often as it asks.
 */

import { type Checker, Violation } from "../observation.ts";
import { KnownLiars } from "./known-liars.ts";

const secondUs = 1_000_000;
/** Of one kind, from one peer to one, within a second: several times what was ever seen. */
const repeatsMax = 150;
/** Of a step's output, which grows with what the step prints. */
const outputsMax = 600;

export function stormsChecker(): Checker {
  let second = 0;
  let said = new Map<string, number>();
  const liars = new KnownLiars();
  return {
    name: "storms",
    observe: (observation) => {
      liars.observe(observation);
      if (observation.kind !== "sent" || liars.has(observation.to)) return;
      const { atUs, peer, to, message } = observation;
      const now = Math.floor(atUs / secondUs);
      if (now !== second) {
        second = now;
        said = new Map();
      }
      const what = `${peer} > ${to} ${message.kind}`;
      const count = (said.get(what) ?? 0) + 1;
      said.set(what, count);
      if (count > (message.kind === "output" ? outputsMax : repeatsMax))
        throw new Violation("storms", `${what}: ${count} times within a second`);
    },
    finish: () => undefined,
  };
}
