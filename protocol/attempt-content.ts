/** What an attempt at a step is given, and what it has made of that: named by content, so that little of it need be said. */

import type { GrantedLease } from "./messages.ts";
import type { StepReport } from "./report.ts";
import { encodeValue, sha256Hex } from "./values.ts";

/** Names what an attempt was given, files and values, by content: a result must stay small. */
export function inputsDigest({ inputs, values = [] }: Pick<GrantedLease, "inputs" | "values">): string {
  const trees = inputs.map(({ name, tree }) => [name, tree]);
  return sha256Hex(encodeValue([trees, values.map(({ name, value }) => [name, value])]));
}

/** What an attempt that ended well has made; it does not count yet. */
export type HeldEnd = Pick<StepReport, "outputs" | "values"> & {
  readonly token: number;
  /** `passed`, or one of the step's own. */
  readonly outcome: string;
};

/** What an attempt has made, by content. */
export type EndedWell = Pick<HeldEnd, "token" | "outcome" | "values"> & {
  readonly outputs: readonly { readonly name: string; readonly tree: string }[];
};

/** Names what an attempt has made of what it was given. Whatever says so about the step before it began says something else. */
export function endDigest(given: string, { token, outcome, outputs, values = {} }: EndedWell): string {
  const trees = outputs.map(({ name, tree }) => [name, tree]);
  return sha256Hex(encodeValue(["ended", given, token, outcome, trees, values]));
}

/** What a gate judges, and an approval is for: what the step is given or, once it has ended, what it has made of that. */
export function whatIsJudged(
  shown: Pick<GrantedLease, "inputs" | "values"> & { readonly ended?: EndedWell },
): string {
  const given = inputsDigest(shown);
  return shown.ended === undefined ? given : endDigest(given, shown.ended);
}

/** How a step before has ended, and what a majority of the control peers signed to let that count. */
export type LetCount = {
  readonly index: number;
  /** What it was given: `inputsDigest`. */
  readonly given: string;
  readonly ended: EndedWell;
  readonly permit: Uint8Array;
};
