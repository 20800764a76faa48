/**
 * Blobs of a simulated peer, and how they get from one to another: as calls between real peers bring them, with nothing
 * believed that is not what was asked for.
 */

import { controlKeys } from "../node/core/control.ts";
import type { StepReport } from "../protocol/report.ts";
import { sha256Hex } from "../protocol/values.ts";
import type { PeerName } from "./observation.ts";
import type { Surroundings } from "./peer.ts";
import { hashBetween } from "./random.ts";
import type { Disk } from "./storage.ts";

/** A process that may be gone, or hears later. */
type Reached = { readonly dead: boolean; readonly paused: boolean };

type Wanted = { readonly digest: string; readonly run?: string };

export class PeerBlobs {
  readonly #name: PeerName;
  readonly #around: Surroundings;
  readonly #disk: Disk;
  /** Bundles and trees that are here, by digest. Blobs are durable at once. */
  readonly #blobs = new Map<string, Uint8Array>();
  #asks = 0;

  constructor(name: PeerName, around: Surroundings, disk: Disk) {
    this.#name = name;
    this.#around = around;
    this.#disk = disk;
  }

  set(digest: string, bytes: Uint8Array): void {
    this.#blobs.set(digest, bytes);
  }

  clear(): void {
    this.#blobs.clear();
  }

  /** A blob by its digest, or the bundle of a run that a control peer has made or keeps. */
  holds({ digest, run }: Wanted): Uint8Array | undefined {
    const { bundles, orders, archive } = controlKeys;
    const blob = this.#blobs.get(digest);
    if (blob !== undefined || run === undefined) return blob;
    return this.#disk.get(bundles + run) ?? this.#disk.get(orders + run) ?? this.#disk.get(archive + run);
  }

  /** Brings a blob from the peer named, or from any that is linked and has it. */
  fetch(
    wanted: Wanted & { readonly from: string | null },
    done: (bytes: Uint8Array | null, from: string | null) => void,
  ): void {
    const { agenda, seed, network, traffic, nameOf, peer } = this.#around;
    this.#asks += 1;
    const takesUs = hashBetween(2_000, 250_000, seed, this.#name, this.#asks, "fetch");
    agenda.in(takesUs, () => {
      // A bundle is asked of others, as by a real peer, whoever had it once.
      const own = wanted.run === undefined ? this.#blobs.get(wanted.digest) : undefined;
      if (own !== undefined) return done(own, null);
      const asked = wanted.from === null ? network.linkedTo(this.#name) : [nameOf(wanted.from)];
      const givers = asked.filter(
        (name) =>
          network.isUp(this.#name, name) &&
          peer(name).answers &&
          peer(name).blobs.holds(wanted) !== undefined,
      );
      const isWanted = (bytes: Uint8Array | undefined): boolean =>
        bytes !== undefined && (wanted.run === undefined || sha256Hex(bytes) === wanted.digest);
      // Another bundle of the same run is better than none.
      const giver = givers.find((name) => isWanted(peer(name).blobs.holds(wanted))) ?? givers[0];
      const held = giver === undefined ? undefined : peer(giver).blobs.holds(wanted);
      const bytes = held === undefined ? null : traffic.answer(held);
      if (giver === undefined || bytes === null) return done(null, null);
      // A blob is kept only when it is what was asked for; of a bundle that comes damaged the core is told.
      if (bytes !== held) return done(wanted.run === undefined ? null : bytes, peer(giver).traits.keys.peer);
      if (peer(this.#name).lives && isWanted(bytes)) this.#blobs.set(wanted.digest, bytes);
      done(bytes, peer(giver).traits.keys.peer);
    });
  }

  /** A report's blobs are kept once a control peer has them: asked again until one is there. */
  keep(report: StepReport, life: Reached, kept: () => void): void {
    if (life.dead) return;
    const { agenda, network, peer } = this.#around;
    const controls = network.linkedTo(this.#name).filter((name) => peer(name).traits.role === "control");
    if (controls.length === 0 || life.paused) {
      agenda.in(200_000, () => this.keep(report, life, kept));
      return;
    }
    for (const control of controls)
      for (const { tree } of report.outputs) peer(control).blobs.set(tree, new Uint8Array());
    kept();
  }
}
