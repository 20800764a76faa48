/**
 * Which registers of a control peer share an entry on its disk: steps of one run that were claimed together, by one pull. They
 * hold the same, and one entry is written in the time of many.
 *
 *   store --some are written alone, with later stamps--> the others live by it --forget, with the run's steps--> (absent)
 *                                                                  |
 *                                                                  +-- takeApart: each of them is written alone
 *
 * A step lives by its group as long as it holds the very record that the group was stored with.
 */

import type { AcceptedRecord, Records } from "./records.ts";
import { stepRegister } from "./registers.ts";
import {
  type Group,
  groupsPrefix,
  registerKey,
  storedGroup,
  storedRecord,
  type StepsOfRun,
} from "./stored.ts";
import type { TableEffect } from "./table.ts";

export type Operation = Extract<TableEffect, { kind: "store" }>["operations"][number];

export class Groups {
  readonly #ofRun = new Map<string, Group[]>();
  /** Above those of all that are there. */
  #next = 0;

  restore(groups: readonly Group[]): void {
    for (const group of groups) {
      this.#add(group);
      this.#next = Math.max(this.#next, Number(group.key.slice(groupsPrefix.length)) + 1);
    }
  }

  *keys(): Generator<string> {
    for (const groups of this.#ofRun.values()) for (const { key } of groups) yield key;
  }

  /** @param record what is held of each of them in memory is this very one. */
  store(steps: StepsOfRun, record: AcceptedRecord): Operation {
    const group = { ...steps, key: `${groupsPrefix}${this.#next}`, record };
    this.#next += 1;
    this.#add(group);
    return { kind: "put", key: group.key, value: storedGroup(group) };
  }

  /** All steps of the run are forgotten. */
  forget(run: string): Operation[] {
    const groups = this.#ofRun.get(run) ?? [];
    this.#ofRun.delete(run);
    return groups.map(({ key }) => ({ kind: "delete", key }));
  }

  /** Every step of the run is stored alone from here on: of each, one entry says what it holds. */
  takeApart(run: string, records: Records): Operation[] {
    const alone: Operation[] = [];
    for (const { places, record } of this.#ofRun.get(run) ?? []) {
      const value = storedRecord(record);
      for (const name of places.map((place) => stepRegister(run, place)))
        if (records.get(name) === record) alone.push({ kind: "put", key: registerKey(name), value });
    }
    return [...alone, ...this.forget(run)];
  }

  #add(group: Group): void {
    const others = this.#ofRun.get(group.run);
    if (others === undefined) this.#ofRun.set(group.run, [group]);
    else others.push(group);
  }
}
