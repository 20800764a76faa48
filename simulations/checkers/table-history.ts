/**
 * Every table that there was, as an outsider hears of it: what each reign began with, and what each of its rounds changed.
 * Two checkers ask for it.
 */

import type { Ballot, Position } from "../../protocol/registers/ballot.ts";
import type { WireRecord } from "../../protocol/registers/messages.ts";
import {
  type RegisterValue,
  retiredRegister,
  runOfRegister,
  runOfStepRegister,
} from "../../protocol/registers/registers.ts";
import { decodedOnce } from "../decoded.ts";
import { ballotName } from "./ballots.ts";

export type Table = ReadonlyMap<string, Uint8Array>;

type Reign = {
  base: Position | null;
  readonly rounds: Map<number, Table>;
  whole: { round: number; table: Table } | null;
};

export class TableHistory {
  readonly #reigns = new Map<string, Reign>();

  begin(ballot: Ballot, base: Position): void {
    this.#reign(ballot).base = base;
  }

  propose(ballot: Ballot, round: number, records: readonly WireRecord[]): void {
    const { rounds } = this.#reign(ballot);
    if (rounds.has(round)) return;
    const values = new Map<string, Uint8Array>();
    for (const { names, value } of records) for (const name of names) values.set(name, value);
    rounds.set(round, values);
  }

  /** What a round lays down: the first one all that the reign begins with. Null: nobody has said. */
  round(ballot: Ballot, round: number): Table | null {
    return round === 1 ? this.table({ ballot, round }) : (this.#reign(ballot).rounds.get(round) ?? null);
  }

  /** The whole table as it was then, steps of closed runs among it. Null: there was none such. */
  table({ ballot, round }: Position): Table | null {
    if (round === 0) return new Map();
    const reign = this.#reign(ballot);
    const { base, rounds } = reign;
    if (base === null) return null;
    const from = reign.whole !== null && reign.whole.round <= round ? reign.whole : null;
    const begun = from?.table ?? this.table(base);
    if (begun === null) return null;
    const table = new Map(begun);
    for (let next = (from?.round ?? 1) + 1; next <= round; next += 1) {
      const changed = rounds.get(next);
      if (changed === undefined) return null;
      const raised = changed.get(retiredRegister);
      if (raised !== undefined) for (const name of forgottenBy(raised, table)) table.delete(name);
      for (const [name, value] of changed) table.set(name, value);
    }
    reign.whole = { round, table };
    return table;
  }

  #reign(ballot: Ballot): Reign {
    const name = ballotName(ballot);
    const reign = this.#reigns.get(name) ?? { base: null, rounds: new Map(), whole: null };
    this.#reigns.set(name, reign);
    return reign;
  }
}

/** What is forgotten when the watermark is raised in a round that finds this table: runs that are closed, and their steps. */
export function forgottenBy(raised: Uint8Array, table: Table): string[] {
  const watermark = decodedOnce(raised) as RegisterValue;
  if (watermark.kind !== "retired") return [];
  const runs = new Set<string>();
  for (const [name, bytes] of table) {
    const run = runOfRegister(name);
    const value = run === null ? null : (decodedOnce(bytes) as RegisterValue);
    const isOver = value?.kind === "run" && value.outcome !== null;
    if (run !== null && isOver && value.validUntilMs <= watermark.throughMs) runs.add(run);
  }
  return [...table.keys()].filter((name) => runs.has(runOfStepRegister(name) ?? runOfRegister(name) ?? ""));
}
