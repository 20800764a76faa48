/**
 * Errors that a person or another program must act on.
 *
 * Promises: every code below is stable and documented, every error says what could not be done, what the
 * state is now and what to do next, and every code has one exit code. Bugs are not here: they are assertions.
 */

/** Exit codes of the command line. `0`, `1`, `2` and `8` are part of the public interface for ever. */
export const exitCodes = {
  passed: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  environment: 4,
  unreachable: 5,
  stillWaiting: 8,
  bug: 70,
  cancelled: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Every stable error code with the exit code that the command line ends with. */
export const errorCodes = {
  OTTO_USAGE: exitCodes.usage,
  OTTO_NO_REPOSITORY: exitCodes.usage,
  OTTO_NO_PIPELINE: exitCodes.usage,
  OTTO_PIPELINE_INVALID: exitCodes.usage,
  OTTO_FILE_TOO_LARGE: exitCodes.usage,
  OTTO_FILE_UNREADABLE: exitCodes.usage,
  OTTO_FILE_EXISTS: exitCodes.usage,
  OTTO_EXPORT_INVALID: exitCodes.usage,
  OTTO_BACKUP_INVALID: exitCodes.usage,
  OTTO_LOCK_INVALID: exitCodes.usage,
  OTTO_IMAGE_UNKNOWN: exitCodes.usage,
  OTTO_POLICY_INVALID: exitCodes.usage,
  OTTO_NO_SUCH_RUN: exitCodes.usage,
  OTTO_NO_SUCH_PLAN: exitCodes.usage,
  OTTO_NO_SUCH_STEP: exitCodes.usage,
  OTTO_NO_SUCH_SCHEDULE: exitCodes.usage,
  OTTO_NO_SUCH_SECRET: exitCodes.usage,
  OTTO_SOURCE_TOO_LARGE: exitCodes.usage,
  OTTO_NO_PROVENANCE: exitCodes.refused,
  OTTO_REFUSED: exitCodes.refused,
  OTTO_OWNERS_MISSING: exitCodes.refused,
  OTTO_FORBIDDEN: exitCodes.refused,
  OTTO_TOO_MANY_RUNS: exitCodes.refused,
  OTTO_SUBMISSION_EXPIRED: exitCodes.refused,
  OTTO_NOT_SUPPORTED: exitCodes.refused,
  OTTO_INVITE_INVALID: exitCodes.refused,
  OTTO_NOT_A_MEMBER: exitCodes.refused,
  OTTO_MESSAGE_INVALID: exitCodes.refused,
  OTTO_GIT_FAILED: exitCodes.environment,
  OTTO_NODE_TOO_OLD: exitCodes.environment,
  OTTO_PORT_IN_USE: exitCodes.environment,
  OTTO_DATA_FOLDER_IN_USE: exitCodes.environment,
  OTTO_DATA_FOLDER_INVALID: exitCodes.environment,
  OTTO_STORAGE_FAILED: exitCodes.environment,
  OTTO_STORAGE_LOST: exitCodes.environment,
  OTTO_LOG_FORKED: exitCodes.environment,
  OTTO_DISK_FULL: exitCodes.environment,
  OTTO_START_FAILED: exitCodes.environment,
  OTTO_BLOB_MISSING: exitCodes.environment,
  OTTO_LIBRARY_UNUSABLE: exitCodes.environment,
  OTTO_UNREACHABLE: exitCodes.unreachable,
  OTTO_NO_NODE: exitCodes.unreachable,
  OTTO_TIMED_OUT: exitCodes.unreachable,
} as const satisfies Record<string, ExitCode>;

export type ErrorCode = keyof typeof errorCodes;

/** A failed operation that someone must act on. The message is one sentence; `next` is an action. */
export class OttoError extends Error {
  override readonly name = "OttoError";
  readonly code: ErrorCode;
  /** What is true now, when that is not obvious from the message: "Nothing was submitted." */
  readonly state: string | undefined;
  /** What to do next, as an imperative sentence. */
  readonly next: string;

  constructor(code: ErrorCode, words: { what: string; state?: string; next: string; cause?: unknown }) {
    super(words.what, words.cause === undefined ? undefined : { cause: words.cause });
    this.code = code;
    this.state = words.state;
    this.next = words.next;
  }

  get exitCode(): ExitCode {
    return errorCodes[this.code];
  }
}

/** An expected outcome of a pure function. */
export type Result<Value, Problem> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problem: Problem };

export function success<Value>(value: Value): { readonly ok: true; readonly value: Value } {
  return { ok: true, value };
}

export function failure<Problem>(problem: Problem): {
  readonly ok: false;
  readonly problem: Problem;
} {
  return { ok: false, problem };
}

/** Stops the process on a broken promise of our own code: a bug, never a user's mistake. */
export function assert(condition: unknown, promise: string): asserts condition {
  if (!condition) throw new Error(`Bug: ${promise}`);
}

/** The end of an exhaustive switch: reached only if a new case was forgotten. */
export function unreachable(value: never): never {
  throw new Error(`Bug: unhandled case ${JSON.stringify(value)}`);
}
