/** What a simulated control peer keeps of the output of attempts (`node/edge/outputs.ts` is the real one). */

import type { OutputPiece } from "../node/core/output-sender.ts";
import { sha256Hex } from "../protocol/values.ts";

export class KeptOutputs {
  readonly #logs = new Map<string, Uint8Array>();

  /** Takes the next piece. Returns how much is kept then. */
  append(id: string, { offset, bytes, digest }: OutputPiece): number {
    const before = this.read(id);
    if (offset !== before.length) return before.length;
    const log = Buffer.concat([before, bytes]);
    const fits = sha256Hex(log) === digest;
    this.#logs.set(id, fits ? log : new Uint8Array());
    return fits ? log.length : 0;
  }

  clear(): void {
    this.#logs.clear();
  }

  read(id: string): Uint8Array {
    return this.#logs.get(id) ?? new Uint8Array();
  }
}
