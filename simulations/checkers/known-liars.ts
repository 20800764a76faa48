/** Who lied in a world, as an outsider with perfect sight knows: what they were trusted with is theirs to spoil. */

import { simulatedKeys } from "../keys.ts";
import type { Observation, PeerName } from "../observation.ts";

export class KnownLiars {
  readonly #names = new Set<PeerName>();
  readonly #ids = new Set<string>();
  #hasFalseHome = false;

  observe(observation: Observation): void {
    if (observation.kind !== "fault") return;
    const { fault } = observation;
    // What runs at a worker that is revoked goes on there, and what it says is no peer's any more.
    if (fault?.kind !== "liar" && fault?.kind !== "false-home" && fault?.kind !== "revoke") return;
    this.#hasFalseHome ||= fault.kind === "false-home";
    const name = fault.kind === "revoke" ? fault.whom : fault.peer;
    this.#names.add(name);
    this.#ids.add(simulatedKeys(name).peer);
  }

  get haveAny(): boolean {
    return this.#names.size > 0;
  }

  /** True once somebody would open gates alone who may be home. */
  get haveFalseHome(): boolean {
    return this.#hasFalseHome;
  }

  /** @param peer its name in the world, or its id. */
  has(peer: string): boolean {
    return this.#names.has(peer) || this.#ids.has(peer);
  }
}
