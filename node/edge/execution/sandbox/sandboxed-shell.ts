/**
 * The shell inside a sandbox, seen from outside: one sandbox for all commands of an attempt, one command after the
 * other, so that what one command starts is there for the next.
 *
 *   runner  --"go"-->  shell: runs a command  --its exit code-->  runner        (over one socket, closed to the commands)
 *
 * The arguments travel over a descriptor, and the environment with them: other users of the machine see neither, and no
 * variable of a step (`LD_PRELOAD`) touches a program before it is inside. Where something listens for the step
 * (`listen-process.ts`), that is done before its first command, and before its variables count: the channel that the
 * listeners leave by is never there for anything of the step, nor for anything of its image.
 *
 * Promises: the next command begins only when it is told to, so that what the last one wrote is known to be its own; when
 * `gone` was called, no process of the sandbox is left, whatever it did to get away: the kernel ends a process namespace
 * with its first process.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";
import type { Server, Socket } from "node:net";
import { descriptors } from "./bubblewrap.ts";
import { signalProcess } from "../processes.ts";
import type { Doors, SandboxTask } from "../runner-messages.ts";

/** A signal is for the command; the shell must live to tell how that ended. */
const supervisor = `trap : HUP INT TERM
for command do
  read -r go <&3 || exit 0
  /bin/sh -e -c "$command" 3>&-
  echo "$?" >&3
done
read -r go <&3`;

/** Names that a shell takes for variables. */
const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** In front of them while they must not count yet. */
const dormant = "otto_";

/** A line longer than an exit code was not written by the shell. */
const lineCharactersMax = 8;

export type SandboxObserver = {
  /** How the command ended that was told to begin last. */
  commandEnded(code: number | null, signal: string | null): void;
  /** The sandbox did not come up; what it said is in the log. */
  notStarted(problem: string): void;
  /** Once, when nothing of it is left. */
  gone(): void;
  /** A listener of the sandbox, to be given away: the first command waits until it is. */
  listens(port: number, server: Server, given: () => void): void;
};

/** Has the program listen, then wakes the variables, and goes on as the supervisor. */
function preludeOf({ program, ports }: Doors, names: readonly string[]): string {
  const words = [...program, ...ports.map(String)].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  return [
    // Node would do what a file of an image says, and Node's settings for TLS are one.
    `OPENSSL_CONF=/dev/null NODE_CHANNEL_FD=${descriptors.doors} ${words.join(" ")} || exit`,
    `exec ${descriptors.doors}>&-`,
    ...names.map((name) => `export ${name}="$${dormant}${name}"; unset ${dormant}${name}`),
    'supervisor=$1; shift; exec /bin/sh -c "$supervisor" otto "$@"',
  ].join("\n");
}

export class SandboxedShell {
  readonly #child: ChildProcess;
  readonly #control: Socket;
  readonly #observer: SandboxObserver;
  /** The first process of the sandbox as it is called out here, which leads its session. */
  #inside: number | null = null;
  #line = "";
  #isBusy = false;
  #isDoomed = false;
  #isGone = false;
  /** Listeners that are still to come, and to be given away. */
  #awaited: number;

