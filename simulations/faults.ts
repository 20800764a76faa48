/**
 * What goes wrong, as data. A schedule is a list of these, so one can be taken out and the rest stays as it was; who
 * makes the lists is `mixes.ts`, who performs them `injection.ts`.
 *
 * All are within what the design claims to survive but for amnesia, and for liars that misuse a control peer's vote.
 */

import type { Falseness } from "./false-home.ts";
import type { Act } from "./liars.ts";
import type { PeerName } from "./observation.ts";

export type Fault = { readonly atUs: number; readonly lastsUs: number } & (
  | LinkFault
  | TrafficFault
  | ProcessFault
  | MachineFault
  | OwnerFault
  | LyingFault
);

type LinkFault =
  /** The two sides cannot reach each other. */
  | { readonly kind: "partition"; readonly side: readonly PeerName[] }
  | { readonly kind: "link-down"; readonly between: readonly [PeerName, PeerName] }
  /** Nothing arrives in one direction, though the link seems up. */
  | { readonly kind: "one-way"; readonly from: PeerName; readonly to: PeerName }
  /** All links of a peer break, again and again. */
  | { readonly kind: "flap"; readonly peer: PeerName; readonly everyUs: number }
  /** Packets are lost, of a hundred so many: TCP sends them again, later each time, and gives up in the end. */
  | {
      readonly kind: "loss";
      readonly between: readonly [PeerName, PeerName];
      readonly percent: number;
    }
  /** A narrow link: each message takes so long, and the next one waits for it. */
  | { readonly kind: "clog"; readonly from: PeerName; readonly to: PeerName; readonly messageUs: number }
  /** When the link breaks, what was under way arrives after all, when the next link is up, and some of it twice. */
  | { readonly kind: "late"; readonly between: readonly [PeerName, PeerName] }
  | { readonly kind: "slow-network" };

/** What has no link of its own: announcements, and calls that bring blobs and bundles. */
type TrafficFault =
  | {
      readonly kind: "gossip";
      readonly lostPercent: number;
      readonly copiesMax: number;
      readonly lateUsMax: number;
      readonly garbledPercent: number;
    }
  | { readonly kind: "calls"; readonly failedPercent: number; readonly garbledPercent: number };

type ProcessFault =
  /** The process is killed and its machine forgets what was not synced; it is started again afterwards. */
  | { readonly kind: "crash"; readonly peer: PeerName }
  /** As a crash, between two effects: `effects` more are performed. */
  | { readonly kind: "fuse"; readonly peer: PeerName; readonly effects: number }
  | { readonly kind: "pause"; readonly peer: PeerName }
  /** The worker is asked to stop, ends a little later, and is started again afterwards. */
  | { readonly kind: "stop"; readonly peer: PeerName }
  /** All of them crash at once, and all are back at once. */
  | { readonly kind: "herd"; readonly peers: readonly PeerName[] }
  /** Its messages have fields that this version does not know, and some are of a kind that it does not know. */
  | { readonly kind: "newer"; readonly peer: PeerName }
  /** Steps that a worker starts do not stop when asked to, print without end, or run until their time is up. */
  | { readonly kind: "unruly"; readonly peer: PeerName };

type MachineFault =
  /** The wall clock is set, while processes run. */
  | { readonly kind: "clock-jump"; readonly peer: PeerName; readonly byMs: number }
  /** The machine sleeps: its monotonic clock stands still, its wall clock goes on. */
  | { readonly kind: "suspend"; readonly peer: PeerName }
  | { readonly kind: "slow-disk"; readonly peer: PeerName }
  /** Nothing more can be written: its process ends, and tries again until there is room. */
  | { readonly kind: "disk-full"; readonly peer: PeerName }
  /**
   * What is on the disk is damaged: the peer refuses to start. A worker is given an empty disk afterwards; a control
   * peer stays away.
   */
  | { readonly kind: "rot"; readonly peer: PeerName }
  /** The disk is empty when the peer is back under its old name, and claims to be the same disk. */
  | { readonly kind: "amnesia"; readonly peer: PeerName };

type OwnerFault =
  /** The owner has these control peers take over. */
  | { readonly kind: "recharter"; readonly controls: readonly PeerName[] }
  /** A crash that takes the disk with it; the owner lets the peer in again. Only while every other member has its own. */
  | { readonly kind: "wipe"; readonly peer: PeerName }
  /** The owner revokes a worker, or a person by the name: it may lie from then on. */
  | { readonly kind: "revoke"; readonly whom: PeerName };

type LyingFault =
  /** So often the peer says something that is not true, besides all that it says as ever. */
  | {
      readonly kind: "liar";
      readonly peer: PeerName;
      readonly acts: readonly Act[];
      readonly everyUs: number;
    }
  /** While it is home, gates are opened that nobody has opened: it looks so often for one that waits. */
  | {
      readonly kind: "false-home";
      readonly peer: PeerName;
      readonly how: Falseness;
      readonly everyUs: number;
    };

export type FaultKind = Fault["kind"];

export type FaultPlan = {
  readonly faults: readonly Fault[];
  /** When everything is healed. */
  readonly overUs: number;
  /** Peers that never come back: fewer than half of the control peers. */
  readonly lost: readonly PeerName[];
};
