/**
 * Steps that are another domain's: a plan of dev may have a step in an environment that ops owns. When all that the step needs has
 * ended, a majority of dev's control peers signs a **release**; ops has the step run by its own policy, and a majority of its
 * control peers signs the **outcome**. Neither has to trust a single server of the other.
 *
 *   dev: waiting --release--> ops: admitted --gate, lease, result--> done --outcome--> dev: settled
 */

import { failure, type Result, success } from "./errors.ts";
import type { RefusedBecause, Verifier } from "./envelope.ts";
import { openCharter, type SignedCharter } from "./membership.ts";
import type { GivenValue } from "./messages.ts";
import type { Plan, PlannedStep } from "./plan.ts";
import { openQuorum } from "./quorum.ts";
import type { OutputReference, StepReport } from "./report.ts";
import { bytesCid, decodeUntrusted, encodeValue } from "./values.ts";

export type Release = {
  readonly otto: "release/1";
  /** The run in the domain that releases. */
  readonly run: string;
  /** CID of its manifest. */
  readonly manifest: string;
  /** The step's place in the plan. */
  readonly index: number;
  readonly step: string;
  readonly inputs: readonly { readonly name: string; readonly tree: string }[];
  readonly values: readonly GivenValue[];
  /** How each step ended that the step needs, directly or through others. */
  readonly outcomes: Readonly<Record<string, string>>;
  /** Milliseconds since 1970; until then it may be admitted. */
  readonly fromMs: number;
  readonly untilMs: number;
};

export type ReleasedOutcome = {
  readonly otto: "outcome/1";
  /** Of the release: the domain's id, run and place of the step. */
  readonly domain: string;
  readonly run: string;
  readonly index: number;
  readonly outcome: "passed" | "failed" | "timed-out";
  /** One sentence when it did not pass. */
  readonly detail: string;
  readonly outputs: readonly OutputReference[];
  readonly values: NonNullable<StepReport["values"]>;
};

/** The name of the domain that a step belongs to, when that is another one than this; `local` stands for every domain. */
export function foreignDomainOf(
  { environments }: Pick<Plan, "environments">,
  { environment }: Pick<PlannedStep, "environment">,
  own: string,
): string | null {
  const owner = environment === null ? null : (environments[environment]?.domain ?? null);
  return owner === null || owner === own || own === localDomainName ? null : owner;
}

/** The domain of the mesh that `otto run` keeps on one machine. */
export const localDomainName = "local";

/** The run that a released step becomes in the domain that it is released to. */
export function runOfRelease({ run, manifest, index }: Pick<Release, "run" | "manifest" | "index">): string {
  return bytesCid(encodeValue(["release", run, manifest, index])).slice(-12);
}

/** The plan of that run: the one step, whose needs have ended. Only sound for a step of the plan. */
export function releasedPlan(plan: Plan, index: number): Plan {
  const step = plan.steps[index];
  const alone = step === undefined ? [] : [{ ...step, needs: [], inputs: [] }];
  const { valueInputs: _, ...rest } = alone[0] ?? {};
  return { ...plan, steps: step === undefined ? [] : [rest as PlannedStep] };
}

/** Opens a release: of the domain whose charter it brings along, signed by a majority of that domain's control peers. */
export function openRelease(
  { release, charter }: { readonly release: Uint8Array; readonly charter: Uint8Array },
  keys: Verifier,
): Result<{ readonly release: Release; readonly from: SignedCharter }, RefusedBecause> {
  const from = openCharter(charter, null, keys);
  if (!from.ok) return from;
  const signedMs = (value: unknown): number | null => (isRelease(value) ? value.fromMs : null);
  const opened = openQuorum(release, { kind: "release", signedMs }, from.value, keys);
  if (!opened.ok) return opened;
  const { value } = opened.value;
  return isRelease(value)
    ? success({ release: value, from: { charter: from.value, bytes: charter } })
    : failure("malformed");
}

/** An outcome as it is kept in the step's register and log: with the charter of the domain whose control peers signed it. */
export function sealOutcome(quorum: Uint8Array, charter: Uint8Array): Uint8Array {
  return encodeValue([quorum, charter]);
}

export function openOutcome(
  bytes: Uint8Array,
  keys: Verifier,
): Result<{ readonly outcome: ReleasedOutcome; readonly from: SignedCharter }, RefusedBecause> {
  const decoded = decodeUntrusted(bytes);
  if (!decoded.ok || !Array.isArray(decoded.value) || decoded.value.length !== 2) return failure("malformed");
  const [quorum, charter] = decoded.value as unknown[];
  if (!(quorum instanceof Uint8Array) || !(charter instanceof Uint8Array)) return failure("malformed");
  const from = openCharter(charter, null, keys);
  if (!from.ok) return from;
  const opened = openQuorum(quorum, { kind: "outcome", signedMs: () => null }, from.value, keys);
  if (!opened.ok) return opened;
  const { value } = opened.value;
  return isOutcome(value)
    ? success({ outcome: value, from: { charter: from.value, bytes: charter } })
    : failure("malformed");
}

export function isRelease(found: unknown): found is Release {
  const value = found as Release | null;
  return (
    value?.otto === "release/1" &&
    [value.run, value.manifest, value.step].every((text) => typeof text === "string") &&
    [value.index, value.fromMs, value.untilMs].every((count) => Number.isSafeInteger(count) && count >= 0) &&
    areTrees(value.inputs) &&
    Array.isArray(value.values) &&
    value.values.every(
      (one: GivenValue | null) =>
        typeof one?.name === "string" && ["string", "number", "boolean"].includes(typeof one.value),
    ) &&
    isRecord(value.outcomes) &&
    Object.values(value.outcomes).every((outcome) => typeof outcome === "string")
  );
}

export function isOutcome(found: unknown): found is ReleasedOutcome {
  const value = found as ReleasedOutcome | null;
  return (
    value?.otto === "outcome/1" &&
    [value.domain, value.run, value.detail].every((text) => typeof text === "string") &&
    Number.isSafeInteger(value.index) &&
    ["passed", "failed", "timed-out"].includes(value.outcome) &&
    areTrees(value.outputs) &&
    isRecord(value.values)
  );
}

function areTrees(found: unknown): boolean {
  return (
    Array.isArray(found) &&
    found.every(
      (one: { name?: unknown; tree?: unknown } | null) =>
        typeof one?.name === "string" && typeof one.tree === "string" && /^[0-9a-f]{64}$/u.test(one.tree),
    )
  );
}

function isRecord(found: unknown): found is Record<string, unknown> {
  return typeof found === "object" && found !== null && !Array.isArray(found);
}
