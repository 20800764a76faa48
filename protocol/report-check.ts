/** A worker's signed result, checked before anything believes its shape. */

import * as z from "zod/mini";
import { failure, type Result, success } from "./errors.ts";
import { limits } from "./limits.ts";
import type { SignedResult } from "./messages.ts";

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

const report = z.strictObject({
  outcome: z.enum(["passed", "failed", "timed-out", "cancelled"]),
  problem: text,
  durationMs: duration,
  commands: z.array(z.strictObject({ startedMs: duration, durationMs: duration, logOffset: count, end })),
  outputs: z.array(z.strictObject({ name: text, tree: text, files: count, bytes: count })),
  log: z.strictObject({ bytes: count, droppedBytes: count, digest: z.nullable(text) }),
  tail: text,
});

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
  if (parsed.success) return success(parsed.data);
  const [issue] = parsed.error.issues;
  return failure(issue === undefined ? "not a result" : `${issue.path.join(".")}: ${issue.message}`);
}
