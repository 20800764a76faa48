/** Test reports of steps: counted, kept, and never a reason for anything to go wrong. */

import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addTests, readJunit } from "../../../node/edge/execution/test-reports.ts";
import type { Assignment } from "../../../node/ports.ts";
import { maskingNothing } from "../../../protocol/credentials/masker.ts";
import { limits } from "../../../protocol/limits.ts";
import { parseTree } from "../../../protocol/tree.ts";
import { encodeValue } from "../../../protocol/values.ts";
import { makeSurroundings, storeTree, type Surroundings } from "./surroundings.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "otto-reports-"));
});
afterAll(async () => rm(folder, { recursive: true }));

async function read(text: string | Uint8Array): ReturnType<typeof readJunit> {
  const path = join(folder, "report.xml");
  writeFileSync(path, text);
  return readJunit(path, maskingNothing);
}

const suite = (...cases: readonly string[]): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites><testsuite name="s">${cases.join("\n")}</testsuite></testsuites>`;

describe("a test report", () => {
  it("counts what passed, failed and was skipped, and names what failed", async () => {
    const report = suite(
      '<testcase classname="Cart" name="adds &lt;one&gt; &amp; more"><failure message="no">trace</failure></testcase>',
      '<testcase classname="Cart" name="removes"><error/><failure/></testcase>',
      '<testcase classname="Cart" name="is empty"/>',
      '<testcase name="later"><skipped/></testcase>',
      '<testcase name="says"><system-out><![CDATA[<failure/>]]></system-out><properties><failure/></properties></testcase>',
      '<testcase classname="same" name="same"><failure/></testcase>',
      "<testcase><failure/></testcase>",
    );
    expect(await read(report)).toEqual({
      ok: true,
      value: {
        passed: 2,
        failed: 4,
        skipped: 1,
        failures: ["Cart › adds <one> & more", "Cart › removes", "same", "a test without a name"],
      },
    });
  });

  it("names no more than fit, and no longer than a person reads", async () => {
    const cases = Array.from(
      { length: 30 },
      () => `<testcase name="${"ä".repeat(300)}"><failure/></testcase>`,
    );
    const counted = await read(suite(...cases));
    if (!counted.ok) throw new Error(counted.problem);
    expect(counted.value.failed).toBe(30);
    expect(counted.value.failures).toHaveLength(limits.failedTestsNamedMax);
    expect(counted.value.failures[0]).toHaveLength(limits.testNameCharactersMax);
    const twice = addTests(counted.value, counted.value);
    expect([twice.failed, twice.failures.length]).toEqual([60, limits.failedTestsNamedMax]);
  });

  it("may have a message as long as the file may be", async () => {
    const report = suite(`<testcase name="a"><failure message="${"x".repeat(300_000)}"/></testcase>`);
    expect(await read(report)).toMatchObject({ ok: true, value: { failed: 1 } });
  });

  const hostile: readonly {
    readonly what: string;
    readonly text: string | Uint8Array;
    readonly problem: string;
  }[] = [
    {
      what: "entities that multiply",
      text: `<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>\n<a>&b;</a>`,
      problem: "it is no XML (line 2)",
    },
    {
      what: "an entity of a file",
      text: `<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/hostname">]>\n<testcase name="&f;"><failure/></testcase>`,
      problem: "it is no XML (line 2)",
    },
    { what: "an end that is missing", text: "<testsuite>\n<testcase/>", problem: "it is no XML" },
    { what: "no XML", text: "not ok 1\n", problem: "it is no XML (line 1)" },
    {
      what: "bytes",
      text: Uint8Array.from({ length: 4_096 }, (_, index) => index % 256),
      problem: "it is no XML",
    },
    {
      what: "depth",
      text: "<a>".repeat(limits.testReportNestingMax + 1),
      problem: `its elements are nested more than ${limits.testReportNestingMax} deep`,
    },
    {
      what: "size",
      text: new Uint8Array(limits.testReportBytesMax + 1),
      problem: "16 MiB is more than 16 MiB",
    },
  ];
  for (const { what, text, problem } of hostile) {
    it(`that is hostile, or broken, counts nothing and says why: ${what}`, async () => {
      const counted = await read(text);
      expect(counted).toEqual({ ok: false, problem: expect.stringContaining(problem) as string });
    });
  }
});

