/**
 * Bytes that somebody made up, for every decoder of what a peer or a file says: `node simulations/fuzz.ts [INPUTS] [SEED] [DECODER...]`.
 *
 * Each input is something valid with parts changed, taken out, doubled or taken from something else. Signatures are taken for good,
 * so that what lies behind them is reached, too. A decoder that throws, or takes long over one input, has failed.
 *
 * Exit codes: 0 every decoder held, 1 one did not.
 */

import type { Target } from "./fuzz-target.ts";
import { targets } from "./fuzz-targets.ts";
import { Chance } from "./random.ts";

/** So long may one input take, on a machine that is busy; most take microseconds. */
const inputMsMax = 2_000;
const changesMax = 6;
const inputBytesMax = 64 * 1024;

export type Fuzzed = {
  readonly decoder: string;
  readonly inputs: number;
  readonly slowestMs: number;
  /** What went wrong, with the input in hex; null: nothing. */
  readonly failure: string | null;
};

/** @param inputs how many for each decoder; `only`: none of the others, unless it is empty. */
export function* fuzz(inputs: number, seed: number, only: readonly string[] = []): Generator<Fuzzed> {
  for (const target of targets())
    if (only.length === 0 || only.includes(target.name)) yield fuzzed(target, inputs, seed);
}

function fuzzed(target: Target, inputs: number, seed: number): Fuzzed {
  const chance = new Chance("fuzz", target.name, seed);
  let slowestMs = 0;
  for (let input = 0; input < inputs; input += 1) {
    const bytes = changed(target.valid, chance);
    const beganMs = performance.now();
    try {
      target.decode(bytes);
    } catch (error) {
      const failure = `${String(error)}, for ${Buffer.from(bytes).toString("hex")}`;
      return { decoder: target.name, inputs: input + 1, slowestMs, failure };
    }
    slowestMs = Math.max(slowestMs, performance.now() - beganMs);
    if (slowestMs > inputMsMax) {
      const failure = `${slowestMs.toFixed(0)} ms, for ${Buffer.from(bytes).toString("hex")}`;
      return { decoder: target.name, inputs: input + 1, slowestMs, failure };
    }
  }
  return { decoder: target.name, inputs, slowestMs, failure: null };
}

function changed(valid: readonly Uint8Array[], chance: Chance): Uint8Array {
  const pick = (): Uint8Array => valid[chance.integer(valid.length)] ?? new Uint8Array();
  let bytes = Buffer.from(pick());
  const count = chance.integer(changesMax + 1);
  for (let change = 0; change < count; change += 1) {
    const at = chance.integer(bytes.length + 1);
    const length = chance.integer(Math.min(40, bytes.length - at + 1));
    switch (chance.integer(7)) {
      case 0:
        if (at < bytes.length) bytes[at] = chance.integer(256);
        break;
      case 1:
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << chance.integer(8));
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at)]);
        break;
      case 4: {
        const other = pick();
        const from = chance.integer(other.length + 1);
        bytes = Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + 60), bytes.subarray(at)]);
        break;
      }
      case 5:
        // Heads of CBOR that promise much: texts, bytes, lists and maps of 2^32 and 2^53 parts.
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from([((2 + chance.integer(4)) << 5) | (26 + chance.integer(2)), 0, 0x1f, 0xff, 0xff]),
          bytes.subarray(at),
        ]);
        break;
      default:
        bytes = bytes.subarray(0, at);
    }
    if (bytes.length > inputBytesMax) bytes = bytes.subarray(0, inputBytesMax);
  }
  return bytes;
}

if (import.meta.main) {
  const [inputs = "1000000", seed = String(Date.now() % 1_000_000), ...only] = process.argv.slice(2);
  console.log(`seed ${seed}`);
  for (const { decoder, inputs: count, slowestMs, failure } of fuzz(Number(inputs), Number(seed), only)) {
    console.log(
      `${decoder}: ${count} inputs, slowest ${slowestMs.toFixed(1)} ms${failure === null ? "" : `, FAILED: ${failure}`}`,
    );
    if (failure !== null) process.exitCode = 1;
  }
}
