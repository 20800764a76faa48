/** Who lied in a world, as an outsider with perfect sight knows: what they were trusted with is theirs to spoil. */

import { simulatedKeys } from "../keys.ts";
import type { Observation, PeerName } from "../observation.ts";

export class KnownLiars {
  readonly #names = new Set<PeerName>();
  readonly #ids = new Set<string>();

  observe(observation: Observation): void {
    if (observation.kind !== "fault" || observation.fault?.kind !== "liar") return;
    this.#names.add(observation.fault.peer);
    this.#ids.add(simulatedKeys(observation.fault.peer).peer);
  }

  /** @param peer its name in the world, or its id. */
  has(peer: string): boolean {
    return this.#names.has(peer) || this.#ids.has(peer);
  }
}
