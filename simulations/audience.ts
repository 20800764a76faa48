/** Who of the checkers wants to see which observations: nobody is asked about what it does not look at. */

import type { Checker, Observation } from "./observation.ts";

type Shown = {
  readonly toAll: readonly Checker[];
  /** Of observations that are about a message: who looks at those of its kind. */
  readonly byMessage: Map<string, readonly Checker[]>;
};

export class Audience {
  readonly #checkers: readonly Checker[];
  readonly #shown = new Map<string, Shown>();

  constructor(checkers: readonly Checker[]) {
    this.#checkers = checkers;
  }

  /** In the order in which the checkers were named. @throws what one of them throws. */
  show(observation: Observation): void {
    const { kind } = observation;
    let shown = this.#shown.get(kind);
    if (shown === undefined)
      this.#shown.set(kind, (shown = { toAll: this.#lookingAt(kind, null), byMessage: new Map() }));
    for (const checker of this.#of(shown, observation)) checker.observe(observation);
  }

  #of(shown: Shown, observation: Observation): readonly Checker[] {
    if (observation.kind !== "sent" && observation.kind !== "received") return shown.toAll;
    const { kind } = observation.message;
    let looking = shown.byMessage.get(kind);
    if (looking === undefined) shown.byMessage.set(kind, (looking = this.#lookingAt(observation.kind, kind)));
    return looking;
  }

  #lookingAt(kind: Observation["kind"], message: string | null): readonly Checker[] {
    return this.#checkers.filter(
      ({ looksAt }) =>
        looksAt === undefined ||
        looksAt.some((look) => look === kind || (message !== null && look === `${kind} ${message}`)),
    );
  }
}
