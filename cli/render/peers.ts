/**
 * Peers as a table.
 */

import { agoWords, shortId } from "../words.ts";
import { paint } from "./line.ts";
import type { Style } from "./line.ts";
import { tableLines } from "./table.ts";

export type PeerRow = {
  readonly peer: string;
  /** What its owner calls it. */
  readonly name: string | null;
  readonly role: "control" | "worker" | "submitter";
  /** `self` is the peer that was asked. */
  readonly state: "self" | "connected" | "unreachable";
  readonly address: string | null;
  /** Since when it has been in that state: wall clock of the peer that was asked. */
  readonly sinceMs: number | null;
};

const stateStyles: Record<PeerRow["state"], Style> = {
  self: "dim",
  connected: "green",
  unreachable: "red",
};

/** @param options.columns of the terminal; null in a pipe, where nothing is cut. */
export function peersTable(
  peers: readonly PeerRow[],
  options: { readonly nowMs: number; readonly color: boolean; readonly columns: number | null },
): readonly string[] {
  if (peers.length === 0) return ["No peers. Start one with `otto up`."];
  // Whole ids in a pipe, where a program may read them.
  const idOf = (peer: string) => (options.columns === null ? peer : shortId(peer));
  const rows = peers.map((peer) => [
    { text: idOf(peer.peer) },
    { text: peer.name ?? "" },
    { text: peer.role },
    { text: peer.state, style: stateStyles[peer.state] },
    { text: peer.sinceMs === null ? "" : agoWords(peer.sinceMs, options.nowMs) },
    { text: peer.address ?? "" },
  ]);
  const titles = ["PEER", "NAME", "ROLE", "STATE", "SINCE", "ADDRESS"];
  const lines = tableLines(
    titles.map((title) => ({ title })),
    rows,
  );
  return lines.map((line) => paint(line, { width: options.columns, color: options.color }));
}
