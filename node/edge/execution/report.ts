/**
 * From what the runner saw to the report that a worker signs: one sentence about what went wrong, the end of the
 * log as text, and everything within `limits.reportBytesMax`.
 */

import { assert, unreachable } from "../../../protocol/errors.ts";
import { limits } from "../../../protocol/limits.ts";
import type { CommandReport, StepReport } from "../../../protocol/report.ts";
import { encodeValue } from "../../../protocol/values.ts";

const problemCharactersMax = 600;
const commandCharactersMax = 80;
/** Reports with less than this in them are well below the bound, without being encoded to find out. */
const surelySmallCommands = 40;
const surelySmallOutputs = 20;

/** Collects the last bytes of a log. */
export class Tail {
  #chunks: Buffer[] = [];
  #bytes = 0;

  append(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < 4 * limits.reportTailBytesMax) return;
    // A copy, so that the large chunks it is cut from can go.
    this.#chunks = [Buffer.from(Buffer.concat(this.#chunks).subarray(-limits.reportTailBytesMax))];
    this.#bytes = limits.reportTailBytesMax;
  }

  /** The last bytes, at most `limits.reportTailBytesMax`. */
  bytes(): Buffer {
    return Buffer.concat(this.#chunks).subarray(-limits.reportTailBytesMax);
  }
}

/**
 * The end of a log as text of at most `bytesMax` bytes. Begins at a character; what is not UTF-8 becomes U+FFFD.
 */
export function tailText(bytes: Uint8Array, bytesMax: number): string {
  let start = Math.max(0, bytes.length - bytesMax);
  // A cut in the middle of a character leaves continuation bytes (10xxxxxx) in front.
  while (start > 0 && start < bytes.length && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  let text = new TextDecoder().decode(bytes.subarray(start));
  // A replacement character is longer than the byte it stands for.
  for (let excess = Buffer.byteLength(text) - bytesMax; excess > 0;) {
    text = dropFirst(text, Math.ceil(excess / 3));
    excess = Buffer.byteLength(text) - bytesMax;
  }
  return text;
}

/** One sentence for how a command ended, or null when it passed. */
export function commandProblem(command: string, end: CommandReport["end"], timeoutMs: number): string | null {
  const name = shortCommand(command);
  switch (end.kind) {
    case "exit":
      return end.code === 0 ? null : `${name} exited with ${end.code}`;
    case "signal":
      return `${name} was ended by ${end.signal}`;
    case "timed-out":
      return `${name} was stopped: the step's time of ${timeoutMs / 1000} s is over`;
    case "cancelled":
      return `${name} was cancelled`;
    case "not-started":
      return `${name} could not be started: ${end.problem}`;
    default:
      return unreachable(end);
  }
}

/**
 * The report within its bound: names of failed tests go first, then the tail is shortened, then the commands' times
 * are cut at the end. What the step said is never cut.
 */
export function boundReport(report: StepReport): StepReport {
  const problem = bounded(report.problem, problemCharactersMax);
  let bound: StepReport = { ...report, problem };
  const { commands, outputs, values, tests } = report;
  const isPlain = values === undefined && tests === undefined;
  if (isPlain && commands.length <= surelySmallCommands && outputs.length <= surelySmallOutputs) return bound;
  while (encodeValue(bound).length > limits.reportBytesMax) {
    const named = bound.tests?.failures.length ?? 0;
    if (bound.tests !== undefined && named > 0) {
      bound = { ...bound, tests: { ...bound.tests, failures: bound.tests.failures.slice(0, -1) } };
      continue;
    }
    assert(
      bound.tail !== "" || bound.commands.length > 0,
      "the outputs that a step may have fit into a report",
    );
    if (bound.tail !== "")
      bound = { ...bound, tail: dropFirst(bound.tail, Math.ceil(bound.tail.length / 2)) };
    else bound = { ...bound, commands: bound.commands.slice(0, -1) };
  }
  return bound;
}

export function shortCommand(command: string): string {
  const firstLine = command.trim().split("\n")[0] ?? "";
  const short = bounded(firstLine, commandCharactersMax);
  return `\`${short === command.trim() || short.endsWith("…") ? short : `${short} …`}\``;
}

function bounded(text: string, charactersMax: number): string {
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax - 1).toWellFormed()}…`;
}

/** Without the first `count` code units, and without half of a pair that the cut may leave. */
function dropFirst(text: string, count: number): string {
  const rest = text.slice(count);
  const first = rest.charCodeAt(0);
  return first >= 0xdc00 && first <= 0xdfff ? rest.slice(1) : rest;
}
