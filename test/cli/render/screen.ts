/**
 * A terminal as small as the tree needs it: what was written, as it stands on the screen and above it.
 */

import type { Out } from "../../../cli/render/terminal.ts";
import { textWidth } from "../../../cli/render/line.ts";

export class FakeScreen implements Out {
  readonly isTTY = true;
  columns: number;
  rows: number;
  /** All that was written, in order. */
  readonly written: string[] = [];
  cursorShown = true;
  /** What left the screen at the top. */
  readonly scrolled: string[] = [];
  #lines: string[] = [""];
  #row = 0;
  #column = 0;
  #wraps = true;

  constructor(size: { columns: number; rows: number }) {
    this.columns = size.columns;
    this.rows = size.rows;
  }

  write(text: string): void {
    this.written.push(text);
    for (const [piece] of text.matchAll(/\p{Cc}\[[?0-9;]*[A-Za-z]|[^]/gu)) this.#take(piece);
  }

  /** The screen's lines without the spaces at their ends, without the empty ones at the bottom. */
  shown(): string {
    return this.#lines
      .map((line) => line.trimEnd())
      .join("\n")
      .trimEnd();
  }

  /** As most terminals do it: lines that became too long are broken, and what has no room leaves at the top. */
  resize(size: { columns: number; rows: number }): void {
    this.columns = size.columns;
    this.rows = size.rows;
    const broken = this.#lines.flatMap(
      (line) => line.match(new RegExp(`.{1,${size.columns}}`, "gu")) ?? [""],
    );
    this.scrolled.push(...broken.splice(0, Math.max(0, broken.length - size.rows)));
    this.#lines = broken;
    this.#row = broken.length - 1;
  }

  #take(piece: string): void {
    const [, parameter = "", command] = /^.\[([?0-9;]*)([A-Za-z])$/.exec(piece) ?? [];
    if (command !== undefined) this.#control(parameter, command);
    else if (piece === "\r") this.#column = 0;
    else if (piece === "\n") this.#feed();
    else this.#put(piece);
  }

  #control(parameter: string, command: string): void {
    const line = this.#lines[this.#row] ?? "";
    if (command === "A") this.#row = Math.max(0, this.#row - Number(parameter || 1));
    // After a character in the last column the cursor still stands on that column.
    else if (command === "K")
      this.#lines[this.#row] = line.slice(0, Math.min(this.#column, this.columns - 1));
    else if (command === "J") {
      this.#lines.length = this.#row + 1;
      this.#lines[this.#row] = line.slice(0, this.#column);
    } else if (parameter === "?7") this.#wraps = command === "h";
    else if (parameter === "?25") this.cursorShown = command === "h";
    else if (command !== "m") throw new Error(`the screen does not know the sequence ${parameter}${command}`);
  }

  #feed(): void {
    this.#column = 0;
    this.#row += 1;
    if (this.#row >= this.rows) {
      this.scrolled.push(this.#lines.shift() ?? "");
      this.#row -= 1;
    }
    this.#lines[this.#row] ??= "";
  }

  #put(character: string): void {
    const line = (this.#lines[this.#row] ?? "").padEnd(this.#column);
    // One column a character is enough here: a line with wide ones is only ever written from its start.
    const text = line.slice(0, this.#column) + character + line.slice(this.#column + 1);
    if (textWidth(text) > this.columns) {
      if (!this.#wraps) throw new Error(`a line is wider than the screen: ${text}`);
      this.#feed();
      this.#put(character);
      return;
    }
    this.#lines[this.#row] = text;
    this.#column += 1;
  }
}

/** Time and ticks by hand. */
export class FakeTime {
  nowMs = 0;
  #callback: (() => void) | null = null;

  readonly now = (): number => this.nowMs;

  readonly every = (_everyMs: number, callback: () => void): (() => void) => {
    this.#callback = callback;
    return () => {
      this.#callback = null;
    };
  };

  /** Moves to a moment and lets the renderer draw. */
  tickAt(nowMs: number): void {
    this.nowMs = nowMs;
    this.#callback?.();
  }
}
