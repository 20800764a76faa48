/** What a round lays down, as it travels and is stored (`stored.ts`). */

import { encodeValue } from "../values.ts";
import type { WireRecord } from "./messages.ts";
import { type RegisterValue, runOfStepRegister } from "./registers.ts";

/** Registers in a row that hold the same object are one record, steps one for each run that they are of. */
export function recordsOf(values: ReadonlyMap<string, RegisterValue>): WireRecord[] {
  const records: { readonly names: string[]; readonly value: Uint8Array }[] = [];
  let last: RegisterValue | null = null;
  /** Of those with the last value, by run. */
  const named = new Map<string | null, string[]>();
  for (const [name, value] of values) {
    if (value !== last) named.clear();
    const run = runOfStepRegister(name);
    const names = named.get(run);
    if (names === undefined) {
      const bytes = value === last ? records.at(-1)?.value : undefined;
      const record = { names: [name], value: bytes ?? encodeValue(value) };
      records.push(record);
      named.set(run, record.names);
    } else names.push(name);
    last = value;
  }
  return records;
}
