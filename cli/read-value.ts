/**
 * The value of a secret, from where nobody else sees it: a file, standard input, or a prompt that shows nothing. Never from
 * an argument: those are in the history of the shell and in the list of processes.
 */

import { readFileSync } from "node:fs";
import { OttoError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import type { StepCredential } from "../protocol/plan.ts";

/** @param from a file, `-` for standard input, or nothing: it is asked for. */
export async function readValue(
  from: string | undefined,
  { name, kind }: Pick<StepCredential, "name" | "kind">,
): Promise<Uint8Array> {
  const bytes = from === undefined ? await promptFor(`Value of ${name}: `) : fileOf(from);
  // An editor and `echo` end a file with a new line, which is of no token; a key in PEM needs its own.
  const end = bytes.at(-1) === 0x0a && kind !== "ssh" ? (bytes.at(-2) === 0x0d ? -2 : -1) : bytes.length;
  const value = bytes.subarray(0, end);
  if (value.length < limits.secretBytesMin || value.length > limits.secretBytesMax)
    throw unusable(
      `a value has ${limits.secretBytesMin} to ${limits.secretBytesMax} bytes, and this one has ${value.length}`,
    );
  if (kind !== "ssh" && value.some((byte) => byte < 0x21 || byte > 0x7e))
    throw unusable("it has spaces, line ends or other characters that no header takes");
  return value;
}

function fileOf(from: string): Buffer {
  try {
    return readFileSync(from === "-" ? 0 : from);
  } catch (cause) {
    throw new OttoError("OTTO_FILE_UNREADABLE", {
      what: `The value cannot be read from ${from === "-" ? "standard input" : from}: ${cause instanceof Error ? cause.message : String(cause)}.`,
      state: "Nothing was changed.",
      next: "Name a file that this user may read, or `-` for standard input.",
      cause,
    });
  }
}

function promptFor(question: string): Promise<Buffer> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY)
    throw new OttoError("OTTO_USAGE", {
      what: "There is no terminal to ask for the value.",
      state: "Nothing was changed.",
      next: "Give it with --from FILE, or with --from - on standard input.",
    });
  stderr.write(question);
  stdin.setRawMode(true);
  return new Promise((resolve, reject) => {
    const typed: number[] = [];
    const done = (finish: () => void): void => {
      stdin.setRawMode(false);
      stdin.off("data", take);
      stdin.pause();
      stderr.write("\n");
      finish();
    };
    const take = (chunk: Buffer): void => {
      for (const byte of chunk) {
        if (byte === 0x0d || byte === 0x0a) return done(() => resolve(Buffer.from(typed)));
        if (byte === 0x03 || byte === 0x04) return done(() => reject(unusable("nothing was typed")));
        if (byte === 0x7f || byte === 0x08) typed.pop();
        else typed.push(byte);
      }
    };
    stdin.on("data", take);
  });
}

function unusable(why: string): OttoError {
  return new OttoError("OTTO_USAGE", {
    what: `This is no value for a secret: ${why}.`,
    state: "Nothing was changed.",
    next: "Give the token or key itself, with nothing around it.",
  });
}
