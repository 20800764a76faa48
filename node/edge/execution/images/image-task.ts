/** The other end of one process that brings an image: started, listened to, and killed when its time is over. */

import { spawn } from "node:child_process";
import { limits } from "../../../../protocol/limits.ts";
import { programPath } from "../../programs.ts";
import { proxiesOfNode } from "../proxies.ts";
import {
  type FromImageProcess,
  ImageProblem,
  passingProblem,
  type ToImageProcess,
} from "./image-messages.ts";

const flags = ["--max-old-space-size=512", "--no-warnings"];
const startAgain = "start the run again";

type Done = Extract<FromImageProcess, { kind: "brought" | "checked" | "resolved" }>;

/**
 * Resolves when the image is in its folder, whole, or with the digest that was asked for. Rejects with an `ImageProblem`, or with the signal's reason; in every case
 * the process is gone then, and writes no more.
 */
export async function runImageTask(
  task: ToImageProcess,
  { signal, said }: { readonly signal: AbortSignal; readonly said: (line: string) => void },
): Promise<Done> {
  signal.throwIfAborted();
  const child = spawn(process.execPath, [...flags, programPath("image")], {
    stdio: ["pipe", "pipe", "ignore"],
    // A terminal's Ctrl-C is for the command line, which then asks for the end.
    detached: true,
    env: ownEnvironment(),
  });
  let end: FromImageProcess | null = null;
  let killed: ImageProblem | null = null;
  const kill = (why: ImageProblem | null): void => {
    killed ??= why;
    child.kill("SIGKILL");
  };
  const { imageBringMsMax, imageSilenceMsMax } = task.bounds;
  const timers = [
    setTimeout(() => kill(tookLong(imageBringMsMax)), imageBringMsMax),
    setTimeout(() => kill(tookLong(imageSilenceMsMax)), imageSilenceMsMax),
  ];
  const aborted = (): void => kill(null);
  signal.addEventListener("abort", aborted, { once: true });
  const lines = new Lines((line) => {
    timers[1]?.refresh();
    const message = messageIn(line);
    if (message?.kind === "said") said(plain(message.line));
    else if (message?.kind !== "going") end = message;
  });
  child.stdout.on("data", (bytes: Buffer) => {
    if (!lines.push(bytes)) kill(null);
  });
  child.stdin.on("error", () => undefined);
  child.stdin.write(`${JSON.stringify(task)}\n`);
  const gone = await new Promise<string>((resolve) => {
    child.once("close", (code, by) => resolve(by ?? String(code)));
    child.once("error", (error) => resolve(error.message));
  });
  for (const timer of timers) clearTimeout(timer);
  signal.removeEventListener("abort", aborted);
  signal.throwIfAborted();
  if (killed !== null) throw killed as ImageProblem;
  return doneOf(end, gone);
}

function doneOf(end: FromImageProcess | null, gone: string): Done {
  if (end?.kind === "brought" || end?.kind === "checked" || end?.kind === "resolved") return end;
  if (end?.kind === "failed") throw new ImageProblem(plain(end.why), plain(end.next), { passes: end.passes });
  throw passingProblem(`the process that brings it ended before it had it (${gone})`, startAgain);
}

function tookLong(ms: number): ImageProblem {
  return passingProblem(`it was not there after ${Math.ceil(ms / 1_000)} seconds`, startAgain);
}

/** Nothing of the worker's is in it but where programs and certificates of the machine's are, and by which proxy the network is reached. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = proxiesOfNode(process.env);
  for (const name of ["PATH", "NODE_COMPILE_CACHE", "NODE_EXTRA_CA_CERTS", "NODE_USE_SYSTEM_CA"]) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

function messageIn(line: string): FromImageProcess | null {
  try {
    return JSON.parse(line) as FromImageProcess;
  } catch {
    // A process that says something else has failed at what it was started for.
    return null;
  }
}

/** One line for people, without what a terminal would take for commands. */
function plain(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, "?").slice(0, limits.imageTextCharactersMax);
}

class Lines {
  readonly #take: (line: string) => void;
  #rest = Buffer.alloc(0);

  constructor(take: (line: string) => void) {
    this.#take = take;
  }

  /** False: a line is too long. */
  push(bytes: Buffer): boolean {
    let rest = Buffer.concat([this.#rest, bytes]);
    for (let end = rest.indexOf("\n"); end !== -1; end = rest.indexOf("\n")) {
      this.#take(rest.subarray(0, end).toString());
      rest = rest.subarray(end + 1);
    }
    this.#rest = rest;
    return rest.length <= limits.imageLineBytesMax;
  }
}
