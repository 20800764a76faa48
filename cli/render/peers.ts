/**
 * Peers as a table, and what is wrong with one of them.
 */

import type { PeerSeen } from "../../protocol/calls.ts";
import type { Fork } from "../../protocol/fork.ts";
import type { Revocation } from "../../protocol/revocation.ts";
import { agoWords, shortId } from "../words.ts";
import { paint } from "./line.ts";
import type { Style } from "./line.ts";
import { visible } from "./sanitize.ts";
import { tableLines } from "./table.ts";

const stateStyles: Record<PeerSeen["state"], Style> = { self: "dim", linked: "green", unlinked: "red" };

/** @param options.columns of the terminal; null in a pipe, where nothing is cut. */
export function peersTable(
  peers: readonly PeerSeen[],
  options: { readonly nowMs: number; readonly color: boolean; readonly columns: number | null },
): readonly string[] {
  if (peers.length === 0) return ["No peers. Start one with `otto up`."];
  // Whole ids in a pipe, where a program may read them.
  const idOf = (peer: string) => (options.columns === null ? peer : shortId(peer));
  const rows = peers.map((peer) => [
    { text: idOf(peer.peer) },
    { text: peer.name },
    { text: peer.isHome ? `${peer.role}, home` : peer.role },
    { text: peer.state, style: stateStyles[peer.state] },
    { text: peer.sinceMs === null ? "" : agoWords(peer.sinceMs, options.nowMs) },
    { text: addressOf(peer) },
  ]);
  const titles = ["PEER", "NAME", "ROLE", "STATE", "SINCE", "ADDRESS"];
  const lines = tableLines(
    titles.map((title) => ({ title })),
    rows,
  );
  return lines.map((line) => paint(line, { width: options.columns, color: options.color }));
}

/** The first address, ending in the peer it leads to: what `--peer` takes. */
function addressOf({ peer, addresses: [address = ""] }: PeerSeen): string {
  return address === "" || address.includes("/p2p/") ? address : `${address}/p2p/${peer}`;
}

export function revokedWords({ peer, name, because, atMs }: Revocation): string {
  const who = name === "" ? peer : `${name} (${peer})`;
  const why = because === "" ? "" : `: ${because}`;
  return visible(`Revoked at ${new Date(atMs).toISOString().slice(0, 16)}Z: ${who}${why}`);
}

/** The code in front stays, for whoever looks for it in the text. */
export function forkWords({ author, log, seq }: Fork, peers: readonly PeerSeen[]): string {
  const name = peers.find(({ peer }) => peer === author)?.name ?? "";
  const who = name === "" ? author : `${name} (${author})`;
  return `LOG_FORKED  ${who} signed two different entries ${seq} of its log ${log}: that log is frozen, and runs that it told of from there on do not verify. Find out who has that peer's key, or replace it.`;
}
