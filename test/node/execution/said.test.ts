/** What commands say in the files that they are given: values, and outcomes of the step's own. */

import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseValues } from "../../../node/edge/execution/said.ts";
import type { Assignment } from "../../../node/ports.ts";
import { limits } from "../../../protocol/limits.ts";
import { parseSignedResult } from "../../../protocol/report-check.ts";
import type { StepReport } from "../../../protocol/report.ts";
import { encodeValue } from "../../../protocol/values.ts";
import { makeSurroundings, type Surroundings } from "./surroundings.ts";

let surroundings: Surroundings;
beforeAll(async () => {
  surroundings = await makeSurroundings();
});
afterAll(async () => surroundings.close());

const declared: Partial<Assignment> = {
  values: [
    { name: "count", type: "number" },
    { name: "is-new", type: "boolean" },
    { name: "version", type: "string" },
  ],
};
const version: Partial<Assignment> = { values: [{ name: "version", type: "string" }] };
const outcomes: Partial<Assignment> = { outcomes: ["outdated", "unchanged"] };

function say(lines: string, more: Partial<Assignment> = declared): Promise<StepReport> {
  return surroundings.run([`cat >> "$OTTO_VALUES" <<'EOF'\n${lines}\nEOF`], more);
}

describe("the values of a step", () => {
  it("are what its commands wrote, each of its type; of one name the last counts", async () => {
    const report = await surroundings.run(
      [
        'test ! -s "$OTTO_VALUES"; echo version=1.0 >> "$OTTO_VALUES"',
        'printf "count=-2.5e1\\nis-new=true\\n\\n" >> "$OTTO_VALUES"; echo "version=a=b <<c" >> "$OTTO_VALUES"',
      ],
      declared,
    );
    expect(report.problem).toBe("");
    expect(report.values).toEqual({ count: -25, "is-new": true, version: "a=b <<c" });
  });

  it("may have several lines, up to the word that the writer chose", async () => {
    const report = await say("version<<END\nfirst\n\nEND of nothing\nEND", version);
    expect(report.values).toEqual({ version: "first\n\nEND of nothing" });
  });

  it("are outside of the workspace, and the next step finds them empty", async () => {
    const where = 'case "$OTTO_VALUES" in "$PWD"/*) exit 3;; esac; test ! -s "$OTTO_VALUES"';
    const rest = "echo version=1 >> $OTTO_VALUES";
    for (let step = 0; step < 3; step += 1) {
      const report = await surroundings.run([where, rest], version);
      expect(report.problem).toBe("");
    }
  });

  it("are not asked of a step that declares none, and not read from one that failed", async () => {
    const none = await surroundings.run(['test -z "$OTTO_VALUES$OTTO_OUTCOME"']);
    expect(none.outcome).toBe("passed");
    expect(none).not.toHaveProperty("values");
    const failed = await surroundings.run(["echo version=1 >> $OTTO_VALUES; exit 3"], version);
    expect(failed.problem).toContain("exited with 3");
    expect(failed).not.toHaveProperty("values");
  });
});

describe("values that are not as declared", () => {
  const wrong: readonly { readonly what: string; readonly lines: string; readonly problem: string }[] = [
    {
      what: "a name that is not declared",
      lines: "count=1\nis-new=true\nversion=1\nverison=1",
      problem:
        'The step says a value "verison", which it does not declare: write one of count, is-new, version to $OTTO_VALUES, or declare it under "values".',
    },
    {
      what: "a value that is missing",
      lines: "count=1\nversion=1",
      problem: 'The value "is-new" is missing: write "is-new=VALUE" to the file $OTTO_VALUES.',
    },
    {
      what: "no number",
      lines: "count=many\nis-new=true\nversion=1",
      problem:
        'The value "count" is "many", not a number: write "count=" and a number such as 3 or 0.5, of at most 15 digits to $OTTO_VALUES.',
    },
    {
      what: "a number that would lose digits",
      lines: "count=12345678901234567\nis-new=true\nversion=1",
      problem: "not a number",
    },
    {
      what: "no truth",
      lines: "count=1\nis-new=yes\nversion=1",
      problem:
        'The value "is-new" is "yes", not a boolean: write "is-new=" and "true" or "false" to $OTTO_VALUES.',
    },
    {
      what: "a line that is no value",
      lines: "count=1\nhello",
      problem: "Line 2 of $OTTO_VALUES is no value",
    },
    { what: "a value without an end", lines: "version<<END\nmore", problem: 'has no end: write "END" alone' },
  ];
  for (const { what, lines, problem } of wrong) {
    it(`fail the step with a sentence that says what to write: ${what}`, async () => {
      const report = await say(lines);
      expect(report.outcome).toBe("failed");
      expect(report.problem).toContain(problem);
      expect(report).not.toHaveProperty("values");
    });
  }
});

