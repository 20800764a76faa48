/** What a peer's disk says when a world has ended. */

import type { Event } from "../protocol/events.ts";
import { openEntry } from "../protocol/log.ts";
import { runRegister, type RunValue } from "../protocol/registers/registers.ts";
import { decodeValue } from "../protocol/values.ts";
import { controlKeys } from "../node/core/control.ts";
import { verifySimulated } from "./keys.ts";
import type { Peer } from "./peer.ts";
import { charterOf } from "./workload.ts";

export function isClosedAt(peer: Peer, run: string): boolean {
  const stored = peer.disk.durable(controlKeys.registers + runRegister(run));
  if (stored === undefined) return false;
  const value = decodeValue((decodeValue(stored) as [number, string, string, number, Uint8Array])[4]);
  return (value as RunValue).outcome !== null;
}

export function headsOf(peer: Peer): Record<string, number> {
  const heads = peer.disk.list(controlKeys.heads);
  return Object.fromEntries(heads.map(([key, value]) => [key, (decodeValue(value) as [number])[0]]));
}

export function eventsOf(peer: Peer, seed: number): Event[] {
  const domain = charterOf([], seed).domain;
  return peer.disk.list(controlKeys.entries).flatMap(([, bytes]) => {
    const opened = openEntry(bytes, domain, { verify: verifySimulated });
    return opened.ok ? [...opened.value.entry.events] : [];
  });
}
