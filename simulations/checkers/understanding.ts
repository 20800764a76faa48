/** What an honest peer says, of this version or of a later one, is never taken for nonsense. */

import { type Checker, Violation } from "../observation.ts";
import { KnownLiars } from "./known-liars.ts";

export function understandingChecker(): Checker {
  const liars = new KnownLiars();
  return {
    name: "understanding",
    looksAt: ["fault", "unreadable"],
    observe: (observation) => {
      liars.observe(observation);
      if (observation.kind !== "unreadable" || liars.has(observation.from)) return;
      const { peer, from, because } = observation;
      if (because !== "unknown")
        throw new Violation("understanding", `${peer} takes what ${from} says for ${because}`);
    },
    finish: () => undefined,
  };
}
