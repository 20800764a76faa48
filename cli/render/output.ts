/**
 * The output of one attempt as lines, made from chunks that may cut characters, escape sequences and lines
 * anywhere, come twice, or leave a gap.
 *
 * Promises: a byte is shown once; invalid UTF-8 becomes U+FFFD; a gap is told in the output itself. Memory is
 * bounded: one unfinished line and the last few finished ones.
 */

import { limits } from "../../protocol/limits.ts";
import { sizeWords } from "../../protocol/sizes.ts";
import { lastOverwrite, unfinishedFrom } from "./sanitize.ts";

export class OutputLines {
  #decoder = new TextDecoder();
  /** Offset of the next byte that was not seen. */
  #position = 0;
  /** The line that has not ended, raw. */
  #partial = "";
  #recent: string[] = [];

  /** Takes one chunk and returns the lines that it completed: raw, without their ends. */
  push(offset: number, bytes: Uint8Array): readonly string[] {
    const lines: string[] = [];
    if (offset > this.#position) {
      lines.push(...this.#finish(), `[otto: ${sizeWords(offset - this.#position)} of output did not arrive]`);
      this.#position = offset;
    }
    const fresh = bytes.subarray(this.#position - offset);
    if (fresh.length > 0) {
      this.#position += fresh.length;
      lines.push(...this.#split(this.#decoder.decode(fresh, { stream: true })));
    }
    this.#remember(lines);
    return lines;
  }

  /** The line that was never finished, if any: nothing more comes, or not in one piece. */
  end(): readonly string[] {
    const lines = this.#finish();
    this.#remember(lines);
    return lines;
  }

  /** The newest line with something in it, finished or not; raw. */
  latest(): string {
    if (lastOverwrite(this.#partial).trim() !== "") return this.#partial;
    return this.#recent.findLast((line) => line.trim() !== "") ?? "";
  }

  /** The last finished lines, at most `limits.shownTailLinesMax`; raw. */
  recent(): readonly string[] {
    return this.#recent;
  }

  #finish(): string[] {
    const lines = this.#split(this.#decoder.decode());
    if (this.#partial !== "") lines.push(this.#partial);
    this.#partial = "";
    return lines;
  }

  #split(text: string): string[] {
    const lines = (this.#partial + text).split("\n");
    this.#partial = withoutOverwritten(lines.pop() ?? "");
    while (this.#partial.length > limits.shownLineCharactersMax) {
      const whole = this.#partial.slice(0, limits.shownLineCharactersMax);
      // Break before an escape sequence or a surrogate pair rather than in it, unless that is all there is.
      let end = unfinishedFrom(whole);
      if (/[\ud800-\udbff]/.test(whole.charAt(end - 1))) end -= 1;
      if (end <= 0) end = whole.length;
      lines.push(this.#partial.slice(0, end));
      this.#partial = this.#partial.slice(end);
    }
    return lines;
  }

  #remember(lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.#recent = [...this.#recent, ...lines.slice(-limits.shownTailLinesMax)].slice(
      -limits.shownTailLinesMax,
    );
  }
}

/** Drops what a carriage return has overwritten, so that a progress bar without line ends stays small. */
function withoutOverwritten(partial: string): string {
  const start = partial.slice(0, -1).lastIndexOf("\r");
  if (start === -1) return partial;
  const rest = partial.slice(start + 1);
  return rest === "\r" ? partial : rest;
}

/** The output of every attempt that is watched. */
export class OutputStore {
  readonly #attempts = new Map<string, Map<number, OutputLines>>();

  /** Takes one chunk and returns the lines that it completed, raw. */
  push(chunk: { step: string; attempt: number; offset: number; bytes: Uint8Array }): readonly string[] {
    const attempts = this.#attempts.get(chunk.step) ?? new Map<number, OutputLines>();
    this.#attempts.set(chunk.step, attempts);
    const lines = attempts.get(chunk.attempt) ?? new OutputLines();
    attempts.set(chunk.attempt, lines);
    return lines.push(chunk.offset, chunk.bytes);
  }

  /** The unfinished line of an attempt that ended. */
  end(step: string, attempt: number): readonly string[] {
    return this.#attempts.get(step)?.get(attempt)?.end() ?? [];
  }

  /** The unfinished lines of all attempts. */
  endAll(): readonly { readonly step: string; readonly lines: readonly string[] }[] {
    return [...this.#attempts].map(([step, attempts]) => ({
      step,
      lines: [...attempts.values()].flatMap((lines) => lines.end()),
    }));
  }

  /** The newest line of one attempt; raw, empty when there is none. */
  latest(step: string, attempt: number): string {
    return this.#attempts.get(step)?.get(attempt)?.latest() ?? "";
  }

  /** The last lines of a step's newest attempt that wrote something; raw. */
  recent(step: string): readonly string[] {
    const attempts = this.#attempts.get(step);
    if (attempts === undefined) return [];
    return attempts.get(Math.max(...attempts.keys()))?.recent() ?? [];
  }
}
