/**
 * The seams between what decides and what performs. The core and its loop know only these; `node/edge/` is the
 * real side, `simulations/` the simulated one, and each seam has one contract suite in `test/contracts/` that
 * runs over both.
 *
 * Time is an integer with its unit in the name. Monotonic time never crosses machines.
 */

import type { Verifier } from "../protocol/envelope.ts";
import type { Source } from "../protocol/manifest.ts";
import type { Message } from "../protocol/messages.ts";
import type {
  SandboxLevel,
  Scalar,
  StepCache,
  StepCredential,
  StepOutput,
  StepReportFiles,
  StepValueDeclaration,
} from "../protocol/plan.ts";
import type { StepReport } from "../protocol/report.ts";

export type Clock = {
  monotonicMs(): number;
  wallMs(): number;
  /** Calls back once, `afterMs` from now at the earliest. */
  setTimer(afterMs: number, callback: () => void): Timer;
  /** Calls back once, behind what the present turn has brought already and before the next one. */
  afterTurn(callback: () => void): void;
};

export type Timer = { cancel(): void };

export type Random = {
  /** An integer in 0 .. below-1. */
  integer(below: number): number;
  bytes(count: number): Uint8Array;
};

/** Links to other peers. Delivery is in order while a link is up, and nothing is delivered twice on one link. */
export type Network = {
  send(peer: string, message: Message): void;
  /** Announces to all peers of the domain, best effort; at most `limits.gossipBytesMax`. */
  publish(bytes: Uint8Array): void;
};

export type StoredEntry = readonly [key: string, value: Uint8Array];

export type WriteOperation =
  | { readonly kind: "put"; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: "delete"; readonly key: string };

/** An ordered map on disk. Writing and making durable are two acts, so that a simulator can lose what lies between. */
export type Storage = {
  get(key: string): Promise<Uint8Array | undefined>;
  /** Every entry whose key starts with the prefix, ordered by code unit. */
  list(prefix: string): Promise<readonly StoredEntry[]>;
  /** Applies all operations or none. Readable at once, durable only after the next `sync`. */
  write(operations: readonly WriteOperation[]): Promise<void>;
  /** Everything written before the call is durable when it returns. */
  sync(): Promise<void>;
  /** Writes and makes durable. Calls back once, never before it returns: with null, or with why nothing is sure. */
  commit(operations: readonly WriteOperation[], done: (failure: unknown) => void): void;
  close(): Promise<void>;
};

export type Keys = {
  /** The peer id that belongs to the key. */
  readonly peer: string;
  sign(bytes: Uint8Array): Uint8Array;
} & Verifier;

/** Everything that is needed to execute one attempt. */
export type Assignment = {
  /** Unique for ever: names the attempt to the executor. */
  readonly id: string;
  readonly run: string;
  readonly step: string;
  /** The step's place in its plan. */
  readonly index: number;
  readonly attempt: number;
  readonly token: number;
  /** Of an exclusive step: what it shows to the target that it reaches. */
  readonly fence: number | null;
  readonly commands: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
  /** What Otto tells of the run and hands over, as variables: `variables` cannot override them. */
  readonly surroundings: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly source: Source;
  /** Trees to lay over the source, in order: the outputs of earlier steps. */
  readonly inputs: readonly { readonly name: string; readonly tree: string }[];
  readonly outputs: readonly StepOutput[];
  /** What the commands must say, in the file `$OTTO_VALUES`. */
  readonly values: readonly StepValueDeclaration[];
  /** What they may end as, in the file `$OTTO_OUTCOME`. */
  readonly outcomes: readonly string[];
  readonly caches: readonly StepCache[];
  /** Attempts of one scope read the caches that others of it wrote, and no others'. */
  readonly cacheScope: string;
  /** A scope whose caches it reads besides, and never writes; null: none. */
  readonly cacheBelow: string | null;
  readonly reports: readonly StepReportFiles[];
  /** What it may use by way of a broker. */
  readonly credentials: readonly StepCredential[];
  /** What does the work when there are no commands. */
  readonly library: LibraryCall | null;
  /** The least isolation that it may run under. */
  readonly sandbox: SandboxLevel;
  /** The root of its file system; with `orHost` only where the worker can. Null: the worker's own. */
  readonly image: { readonly name: string; readonly orHost: boolean } | null;
};

/** A step library, and what the step gives it. */
export type LibraryCall = {
  /** As the plan calls it. */
  readonly name: string;
  /** Its files. */
  readonly tree: string;
  /** Its program on each platform (`any` for the others), relative to its folder. */
  readonly entry: Readonly<Record<string, string>>;
  readonly with: Readonly<Record<string, Scalar>>;
};

export type StopCause = "cancelled" | "superseded" | "lease-ended";

export type ExecutorObserver = {
  /** Bytes of the attempt's log, in order, without gaps up to `limits.logBytesMax`. */
  output(id: string, offset: number, bytes: Uint8Array): void;
  /** Exactly once per started attempt, when none of its processes is left. */
  ended(id: string, report: StepReport): void;
};

export type Executor = {
  /**
   * Never throws for what a step does wrong: that is in the report.
   *
   * @param deadlineMs by this process's monotonic clock: `setDeadline`. Without it there is none.
   */
  start(assignment: Assignment, deadlineMs?: number): void;
  /**
   * From then on the attempt must not go on, unless a later time is said first: its end begins at that time (as by `stop`),
   * also when this process is itself stopped, and it does not begin any more. Unknown ids are ignored.
   *
   * @param deadlineMs by this process's monotonic clock.
   */
  setDeadline(id: string, deadlineMs: number): void;
  /** What the attempt has written from `offset` on, at most `bytesMax`; empty at its end, and once it is over. */
  read(id: string, offset: number, bytesMax: number): Uint8Array;
  /** Ends everything of the attempt (SIGTERM, then SIGKILL); its report says `cancelled`. Unknown ids are ignored. */
  stop(id: string, cause: StopCause): void;
  close(): Promise<void>;
};
