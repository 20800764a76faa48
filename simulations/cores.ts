/** The real core of a simulated peer, as a process makes it that starts from its disk. */

import type { Installed } from "../node/core/configurations.ts";
import { ControlCore, controlKeys } from "../node/core/control.ts";
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
  { disk, charter, store }: { readonly disk: Disk; readonly charter: Installed; readonly store: string },
  incarnation: string,
  now: Now,
): AnyCore {
  const stored = (prefixes: readonly string[]) => prefixes.flatMap((prefix) => disk.list(prefix));
  if (role === "control") {
    const { bundles, orders, backlog, registers, acceptor, configuration, heads, forks } = controlKeys;
    const kept = stored([bundles, orders, backlog, registers, acceptor, configuration, heads, forks]);
    const own = { charter, store, addresses: [], keys, incarnation, stored: kept };
    return new ControlCore(own, now) as AnyCore;
  }
  let drawn = 0;
  const integer = (below: number) => {
    drawn += 1;
    return hashOf(seed, incarnation, drawn, "random") % below;
  };
  const pending = stored([workerKeys.pending]);
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
