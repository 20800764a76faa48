/**
 * What was asked of a register and what became of it, as an outsider with perfect sight writes it down.
 *
 * A change says all that it makes of the register, so it fits one state and no other: a lease has its token, an end the
 * token that it ends. An operation whose `return` is null is pending: it may have happened at any time since, or never.
 */

export type StepInput =
  | { readonly kind: "claim"; readonly token: number; readonly nonce: string; readonly worker: string }
  | {
      readonly kind: "finish";
      readonly token: number;
      readonly worker: string;
      readonly again: boolean;
      /** It does not count yet. */
      readonly held?: true;
    }
  | { readonly kind: "expire"; readonly token: number; readonly again: boolean }
  | { readonly kind: "await" }
  | { readonly kind: "answer"; readonly by: string }
  | { readonly kind: "settle" }
  /** What was held counts. */
  | { readonly kind: "permit" }
  /** A worker was told that its result does not count, or that it was known. */
  | { readonly kind: "told-stale" | "told-duplicate"; readonly token: number; readonly worker: string };

export type RunInput =
  | { readonly kind: "admit" }
  | { readonly kind: "cancel"; readonly by: string }
  | { readonly kind: "close"; readonly outcome: string }
  /** A person was told that the run is over, or that there is none. */
  | { readonly kind: "told-closed" }
  | { readonly kind: "told-absent" };

export type ScheduleInput =
  | {
      readonly kind: "set";
      readonly order: string;
      readonly revision: number;
      readonly sinceMs: number;
    }
  | { readonly kind: "remove" }
  | { readonly kind: "fire"; readonly order: string; readonly throughMs: number };

export type Input = StepInput | RunInput | ScheduleInput;

export type Operation = {
  readonly register: string;
  /** Numbers of observations: of two things the one with the lower number was before the other. */
  readonly call: number;
  readonly return: number | null;
  readonly input: Input;
};
