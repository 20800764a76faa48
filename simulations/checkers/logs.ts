/**
 * In the end every control peer holds every log from its first entry to its last, each entry chained to the one before by
 * its hash, and the same bytes in one place everywhere.
 */

import { historyKeys } from "../../node/core/history.ts";
import { openEntry } from "../../protocol/log.ts";
import { decodeValue, sha256Hex } from "../../protocol/values.ts";
import { simulatedVerifier } from "../keys.ts";
import { type Checker, type Ending, type PeerName, Violation } from "../observation.ts";

export function logsChecker(): Checker {
  return {
    name: "logs",
    looksAt: [],
    observe: () => undefined,
    finish: ({ finished, controls }) => {
      if (!finished) return;
      /** What somebody holds in each place, and the hash of it once it was found good. */
      const known = new Map<string, string>();
      // A log that forked is frozen wherever that was seen: `forks.ts` is about those.
      const forked = new Set(controls.flatMap(({ forks }) => forks));
      for (const control of controls) checkLogs(control, known, forked);
    },
  };
}

function checkLogs(
  { peer, heads, entries }: Ending["controls"][number],
  known: Map<string, string>,
  forked: ReadonlySet<string>,
): void {
  const ends = new Map<string, { seq: number; hash: string }>();
  for (const [key, bytes] of entries) {
    const [log = "", place = ""] = key.slice(historyKeys.entries.length).split("/");
    const seq = Number(place);
    if (forked.has(log)) continue;
    const before = ends.get(log) ?? { seq: 0, hash: "" };
    if (seq !== before.seq + 1) throw broken(peer, `entry ${seq} of log ${log} follows entry ${before.seq}`);
    const hash = sha256Hex(bytes);
    const elsewhere = known.get(key);
    if (elsewhere !== undefined && elsewhere !== hash)
      throw broken(peer, `entry ${seq} of log ${log} is another than elsewhere`);
    if (elsewhere === undefined) checkEntry(peer, { log, seq, prev: before.hash }, bytes);
    known.set(key, hash);
    ends.set(log, { seq, hash });
  }
  for (const [log, seq] of Object.entries(heads))
    if (!forked.has(log.slice(historyKeys.heads.length)))
      checkEnd(peer, log.slice(historyKeys.heads.length), seq, ends);
}

function checkEnd(
  peer: PeerName,
  log: string,
  seq: number,
  ends: ReadonlyMap<string, { readonly seq: number }>,
): void {
  const last = ends.get(log)?.seq ?? 0;
  if (last !== seq)
    throw broken(peer, `log ${log} is said to end with entry ${seq}, and ends with entry ${last}`);
}

function checkEntry(
  peer: PeerName,
  place: { readonly log: string; readonly seq: number; readonly prev: string },
  bytes: Uint8Array,
): void {
  const [, domain] = decodeValue(bytes) as [string, string];
  const opened = openEntry(bytes, domain, simulatedVerifier);
  const { log, seq, prev } = place;
  if (!opened.ok) throw broken(peer, `entry ${seq} of log ${log} is ${opened.problem}`);
  const { entry } = opened.value;
  if (entry.log !== log || entry.seq !== seq)
    throw broken(peer, `entry ${seq} of log ${log} says that it is entry ${entry.seq} of ${entry.log}`);
  if (entry.prev !== prev) throw broken(peer, `entry ${seq} of log ${log} is not chained to the one before`);
}

function broken(peer: PeerName, what: string): Violation {
  return new Violation("logs", `${peer}: ${what}`);
}