describe("a step with test reports", () => {
  let surroundings: Surroundings;
  beforeAll(async () => {
    surroundings = await makeSurroundings();
  });
  afterAll(async () => surroundings.close());

  const junit: Partial<Assignment> = {
    reports: [{ format: "junit", files: ["reports/**/*.xml", "more.xml"] }],
  };
  const passing = suite('<testcase name="a"/>');
  const failing = suite('<testcase name="b"><failure/></testcase>');

  async function from(files: Readonly<Record<string, string>>): Promise<Partial<Assignment>> {
    return { ...junit, source: { kind: "tree", tree: await storeTree(surroundings.blobs, files) } };
  }

  it("reports them together, and keeps the files as an output, whether it passed or failed", async () => {
    for (const [command, outcome] of [
      ["true", "passed"],
      ["exit 1", "failed"],
    ] as const) {
      const files = { "reports/x/b.xml": failing, "reports/a.xml": passing, "other.xml": failing };
      const report = await surroundings.run([command], await from(files));
      expect(report.outcome).toBe(outcome);
      expect(report.tests).toEqual({ passed: 1, failed: 1, skipped: 0, failures: ["b"] });
      const [output] = report.outputs;
      expect(output).toMatchObject({ name: "report-junit", files: 2 });
      const tree = parseTree(await surroundings.blobs.readBytes(output?.tree ?? "", 1_000_000));
      expect(tree.ok && tree.value.files.map(({ path }) => path)).toEqual([
        "reports/a.xml",
        "reports/x/b.xml",
      ]);
    }
  });

  it("passes without the files, and says nothing of tests", async () => {
    const report = await surroundings.run(["true"], junit);
    expect(report).toMatchObject({ outcome: "passed", outputs: [], tail: "" });
    expect(report).not.toHaveProperty("tests");
  });

  it("passes when they cannot be counted or kept, and its log says why", async () => {
    const report = await surroundings.run(
      ["mkdir reports; echo no > reports/a.xml; mkfifo reports/pipe.xml; ln -s /etc/hostname more.xml"],
      await from({}),
    );
    expect(report.outcome).toBe("passed");
    expect(report.tail).toContain("[otto] report junit: not kept: ");
    const broken = await surroundings.run(
      ["true"],
      await from({ "reports/a.xml": "no", "more.xml": passing }),
    );
    expect(broken.outcome).toBe("passed");
    expect(broken.tests).toMatchObject({ passed: 1 });
    expect(broken.tail).toBe("[otto] report junit: reports/a.xml is not counted: it is no XML (line 1)\n");
  });

  it("fits into the report with the names of what failed cut first", async () => {
    const cases = Array.from(
      { length: 20 },
      (_, index) => `<testcase name="${"€".repeat(190)}${index}"><failure/></testcase>`,
    );
    const report = await surroundings.run(
      [`seq 1 9000; for n in a b; do printf "$n=%01990d\\n" 7 >> $OTTO_VALUES; done`],
      {
        ...(await from({ "more.xml": suite(...cases) })),
        values: ["a", "b"].map((name) => ({ name, type: "string" as const })),
      },
    );
    expect(report.problem).toBe("");
    expect(encodeValue(report).length).toBeLessThanOrEqual(limits.reportBytesMax);
    expect(report.tests?.failed).toBe(20);
    expect(report.tests?.failures.length).toBeGreaterThan(0);
    expect(report.tail.length).toBeGreaterThan(4_000);
  });
});
