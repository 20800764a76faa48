/**
 * Somebody has a control peer's key: signs another entry in a place of its present log, and shows it to some of the
 * others. What the forged entry tells is true, and told a moment later: so that
 * what comes of the forging is seen, and not what comes of a lie.
 */

import { openEnvelope, sealEnvelope } from "../protocol/envelope.ts";
import { isAfterword, type LogEntry, openEntry } from "../protocol/log.ts";
import { controlKeys } from "../node/core/control.ts";
import type { Peer } from "./peer.ts";
import type { Chance } from "./random.ts";

export type Forged = { readonly log: string; readonly bytes: Uint8Array };

/** A second entry in a place of the author's newest log, or one in the next place before its author writes it. Null: it has told nothing. */
export function forgeEntry(author: Peer, domain: string, chance: Chance): Forged | null {
  const { keys } = author.traits;
  const own = author.disk.list(controlKeys.entries).flatMap(([, bytes]) => {
    const opened = openEntry(bytes, domain, keys);
    return opened.ok && opened.value.signer === keys.peer ? [{ ...opened.value, bytes }] : [];
  });
  const newest = own.filter(({ entry }) => entry.incarnation === author.lifeName);
  const chosen = chance.percent(40) ? newest.at(-1) : newest[chance.integer(newest.length)];
  if (chosen === undefined) return null;
  const envelope = openEnvelope(chosen.bytes, { kind: "log-entry", domain }, keys);
  if (!envelope.ok) return null;
  const written = envelope.value.value as LogEntry;
  const events = written.events.map((event) => ({ ...event, timeMs: event.timeMs + 1 }));
  const isNext = chosen === newest.at(-1) && chance.percent(50);
  const { seq, before } = written;
  const next = {
    seq: seq + 1,
    prev: chosen.hash,
    before: isAfterword(chosen.entry.events) && before === "" ? "" : chosen.hash,
  };
  const forged = { ...written, events, ...(isNext ? next : {}) };
  return { log: forged.log, bytes: sealEnvelope("log-entry", domain, forged, keys) };
}
