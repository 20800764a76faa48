/**
 * Test reports in the format of JUnit, as nearly every tool writes it: `testcase` elements that hold a `failure`, an
 * `error`, a `skipped` or nothing.
 *
 * Promises: memory and time are bounded by the file's size, which is; entities of a document's own are not expanded
 * and nothing is fetched; a file that is no XML is told and counts nothing.
 */

import { createReadStream, statSync } from "node:fs";
import type { Mask } from "../../../protocol/credentials/masker.ts";
import { failure, type Result, success } from "../../../protocol/errors.ts";
import { limits } from "../../../protocol/limits.ts";
import type { TestSummary } from "../../../protocol/report.ts";
import { sizeWords } from "../../../protocol/sizes.ts";

export const noTests: TestSummary = { passed: 0, failed: 0, skipped: 0, failures: [] };

/** Counts the tests of one file; their names are masked. The problem is a clause: "it is no XML (line 3)". */
export async function readJunit(path: string, mask: Mask): Promise<Result<TestSummary, string>> {
  const { size } = statSync(path);
  if (size > limits.testReportBytesMax)
    return failure(`${sizeWords(size)} is more than ${sizeWords(limits.testReportBytesMax)}`);
  // Only steps with reports pay for loading it.
  const { default: sax } = await import("sax");
  // A failure's message may be a long attribute.
  Object.assign(sax, { MAX_BUFFER_LENGTH: limits.testReportBytesMax });
  const tests = new Counting(mask);
  const parser = sax.parser(true, { position: true });
  Object.assign(parser, {
    onopentag: ({ name, attributes }: Tag) => tests.open(name, attributes),
    onclosetag: (name: string) => tests.close(name),
    onerror: (error: Error) => {
      throw error;
    },
  });
  try {
    for await (const chunk of createReadStream(path, { encoding: "utf8" })) parser.write(String(chunk));
    parser.close();
  } catch (error) {
    if (error instanceof TooDeep)
      return failure(`its elements are nested more than ${limits.testReportNestingMax} deep`);
    return failure(`it is no XML (line ${parser.line + 1})`);
  }
  return success(tests.summary);
}

/** Several files together. */
export function addTests(one: TestSummary, other: TestSummary): TestSummary {
  return {
    passed: one.passed + other.passed,
    failed: one.failed + other.failed,
    skipped: one.skipped + other.skipped,
    failures: [...one.failures, ...other.failures].slice(0, limits.failedTestsNamedMax),
  };
}

type Tag = { readonly name: string; readonly attributes: Readonly<Record<string, unknown>> };

class TooDeep extends Error {}

/** One pass over the elements; a `testcase` in a `testcase` is part of the outer one. */
class Counting {
  #depth = 0;
  #case: { readonly depth: number; readonly name: string; end: "passed" | "failed" | "skipped" } | null =
    null;
  #counts = { passed: 0, failed: 0, skipped: 0 };
  readonly #failures: string[] = [];
  readonly #mask: Mask;

  constructor(mask: Mask) {
    this.#mask = mask;
  }

  get summary(): TestSummary {
    return { ...this.#counts, failures: this.#failures };
  }

  open(name: string, attributes: Tag["attributes"]): void {
    this.#depth += 1;
    if (this.#depth > limits.testReportNestingMax) throw new TooDeep();
    if (this.#case === null) {
      if (name === "testcase") this.#case = { depth: this.#depth, name: nameOf(attributes), end: "passed" };
    } else if (this.#depth === this.#case.depth + 1) {
      if (name === "failure" || name === "error") this.#case.end = "failed";
      else if (name === "skipped" && this.#case.end === "passed") this.#case.end = "skipped";
    }
  }

  close(name: string): void {
    if (name === "testcase" && this.#case?.depth === this.#depth) {
      const { end, name: test } = this.#case;
      this.#counts[end] += 1;
      if (end === "failed" && this.#failures.length < limits.failedTestsNamedMax)
        this.#failures.push(short(this.#mask.text(test)));
      this.#case = null;
    }
    this.#depth -= 1;
  }
}

/** "CartTest › adds up": the class, or the file, and the test. */
function nameOf(attributes: Tag["attributes"]): string {
  const { classname, name } = attributes;
  const parts = [classname, name].map((part) => (typeof part === "string" ? part.trim() : ""));
  const text = parts.filter((part, index) => part !== "" && parts.indexOf(part) === index).join(" › ");
  return text === "" ? "a test without a name" : text;
}

/** Cut when it is masked: half a secret is not known any more. */
function short(name: string): string {
  const max = limits.testNameCharactersMax;
  const whole = name.toWellFormed();
  return whole.length <= max ? whole : `${whole.slice(0, max - 1).toWellFormed()}…`;
}
