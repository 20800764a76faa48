/**
 * Each register is linearizable: whatever workers, people and readers of logs were told, there is one order of all that
 * was asked of it in which every answer is right, and which nobody's clock contradicts. Judged when the world is over,
 * also when something in it did not come to its end.
 */

import { linearizable } from "../linearizability/search.ts";
import { RegisterHistory } from "../linearizability/history.ts";
import { type Checker, Violation } from "../observation.ts";

export function linearizabilityChecker(): Checker {
  const history = new RegisterHistory();
  return {
    name: "linearizability",
    looksAt: [
      "submitted",
      "up",
      "sent pull",
      "sent result",
      "sent accept",
      "sent grant",
      "sent ack",
      "lied",
      "recorded",
      "asked-to-cancel",
      "answered",
    ],
    observe: (observation) => history.observe(observation),
    finish: () => {
      for (const operations of history.operations().values()) {
        const verdict = linearizable(operations);
        if (verdict.kind === "violated")
          throw new Violation(
            "linearizability",
            `${verdict.why}; placed: ${verdict.placed.map(({ input }) => input.kind).join(" ")}`,
          );
      }
    },
  };
}
