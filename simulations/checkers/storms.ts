/**
 * Nobody says one thing to one peer over and over: what is said in answer to an answer, or again without waiting, grows
 * with nothing that anybody does. A liar that floods others is answered as often as it asks.
 */

import { type Checker, type PeerName, Violation } from "../observation.ts";
import { KnownLiars } from "./known-liars.ts";

const secondUs = 1_000_000;
/** Of one kind, from one peer to one, within a second: several times what was ever seen. */
const repeatsMax = 150;
/** The same for each peer of a large mesh: a home tells the others of what all its workers do. */
const repeatsEach = 5;
/** Of a step's output, which grows with what the step prints. */
const outputsMax = 600;

/** How often a thing was said within a second. */
type Said = { second: number; count: number };

export function stormsChecker(): Checker {
  const said = new Map<PeerName, Map<PeerName, Map<string, Said>>>();
  const liars = new KnownLiars();
  const peers = new Set<PeerName>();
  return {
    name: "storms",
    looksAt: ["sent", "fault", "up"],
    observe: (observation) => {
      liars.observe(observation);
      if (observation.kind === "up") peers.add(observation.peer);
      if (observation.kind !== "sent" || liars.has(observation.to)) return;
      const { atUs, peer, to, message } = observation;
      const now = Math.floor(atUs / secondUs);
      const one = saidOf(said, peer, to, message.kind);
      one.count = one.second === now ? one.count + 1 : 1;
      one.second = now;
      const most = message.kind === "output" ? outputsMax : Math.max(repeatsMax, repeatsEach * peers.size);
      if (one.count > most)
        throw new Violation("storms", `${peer} > ${to} ${message.kind}: ${one.count} times within a second`);
    },
    finish: () => undefined,
  };
}

function saidOf(
  said: Map<PeerName, Map<PeerName, Map<string, Said>>>,
  from: PeerName,
  to: PeerName,
  kind: string,
): Said {
  let byPeer = said.get(from);
  if (byPeer === undefined) said.set(from, (byPeer = new Map()));
  let byKind = byPeer.get(to);
  if (byKind === undefined) byPeer.set(to, (byKind = new Map()));
  let one = byKind.get(kind);
  if (one === undefined) byKind.set(kind, (one = { second: 0, count: 0 }));
  return one;
}
