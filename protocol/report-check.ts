/**
 * A worker's signed result, checked before anything believes its shape. Strict, and by hand, as plans are (`plan-check.ts`): each
 * control peer reads it in a message, and again in the logs of others.
 */

import {
  type Fields,
  fieldsOf,
  isCount,
  keysProblem,
  listProblem,
  type Problem,
  recordProblem,
  when,
} from "./checks.ts";
import { failure, type Result, success } from "./errors.ts";
import { limits } from "./limits.ts";
import type { SignedResult } from "./messages.ts";
import { isOutputName, isPlainName } from "./names.ts";
import { encodeValue } from "./values.ts";

const outcomes: readonly unknown[] = ["passed", "failed", "timed-out", "cancelled"];

const signedKeys = ["otto", "run", "index", "step", "token", "attempt", "inputs", "report"];
const reportKeys = ["outcome", "problem", "durationMs", "commands", "outputs", "log", "tail"];
const reportExtras = ["values", "ownOutcome", "tests", "unprepared"];
const commandKeys = ["startedMs", "durationMs", "logOffset", "end"];
const outputKeys = ["name", "tree", "files", "bytes"];
const logKeys = ["bytes", "droppedBytes", "digest"];
const testsKeys = ["passed", "failed", "skipped", "failures"];

export function parseSignedResult(value: unknown): Result<SignedResult, string> {
  const problem = signedProblem(value);
  return problem === null ? success(value as SignedResult) : failure(problem);
}

function signedProblem(value: unknown): Problem {
  const signed = fieldsOf(value);
  if (signed === null) return "not a result";
  return (
    keysProblem(signed, "result", signedKeys) ??
    when(signed["otto"] !== "result/1", "otto: not result/1") ??
    textProblem(signed, "run") ??
    textProblem(signed, "step") ??
    textProblem(signed, "inputs") ??
    countProblem(signed, "index") ??
    countProblem(signed, "token") ??
    countProblem(signed, "attempt") ??
    reportProblem(signed["report"])
  );
}

function reportProblem(value: unknown): Problem {
  const report = fieldsOf(value);
  if (report === null) return "report: not a map";
  return (
    keysProblem(report, "report", reportKeys, reportExtras) ??
    when(!outcomes.includes(report["outcome"]), "report.outcome: unknown") ??
    textProblem(report, "problem") ??
    textProblem(report, "tail") ??
    durationProblem(report, "durationMs") ??
    listProblem(report["commands"], "report.commands", Infinity, commandProblem) ??
    listProblem(report["outputs"], "report.outputs", Infinity, outputProblem) ??
    logProblem(report["log"]) ??
    extrasProblem(report)
  );
}

function commandProblem(value: unknown): Problem {
  const command = fieldsOf(value);
  if (command === null) return "not a map";
  return (
    keysProblem(command, "command", commandKeys) ??
    durationProblem(command, "startedMs") ??
    durationProblem(command, "durationMs") ??
    countProblem(command, "logOffset") ??
    endProblem(command["end"])
  );
}

function endProblem(value: unknown): Problem {
  const end = fieldsOf(value);
  switch (end?.["kind"]) {
    case "exit":
      return (
        keysProblem(end, "end", ["kind", "code"]) ?? when(!Number.isSafeInteger(end["code"]), "end.code")
      );
    case "signal":
      return keysProblem(end, "end", ["kind", "signal"]) ?? textProblem(end, "signal");
    case "not-started":
      return keysProblem(end, "end", ["kind", "problem"]) ?? textProblem(end, "problem");
    case "timed-out":
    case "cancelled":
      return keysProblem(end, "end", ["kind"]);
    default:
      return "end: of no known kind";
  }
}

function outputProblem(value: unknown): Problem {
  const output = fieldsOf(value);
  if (output === null) return "not a map";
  return (
    keysProblem(output, "output", outputKeys) ??
    textProblem(output, "name") ??
    textProblem(output, "tree") ??
    countProblem(output, "files") ??
    countProblem(output, "bytes")
  );
}

function logProblem(value: unknown): Problem {
  const log = fieldsOf(value);
  if (log === null) return "report.log: not a map";
  return (
    keysProblem(log, "report.log", logKeys) ??
    countProblem(log, "bytes") ??
    countProblem(log, "droppedBytes") ??
    (log["digest"] === null ? null : textProblem(log, "digest"))
  );
}

function extrasProblem(report: Fields): Problem {
  const { outcome, values, ownOutcome, tests, unprepared, commands } = report;
  const isSaying = values !== undefined || ownOutcome !== undefined;
  const isUnprepared = unprepared === true && outcome === "failed" && (commands as unknown[]).length === 0;
  return (
    when(isSaying && outcome !== "passed", "report: says something of a step that did not pass") ??
    (values === undefined ? null : valuesProblem(values)) ??
    when(ownOutcome !== undefined && !isOwnOutcome(ownOutcome), "report.ownOutcome: not a name") ??
    (tests === undefined ? null : testsProblem(tests)) ??
    when(unprepared !== undefined && !isUnprepared, "report.unprepared: of a step that began")
  );
}

function isOwnOutcome(value: unknown): boolean {
  return typeof value === "string" && isPlainName(value);
}

function valuesProblem(value: unknown): Problem {
  const rule = { isKey: isOutputName, isValue: isScalar, countMax: Infinity };
  return (
    recordProblem(value, "report.values", rule) ??
    when(Object.keys(value as Fields).length === 0, "report.values: empty") ??
    when(encodeValue(value).length > limits.valuesBytesMax, "report.values: too large")
  );
}

function isScalar(value: unknown): boolean {
  return typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
}

function testsProblem(value: unknown): Problem {
  const tests = fieldsOf(value);
  if (tests === null) return "report.tests: not a map";
  const isTestName = (name: unknown): boolean => isTextOf(name, limits.testNameCharactersMax);
  return (
    keysProblem(tests, "report.tests", testsKeys) ??
    countProblem(tests, "passed") ??
    countProblem(tests, "failed") ??
    countProblem(tests, "skipped") ??
    listProblem(tests["failures"], "report.tests.failures", limits.failedTestsNamedMax, (name) =>
      when(!isTestName(name), "not the name of a test"),
    )
  );
}

function textProblem(fields: Fields, key: string): Problem {
  return isTextOf(fields[key], limits.reportBytesMax) ? null : `${key}: not a text, or too long`;
}

function countProblem(fields: Fields, key: string): Problem {
  return isCount(fields[key], 0, Number.MAX_SAFE_INTEGER) ? null : `${key}: not a count`;
}

function durationProblem(fields: Fields, key: string): Problem {
  const value = fields[key];
  return typeof value === "number" && value >= 0 && value < Infinity ? null : `${key}: not a duration`;
}

/** Characters are counted, not units of UTF-16, where it matters. */
function isTextOf(value: unknown, charactersMax: number): boolean {
  if (typeof value !== "string") return false;
  return (
    value.length <= charactersMax ||
    (value.length <= charactersMax * 2 && Array.from(value).length <= charactersMax)
  );
}
