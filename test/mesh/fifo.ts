/**
 * How a step and a test meet without sleeping: named pipes. A step blocks on a gate until the test opens it, and
 * tells the test through a mailbox what it is doing, whatever has become of the worker between them.
 */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { patienceMs } from "./program.ts";

/** Steps wait with `read -r _ < PATH`; each line lets one through. */
export class Gate {
  readonly path: string;
  readonly #file: number;

  constructor(path: string) {
    this.path = path;
    execFileSync("mkfifo", [path]);
    // Opened both ways, so that neither side ever waits for the other to open it.
    this.#file = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  }

  open(count = 1): void {
    writeSync(this.#file, "go\n".repeat(count));
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Steps write lines with `echo WORDS > PATH`. */
export class Mailbox {
  readonly path: string;
  readonly #reader: ChildProcess;
  #text = "";
  #listeners = new Set<() => void>();

  constructor(path: string) {
    this.path = path;
    execFileSync("mkfifo", [path]);
    // Opened both ways, so that it does not end when the last step that wrote is gone.
    this.#reader = spawn("sh", ["-c", 'exec cat <> "$0"', path], { stdio: ["ignore", "pipe", "ignore"] });
    this.#reader.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#text += text;
      for (const listener of this.#listeners) listener();
    });
  }

  get lines(): readonly string[] {
    return this.#text.split("\n").slice(0, -1);
  }

  /** Resolves with the first line that fits, now or later. */
  line(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.lines.map((line) => pattern.exec(line)).find((match) => match !== null);
        if (found === undefined) return;
        clearTimeout(timer);
        this.#listeners.delete(look);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.#listeners.delete(look);
        reject(new Error(`No step said ${String(pattern)}. What was said: ${JSON.stringify(this.lines)}`));
      }, patienceMs);
      this.#listeners.add(look);
      look();
    });
  }

  close(): void {
    this.#reader.kill("SIGKILL");
  }
}
