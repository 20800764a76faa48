/** What is outside of a mesh settles itself some time: a poll sees nothing yet, or how it ended; a failure only when it looks for one. */

import type { PollRequest } from "../node/core/effects.ts";
import type { Polled } from "../node/core/settlements.ts";
import type { Agenda } from "./agenda.ts";
import { hashBetween } from "./random.ts";

export function pollOutside(
  { run, index, fails }: PollRequest,
  agenda: Agenda,
  seed: number,
  done: (polled: Polled) => void,
): void {
  const takesUs = hashBetween(1_000, 900_000, seed, run, index, agenda.nowUs, "poll");
  agenda.in(takesUs, () => {
    const chance = hashBetween(0, 99, seed, run, index, agenda.nowUs, "polled");
    const verdict = chance < 25 ? "passed" : chance < 35 && fails !== null ? "failed" : null;
    done({ run, index, verdict, detail: "" });
  });
}
