/** In the end everything that was submitted is closed, and all control peers hold one history. */

import { type Checker, Violation } from "../observation.ts";

export function progressChecker(): Checker {
  return {
    name: "progress",
    looksAt: [],
    observe: () => undefined,
    finish: ({ finished, open }) => {
      if (!finished) throw new Violation("progress", open.join("; "));
    },
  };
}
