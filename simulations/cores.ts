/** The real core of a simulated peer, as a process makes it that starts from its disk. */

import type { SignedCharter } from "../protocol/membership.ts";
import { ControlCore, keysAtStart } from "../node/core/control.ts";
import type { ControlEffect, ControlInput, Now, WorkerEffect, WorkerInput } from "../node/core/effects.ts";
import { WorkerCore, workerKeys } from "../node/core/worker.ts";
import type { PeerTraits, Surroundings } from "./peer.ts";
import { hashOf } from "./random.ts";
import type { Disk } from "./storage.ts";

type AnyCore = {
  readonly decide: (
    inputs: readonly (ControlInput | WorkerInput)[],
    now: Now,
  ) => readonly (ControlEffect | WorkerEffect)[];
  readonly tickAfterMs: (now: Now) => number;
};

export function coreOf(
  { role, keys, labels, slots }: PeerTraits,
  { seed }: Pick<Surroundings, "seed">,
  { disk, charter, store }: { readonly disk: Disk; readonly charter: SignedCharter; readonly store: string },
  incarnation: string,
  now: Now,
): AnyCore {
  const stored = (prefixes: readonly string[]) => prefixes.flatMap((prefix) => disk.list(prefix));
  if (role === "control") {
    const own = { charter, store, addresses: [], keys, incarnation, stored: stored(keysAtStart) };
    return new ControlCore(own, now) as AnyCore;
  }
  let drawn = 0;
  const integer = (below: number) => {
    drawn += 1;
    return hashOf(seed, incarnation, drawn, "random") % below;
  };
  const pending = stored([workerKeys.pending, workerKeys.policy]);
  const options = {
    charter: charter.charter,
    keys,
    incarnation,
    labels,
    slots,
    random: { integer },
    stored: pending,
  };
  return new WorkerCore(options, now) as AnyCore;
}
