/** A worker's signed result, checked before anything believes its shape. */

import * as z from "zod/mini";
import { failure, type Result, success } from "./errors.ts";
import { limits } from "./limits.ts";
import type { SignedResult } from "./messages.ts";
import { isOutputName, isPlainName } from "./names.ts";
import { encodeValue } from "./values.ts";

const count = z.int().check(z.nonnegative());
const duration = z.number().check(z.nonnegative());
const text = z.string().check(z.maxLength(limits.reportBytesMax));

const end = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("exit"), code: z.int() }),
  z.strictObject({ kind: z.literal("signal"), signal: text }),
  z.strictObject({ kind: z.literal("timed-out") }),
  z.strictObject({ kind: z.literal("cancelled") }),
  z.strictObject({ kind: z.literal("not-started"), problem: text }),
]);

const scalar = z.union([z.string(), z.boolean(), z.number()]);
const values = z.record(z.string().check(z.refine(isOutputName)), scalar).check(
  z.refine((all) => Object.keys(all).length > 0, "empty"),
  z.refine((all) => encodeValue(all).length <= limits.valuesBytesMax, "too large"),
);

const tests = z.strictObject({
  passed: count,
  failed: count,
  skipped: count,
  failures: z
    .array(z.string().check(z.maxLength(limits.testNameCharactersMax)))
    .check(z.maxLength(limits.failedTestsNamedMax)),
});

const shape = z.strictObject({
  outcome: z.enum(["passed", "failed", "timed-out", "cancelled"]),
  problem: text,
  durationMs: duration,
  commands: z.array(z.strictObject({ startedMs: duration, durationMs: duration, logOffset: count, end })),
  outputs: z.array(z.strictObject({ name: text, tree: text, files: count, bytes: count })),
  log: z.strictObject({ bytes: count, droppedBytes: count, digest: z.nullable(text) }),
  tail: text,
  values: z.optional(values),
  ownOutcome: z.optional(z.string().check(z.refine(isPlainName))),
  tests: z.optional(tests),
  unprepared: z.optional(z.literal(true)),
});

const report = shape.check(
  z.refine(
    ({ outcome, values: said, ownOutcome }) =>
      outcome === "passed" || (said === undefined && ownOutcome === undefined),
    "values, or an outcome of its own, of a step that did not pass",
  ),
  z.refine(
    ({ unprepared, outcome, commands }) =>
      unprepared === undefined || (outcome === "failed" && commands.length === 0),
    "a step that was not prepared, and began",
  ),
);

const signed = z.strictObject({
  otto: z.literal("result/1"),
  run: text,
  index: count,
  step: text,
  token: count,
  attempt: count,
  inputs: text,
  report,
});

export function parseSignedResult(value: unknown): Result<SignedResult, string> {
  const parsed = signed.safeParse(value);
  if (parsed.success) return success(parsed.data as SignedResult);
  const [issue] = parsed.error.issues;
  return failure(issue === undefined ? "not a result" : `${issue.path.join(".")}: ${issue.message}`);
}