  /** @param output what the commands write to. */
  constructor(
    sandbox: SandboxTask,
    options: {
      readonly commands: readonly string[];
      readonly environment: Readonly<Record<string, string>>;
      readonly output: number;
    },
    observer: SandboxObserver,
  ) {
    this.#observer = observer;
    const { doors } = sandbox;
    this.#awaited = doors?.ports.length ?? 0;
    const names =
      doors === null ? [] : Object.keys(options.environment).filter((name) => identifier.test(name));
    const shell = doors === null ? [supervisor, "otto"] : [preludeOf(doors, names), "otto", supervisor];
    const filter = sandbox.filter === null ? null : openSync(sandbox.filter, "r");
    try {
      this.#child = spawn(
        sandbox.program,
        [
          "--args",
          String(descriptors.arguments),
          ...sandbox.inner,
          ...(doors?.shell ?? ["/bin/sh"]),
          "-c",
          ...shell,
          ...options.commands,
        ],
        {
          cwd: "/",
          env: {},
          detached: true,
          stdio: [
            "ignore",
            options.output,
            options.output,
            "pipe",
            filter ?? "ignore",
            "pipe",
            "pipe",
            doors === null ? "ignore" : "ipc",
          ],
          ...(sandbox.user === null ? {} : { uid: sandbox.user.id, gid: sandbox.user.id }),
        },
      );
    } finally {
      if (filter !== null) closeSync(filter);
    }
    const [, , , control, , words, info] = this.#child.stdio as unknown as Socket[];
    if (control === undefined || words === undefined || info === undefined)
      throw new Error("Bug: the sandbox has no pipes");
    this.#control = control;
    for (const socket of [control, words, info]) socket.on("error", () => socket.destroy());
    const set = Object.entries(options.environment).flatMap(([name, value]) => [
      "--setenv",
      names.includes(name) ? dormant + name : name,
      value,
    ]);
    words.end([...sandbox.arguments, "--clearenv", ...set].map((word) => `${word}\0`).join(""));
    this.#listen(info);
    this.#child.on("message", (told, handle) => this.#heard(told as { port: number }, handle as Server));
    this.#child.once("error", (error) => this.#ended(error.message));
    this.#child.once("exit", (code) => this.#ended(`${sandbox.program} ended with ${code ?? "a signal"}`));
  }

  /** Its first process, from which all others in it descend; null before it is known. */
  get inside(): number | null {
    return this.#inside;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Has the next command begin. */
  next(): void {
    this.#isBusy = true;
    if (this.#awaited === 0) this.#control.write("go\n");
  }

  /** Asks the commands to end. */
  terminate(): void {
    if (this.#inside !== null) signalProcess(-this.#inside, "SIGTERM");
    else this.kill();
  }

  /** Ends everything. */
  kill(): void {
    this.#isDoomed = true;
    if (this.#inside !== null) signalProcess(this.#inside, "SIGKILL");
    this.#control.destroy();
  }

  /** For what is not gone long after it was killed: the sandbox ends with the program that made it. */
  killOutside(): void {
    if (this.#child.pid !== undefined) signalProcess(this.#child.pid, "SIGKILL");
  }

  #listen(info: Socket): void {
    let said = "";
    info.setEncoding("utf8");
    info.on("data", (text: string) => {
      said = (said + text).slice(0, 4_096);
      const found = /"child-pid"\s*:\s*(\d+)/.exec(said);
      if (found === null || this.#inside !== null) return;
      this.#inside = Number(found[1]);
      if (this.#isDoomed) this.kill();
    });
    this.#control.setEncoding("utf8");
    this.#control.on("data", (text: string) => {
      for (const character of text) {
        if (character === "\n") this.#told();
        else if (this.#line.length < lineCharactersMax) this.#line += character;
      }
    });
  }

  #heard({ port }: { readonly port: number }, server: Server): void {
    this.#observer.listens(port, server, () => {
      this.#awaited -= 1;
      if (this.#awaited === 0 && this.#isBusy) this.#control.write("go\n");
    });
  }

  #told(): void {
    const code = Number(this.#line);
    this.#line = "";
    if (!this.#isBusy || !Number.isInteger(code)) return;
    this.#isBusy = false;
    // A shell says 128 more than the signal that ended a command.
    const signal = Object.entries(constants.signals).find(([, number]) => number === code - 128);
    this.#observer.commandEnded(signal === undefined ? code : null, signal?.[0] ?? null);
  }

  #ended(problem: string): void {
    if (this.#isGone) return;
    this.#isGone = true;
    if (this.#isBusy) {
      this.#isBusy = false;
      if ((this.#inside === null || this.#awaited > 0) && !this.#isDoomed)
        this.#observer.notStarted(`the sandbox did not come up: ${problem}`);
      else this.#observer.commandEnded(null, "SIGKILL");
    }
    this.#observer.gone();
  }
}
