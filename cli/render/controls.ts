/** Control peers as a table. */

import type { ControlSeen } from "../../protocol/calls.ts";
import type { Standing } from "../commands/control.ts";
import { shortId } from "../words.ts";
import { paint, type Style } from "./line.ts";
import { tableLines } from "./table.ts";

const styles: Record<Standing, Style> = {
  home: "green",
  member: "green",
  "no table": "yellow",
  "other database": "red",
  unlinked: "red",
  spare: "dim",
};

/** @param options.columns of the terminal; null in a pipe, where nothing is cut. */
export function controlsTable(
  controls: readonly (ControlSeen & { readonly standing: Standing })[],
  options: { readonly color: boolean; readonly columns: number | null },
): readonly string[] {
  const rows = controls.map(({ peer, name, standing, addresses: [address = ""] }) => [
    { text: options.columns === null ? peer : shortId(peer) },
    { text: name },
    { text: standing, style: styles[standing] },
    { text: address },
  ]);
  const titles = ["PEER", "NAME", "STANDING", "ADDRESS"].map((title) => ({ title }));
  return tableLines(titles, rows).map((line) =>
    paint(line, { width: options.columns, color: options.color }),
  );
}