describe("the bounds of values", () => {
  it("let them fit into a report with all else that it may hold", async () => {
    const most = limits.valueBytesMax;
    const fits = await surroundings.run([`printf 'version=%0${most}d\\n' 7 >> $OTTO_VALUES`], version);
    expect(String(fits.values?.["version"])).toHaveLength(most);
    const over = await surroundings.run([`printf 'version=%0${most + 1}d\\n' 7 >> $OTTO_VALUES`], version);
    expect(over.problem).toContain(`has ${most + 1} bytes, more than ${most}`);
    const huge = await surroundings.run(
      [`head -c ${limits.saidBytesMax + 1} /dev/zero > $OTTO_VALUES`],
      version,
    );
    expect(huge.problem).toContain("hand larger things over as an output");

    const names = ["a", "b", "c"];
    const three = { values: names.map((name) => ({ name, type: "string" as const })) };
    const all = names.map((name) => `printf '${name}=%01990d\\n' 7 >> $OTTO_VALUES`);
    expect((await surroundings.run(all, three)).problem).toContain("bytes together");

    const crowded = await surroundings.run(
      [
        `mkdir o; for i in $(seq 40); do echo $i > o/$i; done`,
        `seq 1 9000`,
        ...all.slice(0, 2),
        `echo c= >> $OTTO_VALUES`,
      ],
      {
        ...three,
        outputs: Array.from({ length: 40 }, (_, index) => ({
          name: `${"x".repeat(97)}${index + 1}`,
          files: [`o/${index + 1}`],
        })),
      },
    );
    expect(crowded.problem).toBe("");
    expect(encodeValue(crowded).length).toBeLessThanOrEqual(limits.reportBytesMax);
    expect(Object.keys(crowded.values ?? {})).toEqual(names);
  });
});

describe("the file of values", () => {
  const traps = [
    { what: "a pipe", trap: "rm $OTTO_VALUES; mkfifo $OTTO_VALUES" },
    { what: "a link", trap: "echo version=1 > f; rm $OTTO_VALUES; ln -s $PWD/f $OTTO_VALUES" },
    { what: "a folder", trap: "rm $OTTO_VALUES; mkdir $OTTO_VALUES" },
    { what: "nothing", trap: "rm $OTTO_VALUES" },
  ];
  for (const { what, trap } of traps) {
    it(`cannot hold up or mislead the worker with ${what} in the file's place`, async () => {
      const report = await surroundings.run([trap], version);
      expect(report.problem).toBe(
        "$OTTO_VALUES is no file any more: append to it, and leave it where it is.",
      );
    });
  }

  it("must be text", async () => {
    const report = await surroundings.run(["printf 'version=\\377' > $OTTO_VALUES"], version);
    expect(report.problem).toBe("$OTTO_VALUES is not UTF-8 text: write text to it.");
  });

  it("is read line by line", () => {
    expect(parseValues("")).toEqual({ ok: true, value: new Map() });
    expect(parseValues("=x").ok).toBe(false);
    expect(parseValues("a<<").ok).toBe(false);
    expect(parseValues("a<<E\nE\nb=")).toEqual({
      ok: true,
      value: new Map([
        ["a", ""],
        ["b", ""],
      ]),
    });
  });
});

