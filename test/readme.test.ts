/**
 * The recorded session of the README, done again with real processes in an empty folder: what a reader types is what is
 * run, and what it printed is what is printed now. Only ids, times and ports may differ; `...` stands for any lines.
 */

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { codeCache, ottoProgram } from "./built-otto.ts";

import { freeAddress } from "./ports.ts";
import { patienceMs } from "./mesh/program.ts";

const root = join(import.meta.dirname, "..");
const page = readFileSync(join(root, "README.md"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "otto-readme-"));
/** Commands that go on, by process id, and their ends. */
const started = new Map<number, Promise<unknown>>();

type Exchange = { readonly command: string; readonly printed: readonly string[] };

afterAll(async () => {
  await run("otto down", folder).ended;
  for (const pid of started.keys()) kill(-pid);
  await Promise.all(started.values());
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
});

test("the README's session goes as it is written", { timeout: 120_000 }, async () => {
  const address = await freeAddress();
  makeCommand();
  let place = folder;
  for (const { command, printed } of exchanges()) {
    const typed = command.replaceAll("127.0.0.1:4105", address);
    if (typed.endsWith(" &")) {
      await run(typed.slice(0, -2), place).printed(printed);
      continue;
    }
    const { text, at } = await run(typed, place).ended;
    if (!fits(text.split("\n"), printed))
      expect(`$ ${typed}\n${text}`).toBe(`$ ${typed}\n${printed.join("\n")}`);
    place = at;
  }
});

/** `otto` as a reader has it on the path. */
function makeCommand(): void {
  const otto = `exec "${process.execPath}" --disable-warning=ExperimentalWarning "${ottoProgram}" "$@"`;
  mkdirSync(join(folder, "bin"));
  writeFileSync(join(folder, "bin", "otto"), `#!/bin/sh\n${otto}\n`, { mode: 0o755 });
}

/** Every command of the recorded blocks with what it printed; a here-document belongs to its command. */
function exchanges(): readonly Exchange[] {
  const blocks = [...page.matchAll(/^```console\n(.*?)^```/gms)].map(([, block]) => block ?? "");
  const found: { command: string; printed: string[] }[] = [];
  let isHereDocument = false;
  for (const line of blocks.join("").split("\n")) {
    const last = found.at(-1);
    if (isHereDocument && last !== undefined) {
      last.command += `\n${line}`;
      isHereDocument = line !== "END";
    } else if (line.startsWith("$ ")) {
      found.push({ command: line.slice(2), printed: [] });
      isHereDocument = line.includes("<<'END'");
    } else last?.printed.push(line);
  }
  expect(found.length).toBeGreaterThan(8);
  return found;
}

type Running = {
  /** What it printed, and the folder that its shell was in at the end. */
  readonly ended: Promise<{ readonly text: string; readonly at: string }>;
  /** Resolves when it has printed these lines, though it goes on. */
  printed(lines: readonly string[]): Promise<void>;
};

function run(command: string, place: string): Running {
  const { PATH = "", OTTO_EXECUTION } = process.env;
  const marker = OTTO_EXECUTION === undefined ? {} : { OTTO_EXECUTION };
  const child = spawn("/bin/sh", ["-c", `exec 2>&1\n${command}\npwd >&3`], {
    cwd: place,
    detached: true,
    stdio: ["ignore", "pipe", "inherit", "pipe"],
    env: {
      PATH: `${join(folder, "bin")}:${PATH}`,
      HOME: folder,
      OTTO_HOME: join(folder, "home"),
      NODE_COMPILE_CACHE: codeCache ?? join(folder, "code"),
      ...marker,
    },
  });
  let text = "";
  let at = "";
  child.stdio[3]?.on("data", (bytes: Buffer) => (at += bytes.toString()));
  const ended = new Promise<{ text: string; at: string }>((resolve) => {
    child.once("close", () => {
      started.delete(child.pid ?? 0);
      resolve({ text, at: at.trim() });
    });
  });
  if (child.pid !== undefined) started.set(child.pid, ended);
  const heard = new Set<() => void>();
  child.stdout?.setEncoding("utf8").on("data", (more: string) => {
    text += more;
    for (const hear of heard) hear();
  });
  const printed = async (lines: readonly string[]): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const give = (why: string): void =>
      reject(new Error(`$ ${command}\nprinted something else before ${why}:\n${text}`));
    const hear = (): void => (fits(text.split("\n"), lines) ? resolve() : undefined);
    heard.add(hear);
    hear();
    void ended.then(() => give("it ended"));
    const timer = setTimeout(() => give(`${patienceMs} ms had passed`), patienceMs);
    await promise.finally(() => clearTimeout(timer));
    heard.delete(hear);
  };
  return { ended, printed };
}

function kill(group: number): void {
  try {
    process.kill(group, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Whether these are the lines, with `...` for any number of them. */
function fits(lines: readonly string[], expected: readonly string[]): boolean {
  const pattern = trimmed(expected).map((line) =>
    line === "..." ? "(?:.*\\n)*?" : `${escaped(general(line))}\\n`,
  );
  return new RegExp(`^${pattern.join("")}$`).test(
    trimmed(lines)
      .map((line) => `${general(line)}\n`)
      .join(""),
  );
}

function trimmed(lines: readonly string[]): readonly string[] {
  return lines.filter((line) => line !== "");
}

function escaped(line: string): string {
  return line.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** A line without what differs from time to time: ids, durations, ports, and the width of columns. */
function general(line: string): string {
  return line
    .replace(/12D3KooW\w+|12D3…\w+/g, "PEER")
    .replace(/\b[a-z2-7]{12}\b/g, "RUN")
    .replace(/\d+(\.\d+)? (ms|s|min) ago|just now/g, "AGO")
    .replace(/\d+(\.\d+)? (ms|s)\b/g, "TIME")
    .replace(/\/tcp\/\d+/g, "/tcp/PORT")
    .replace(/ +/g, " ")
    .trimEnd();
}
