/**
 * Git, called and never reimplemented.
 *
 * Promises: git never asks a question (no terminal prompt), never takes an optional lock, is not led astray by
 * `GIT_*` variables of a hook that Otto was started from, and its failure is an `OttoError` with git's own words.
 */

import { spawn } from "node:child_process";
import { OttoError } from "../../protocol/errors.ts";

/** Variables that point git at another repository than the folder it is run in. */
const misleading = [
  "GIT_DIR",
  "GIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_PREFIX",
  "GIT_OBJECT_DIRECTORY",
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_COMMON_DIR",
  "GIT_NAMESPACE",
];

const errorTextBytesMax = 4096;

export type GitCall = {
  readonly folder: string;
  readonly signal?: AbortSignal;
  /** Written to git's standard input. */
  readonly input?: string;
};

/** Runs git and returns what it printed. Throws `OTTO_GIT_FAILED` with its last words when it fails. */
export async function git(call: GitCall, ...words: readonly string[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of gitOutput(call, ...words)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** As `git`, but yields the output while it comes. */
export async function* gitOutput(call: GitCall, ...words: readonly string[]): AsyncGenerator<Buffer> {
  const child = spawn("git", words, {
    cwd: call.folder,
    env: gitEnvironment(),
    stdio: ["pipe", "pipe", "pipe"],
    ...(call.signal === undefined ? {} : { signal: call.signal }),
  });
  let errorText = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errorText = (errorText + text).slice(-errorTextBytesMax);
  });
  const ended = new Promise<string | null>((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) =>
      resolve(code === 0 ? null : errorText.trim() || `it ended with ${signal ?? code}`),
    );
  });
  // A git that ends early closes its input; what it says about that is in its exit code.
  child.stdin.on("error", () => undefined);
  child.stdin.end(call.input ?? "");
  try {
    for await (const chunk of child.stdout) yield chunk as Buffer;
    const problem = await ended;
    if (problem !== null) throw gitError(words, problem);
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

function gitError(words: readonly string[], problem: string): OttoError {
  const lastLine = withoutUserInfo(problem).split("\n").at(-1) ?? "";
  const missing = problem.includes("ENOENT");
  return new OttoError("OTTO_GIT_FAILED", {
    what: missing
      ? "Git is not installed here, or not on the PATH."
      : `git ${words[0]} failed: ${lastLine.replace(/^(fatal|error): /, "").replace(/\.$/, "")}.`,
    next: missing
      ? "Install git, then try again."
      : `Run git ${words[0]} by hand in that folder to see more.`,
    cause: problem,
  });
}

/** `https://name:password@host/` without what stands before the `@`. */
export function withoutUserInfo(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, "$1");
}

function gitEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    GIT_TERMINAL_PROMPT: "0",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_LITERAL_PATHSPECS: "1",
    LC_ALL: "C",
  };
  for (const name of misleading) delete environment[name];
  return environment;
}