describe("an outcome of a step's own", () => {
  it("is what its commands wrote, when they passed", async () => {
    const report = await surroundings.run(["echo outdated > $OTTO_OUTCOME"], outcomes);
    expect([report.outcome, report.ownOutcome, report.problem]).toEqual(["passed", "outdated", ""]);
    const failed = await surroundings.run(["echo outdated > $OTTO_OUTCOME; exit 1"], outcomes);
    expect(failed.outcome).toBe("failed");
    expect(failed).not.toHaveProperty("ownOutcome");
  });

  it("is none when they wrote nothing", async () => {
    const report = await surroundings.run(["true"], outcomes);
    expect(report.outcome).toBe("passed");
    expect(report).not.toHaveProperty("ownOutcome");
  });

  it("that is not declared, or is not one, fails the step with a sentence", async () => {
    expect((await surroundings.run(["echo stale > $OTTO_OUTCOME"], outcomes)).problem).toBe(
      'The step says that it ended as "stale", which it does not declare: write one of outdated, unchanged to $OTTO_OUTCOME, or declare it under "outcomes".',
    );
    const two = await surroundings.run(["printf 'outdated\\nunchanged\\n' > $OTTO_OUTCOME"], outcomes);
    expect(two.problem).toContain("it ended as outdated, unchanged: write only one of outdated, unchanged");
  });
});

describe("a worker's result", () => {
  const report: StepReport = {
    outcome: "passed",
    problem: "",
    durationMs: 1,
    commands: [],
    outputs: [],
    log: { bytes: 0, droppedBytes: 0, digest: null },
    tail: "",
  };
  const parse = (more: object): boolean =>
    parseSignedResult({
      otto: "result/1",
      run: "r",
      index: 0,
      step: "s",
      token: 1,
      attempt: 1,
      inputs: "0".repeat(64),
      report: { ...report, ...more },
    }).ok;

  it("may carry values, an outcome of the step's own and a summary of tests", () => {
    const tests = { passed: 1, failed: 1, skipped: 0, failures: ["a"] };
    expect(parse({ values: { a: 1, "b-c": "x", d: false }, ownOutcome: "outdated", tests })).toBe(true);
  });

  it("may say that it could not begin only when nothing began", () => {
    const unprepared = { outcome: "failed", problem: "x", unprepared: true };
    const commands = [{ startedMs: 0, durationMs: 1, logOffset: 0, end: { kind: "exit", code: 1 } }];
    expect(parse({ ...unprepared, commands: [] })).toBe(true);
    expect(parse({ ...unprepared, commands })).toBe(false);
    expect(parse({ unprepared: true, commands: [] })).toBe(false);
    expect(parse({ ...unprepared, commands: [], unprepared: false })).toBe(false);
  });

  it("is refused when it says them in another way", () => {
    expect(parse({ values: {} })).toBe(false);
    expect(parse({ values: { "a.b": 1 } })).toBe(false);
    expect(parse({ values: { a: null } })).toBe(false);
    expect(parse({ values: { a: "x".repeat(limits.valuesBytesMax) } })).toBe(false);
    expect(parse({ ownOutcome: "" })).toBe(false);
    expect(parse({ outcome: "failed", problem: "x", values: { a: 1 } })).toBe(false);
    expect(parse({ outcome: "failed", problem: "x", ownOutcome: "outdated" })).toBe(false);
    const failures = Array.from({ length: limits.failedTestsNamedMax + 1 }, () => "a");
    expect(parse({ tests: { passed: 0, failed: 21, skipped: 0, failures } })).toBe(false);
  });
});

describe("what the commands are told of the run", () => {
  it("comes as variables that the plan's own cannot override", async () => {
    const told = { OTTO_PIPELINE: "checks", OTTO_INPUT_VERSION: "$(echo no) `x`\nsecond" };
    const report = await surroundings.run(['printf "%s|%s" "$OTTO_PIPELINE" "$OTTO_INPUT_VERSION"'], {
      variables: { OTTO_PIPELINE: "mine", OTTO_INPUT_VERSION: "mine" },
      surroundings: told,
    });
    expect(report.tail).toBe(`checks|${told.OTTO_INPUT_VERSION}`);
  });

  it("leaves nothing behind in the worker's folder", async () => {
    await surroundings.run(["echo version=1 >> $OTTO_VALUES"], version);
    const work = join(surroundings.folder, "execution", "work");
    mkdirSync(work, { recursive: true });
    for (const slot of readdirSync(work)) expect(readdirSync(join(work, slot))).not.toContain("said");
  });
});
