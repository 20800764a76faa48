/** Files that want to exhaust or mislead the planner: each ends soon, with words. */

import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { hostileTexts } from "./hostile-texts.ts";
import { diagnosticsOf, planOf, stepsOf } from "./planning.ts";

const codesOf = async (text: string | Uint8Array): Promise<readonly string[]> =>
  (await diagnosticsOf(text)).map(({ code }) => code);

describe("a hostile file", () => {
  it("of ten megabytes is refused before it is parsed", async () => {
    expect(await codesOf(new Uint8Array(10 * 1024 * 1024).fill(0x5b))).toEqual(["pipeline/too-large"]);
    expect(await codesOf(`otto: 1\n${"#".repeat(limits.pipelineFileBytesMax)}`)).toEqual([
      "pipeline/too-large",
    ]);
  });

  it.each(Object.entries(hostileTexts(32 * 1024)))("of %s ends with diagnostics", async (_, text) => {
    const diagnostics = await diagnosticsOf(text());
    expect(diagnostics.length).toBeGreaterThan(0);
    expect(diagnostics.length).toBeLessThanOrEqual(limits.diagnosticsMax);
    // Words of ours, about the file: nothing that the machine says when it gives up.
    for (const { message, help } of diagnostics) {
      expect(`${message} ${help}`).not.toMatch(/stack|undefined|null|NaN|\[object|regular expression/i);
    }
  });

  it("is read up to a bounded count of tokens, and what is wrong before that place is said", async () => {
    const lines = Array.from({ length: limits.pipelineTokensMax / 3 }, (_, n) => `k${n}:\n`).join("");
    const codes = (text: string): Promise<readonly string[]> => codesOf(`a: &x\na: 1\n${text}`);
    expect(new Set(await codes(""))).toEqual(
      new Set(["pipeline/missing-key", "pipeline/unknown-key", "pipeline/duplicate-key"]),
    );
    expect(await codes(lines)).toEqual(["pipeline/duplicate-key", "pipeline/over-limit"]);
    const open = await codesOf(`a: [\n  - x\n${"  x,\n".repeat(limits.pipelineTokensMax / 3)}`);
    expect(open).toEqual(["pipeline/syntax", "pipeline/over-limit"]);
  });

  it("is read to its end when it is plain, however many tokens it has", async () => {
    const steps = Array.from(
      { length: limits.stepsPerPlanMax - 1 },
      (_, n) => `  s${n}: { run: [x, y, z] }\n`,
    );
    const text = `otto: 1\nsteps:\n${steps.join("")}  last: { run: [\r\n    x], needs: s0x }\n`;
    expect(await codesOf(text)).toEqual(["pipeline/unknown-step"]);
  });

  it("with aliases of aliases does not unfold them", async () => {
    const levels = Array.from({ length: 30 }, (_, n) => {
      const above = n === 0 ? "x" : `*a${n - 1}`;
      return `a${n}: &a${n} [${Array.from({ length: 10 }, () => above).join(", ")}]`;
    });
    expect(await codesOf(`${levels.join("\n")}\n`)).toEqual(["pipeline/alias"]);
  });

  it("with an alias of what it stands in is refused", async () => {
    expect(await codesOf("otto: 1\nsteps: &all { a: *all }\n")).toEqual(["pipeline/alias"]);
  });

  it("that repeats a long text in every cell is refused before it is a plan", async () => {
    const cells = Array.from({ length: 256 }, (_, n) => n).join(", ");
    const text = `otto: 1\nsteps:\n  a: { run: "${"x".repeat(200_000)}", matrix: { n: [${cells}] } }\n`;
    expect(await codesOf(text)).toEqual(["pipeline/over-limit"]);
  });

  it("is refused when its plan has more bytes than a manifest has room for, however few its characters", async () => {
    const cells = Array.from({ length: 256 }, (_, n) => n).join(", ");
    const text = (letter: string): string =>
      `steps:\n  a: { run: "${letter.repeat(9_000)}", matrix: { n: [${cells}] } }\n`;
    expect(await stepsOf(text("e"))).toHaveLength(256);
    expect(await codesOf(`otto: 1\n${text("é")}`)).toEqual(["pipeline/over-limit"]);
  });

  it("with more needs between cells than a plan may have is refused", async () => {
    const cells = Array.from({ length: 256 }, (_, n) => n).join(", ");
    const steps = Array.from({ length: 4 }, (_, n) => {
      const needs = n === 0 ? "" : `, needs: s${n - 1}`;
      return `  s${n}: { run: x, matrix: { n: [${cells}] }${needs} }`;
    });
    expect(await codesOf(`otto: 1\nsteps:\n${steps.join("\n")}\n`)).toEqual(["pipeline/over-limit"]);
  });

  it("with thousands of unknown names ends with the first of them", async () => {
    const name = "n".repeat(60);
    const lines = Array.from({ length: 5_000 }, (_, n) => `  ${name}${n}: { run: x, needs: ${name}x${n} }`);
    const codes = await codesOf(`otto: 1\nsteps:\n${lines.join("\n")}\n`);
    expect(codes).toHaveLength(limits.diagnosticsMax);
  });

  it("with thousands of circles ends with some of them", async () => {
    const lines = Array.from({ length: 4_000 }, (_, n) => `  s${n}: { run: x, needs: s${n ^ 1} }`);
    const codes = await codesOf(`otto: 1\nsteps:\n${lines.join("\n")}\n`);
    expect(new Set(codes)).toEqual(new Set(["pipeline/cycle"]));
  });

  it("with escapes that no process could carry is refused", async () => {
    expect(await codesOf('otto: 1\nsteps: { a: { run: "x\\0y" } }\n')).toEqual([
      "pipeline/control-character",
    ]);
    expect(await codesOf('otto: 1\nenv: { A: "\\uD800" }\nsteps: { a: { run: x } }\n')).toEqual([
      "pipeline/control-character",
    ]);
  });

  it("with numbers that machines disagree on is refused", async () => {
    for (const number of [".inf", ".nan", "1e400", "9007199254740993", "-0", "0x10"]) {
      const text = `otto: 1\nsteps: { a: { run: x, matrix: { n: [${number}] } } }\n`;
      expect(await codesOf(text)).toEqual(["pipeline/bad-number"]);
    }
  });
});

describe("an unusual file", () => {
  it("may use anchors and aliases as shorthands", async () => {
    const steps = await stepsOf("steps:\n  a: &same { run: [x, y] }\n  b: *same\n");
    expect(steps.map(({ name, commands }) => [name, commands])).toEqual([
      ["a", ["x", "y"]],
      ["b", ["x", "y"]],
    ]);
  });

  it("has the same plan with Windows line ends and a byte order mark", async () => {
    const text = "otto: 1\nsteps:\n  a:\n    run: |\n      one\n      two\n";
    const plan = await planOf(text);
    expect(await planOf(`\uFEFF${text.replaceAll("\n", "\r\n")}`)).toEqual(plan);
  });

  it("may name steps like members of objects", async () => {
    const steps = await stepsOf(
      "steps: { constructor: { run: x }, toString: { run: x, needs: constructor } }\n",
    );
    expect(steps.map((step) => step.name)).toEqual(["constructor", "toString"]);
  });
});
