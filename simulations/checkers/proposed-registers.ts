/** The steps and runs that a home has others accept, for checkers that want to know what was ever proposed. */

import type { WireRecord } from "../../protocol/registers/messages.ts";
import type { RegisterValue } from "../../protocol/registers/registers.ts";
import { decodedOnce } from "../decoded.ts";

export class ProposedRegisters {
  readonly #known = new WeakSet<readonly WireRecord[]>();

  /** Nothing of what was asked for before: the same list goes to every control peer. */
  *newIn(records: readonly WireRecord[]): Generator<readonly [name: string, value: RegisterValue]> {
    if (this.#known.has(records)) return;
    this.#known.add(records);
    for (const { names, value } of records)
      for (const name of names)
        if (name.startsWith("step/") || name.startsWith("run/"))
          yield [name, decodedOnce(value) as RegisterValue];
  }
}
