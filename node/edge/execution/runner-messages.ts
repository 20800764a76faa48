/**
 * What a worker and its runner say to each other. Both are of the same build, so these are checked by the
 * compiler alone.
 */

import type { CommandReport } from "../../../protocol/report.ts";
import type { StepBounds } from "./step-usage.ts";
import type { SlotUser } from "./sandbox/slot-users.ts";

/** One attempt as the runner sees it: a folder, commands, and where the log goes. */
export type RunnerTask = {
  /** Unique among the attempts of one executor. */
  readonly serial: number;
  readonly workspace: string;
  readonly logFile: string;
  /** The log begins with it: what the worker did before. */
  readonly preamble: string;
  readonly commands: readonly string[];
  /** Over the environment that the runner was configured with. */
  readonly environment: Readonly<Record<string, string>>;
  /** In base64: what is masked in its output before it is stored or sent. */
  readonly secrets: readonly string[];
  readonly timeoutMs: number;
  /** By the machine's monotonic clock (`machineMs`): it ends then at the latest, unless a later time is told first; null: never. */
  readonly deadlineMs: number | null;
  /** How long it may take to end after it was asked to. */
  readonly graceMs: number;
  /** What holds it; null: nothing but its process groups (S0). */
  readonly confinement: Confinement | null;
  /** What it may take of the machine, and the folders that count as disk. */
  readonly bounds: StepBounds;
  readonly folders: readonly string[];
};

export type Confinement =
  | {
      /** S1: each command as a user of its own, of whom nothing is left at the end. */
      readonly kind: "user";
      readonly user: SlotUser;
      /** A program and its words, which the shell comes after. */
      readonly inner: readonly string[];
    }
  | SandboxTask;

/** S2 and above: all commands in one sandbox. */
export type SandboxTask = {
  readonly kind: "sandbox";
  /** Becomes this user before it makes the sandbox; null: stays the worker's. */
  readonly user: SlotUser | null;
  /** Bubblewrap. */
  readonly program: string;
  /** For its `--args`. */
  readonly arguments: readonly string[];
  /** A program and its words inside, which the shell comes after. */
  readonly inner: readonly string[];
  /** A file with the filter for system calls. */
  readonly filter: string | null;
  /** What listens inside before the first command begins; null: nothing. */
  readonly doors: Doors | null;
};

/** Ports on the loopback of a sandbox, whose listeners are handed out of it to the worker. */
export type Doors = {
  /** The program that listens, and its words without the ports. */
  readonly program: readonly string[];
  /** The words that start the shell which runs it: never an image's, since the channel to the runner is open in it. */
  readonly shell: readonly string[];
  readonly ports: readonly number[];
};

/** Comes with a listener, over the channel that Node has for that. */
export type DoorMessage = { readonly serial: number; readonly port: number };

export type ToRunner =
  | {
      readonly kind: "configure";
      /** A folder of this runner alone, for its pipes. */
      readonly folder: string;
      /** Every step of this executor carries it in its environment; see `processes.ts`. */
      readonly marker: string;
      readonly environment: Readonly<Record<string, string>>;
      readonly slots: number;
    }
  | { readonly kind: "run"; readonly task: RunnerTask }
  | { readonly kind: "stop"; readonly serial: number }
  | { readonly kind: "deadline"; readonly serial: number; readonly deadlineMs: number }
  | { readonly kind: "close" };

/** How the commands of an attempt came to their end. */
export type RunnerEnd =
  | { readonly kind: "passed" }
  /** The last of the commands says how. */
  | { readonly kind: "failed" }
  | { readonly kind: "timed-out" }
  /** It took more than it may: what, as a clause. */
  | { readonly kind: "limited"; readonly problem: string }
  | { readonly kind: "cancelled" }
  /** Something of the machine, not of the step: the disk is full, a process cannot be started or killed. */
  | { readonly kind: "broken"; readonly problem: string };

export type RunnerResult = {
  readonly serial: number;
  readonly end: RunnerEnd;
  readonly durationMs: number;
  readonly commands: readonly CommandReport[];
  readonly logBytes: number;
  readonly logDroppedBytes: number;
  /** Digest of the log file; null when the log was too short to need one, or could not be written. */
  readonly logDigest: string | null;
};

export type FromRunner =
  | { readonly kind: "ready" }
  | { readonly kind: "ended"; readonly result: RunnerResult };
