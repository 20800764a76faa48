/** Step output as lines: chunks may be cut anywhere and hold anything. */

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { OutputLines } from "../../../cli/render/output.ts";
import { outputLine, visible } from "../../../cli/render/sanitize.ts";
import { limits } from "../../../protocol/limits.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** The lines that come out when the bytes come in pieces of these sizes. */
function linesOf(bytes: Uint8Array, sizes: readonly number[]): readonly string[] {
  const output = new OutputLines();
  const lines: string[] = [];
  let offset = 0;
  for (const size of [...sizes, bytes.length]) {
    lines.push(...output.push(offset, bytes.subarray(offset, offset + size)));
    offset = Math.min(bytes.length, offset + size);
  }
  return [...lines, ...output.end()];
}

describe("lines of output", () => {
  it("come when they are complete, the last one at the end", () => {
    const output = new OutputLines();
    expect(output.push(0, bytesOf("one\ntw"))).toEqual(["one"]);
    expect(output.push(6, bytesOf("o\nthree"))).toEqual(["two"]);
    expect(output.end()).toEqual(["three"]);
    expect(output.end()).toEqual([]);
  });

  it("do not depend on where the chunks were cut", () => {
    const text = fc.array(
      fc.constantFrom(
        "plain",
        "\n",
        "\r\n",
        "\r",
        "é",
        "日本",
        "🚀",
        "\u001b[31m",
        "\u001b[0m",
        "\u001b]0;title\u0007",
      ),
    );
    const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 60 });
    fc.assert(
      fc.property(text, sizes, (pieces, cuts) => {
        const bytes = bytesOf(pieces.join(""));
        const shown = (lines: readonly string[]) => lines.map((line) => outputLine(line, true));
        expect(shown(linesOf(bytes, cuts))).toEqual(shown(linesOf(bytes, [])));
      }),
    );
  });

  it("come from any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.array(fc.integer({ min: 1, max: 5 })), (bytes, cuts) => {
        for (const line of linesOf(bytes, cuts)) expect(visible(line)).not.toMatch(/\p{Cc}/u);
      }),
    );
  });

  it("are shown once when chunks overlap", () => {
    const output = new OutputLines();
    output.push(0, bytesOf("one\ntwo\n"));
    expect(output.push(4, bytesOf("two\nthree\n"))).toEqual(["three"]);
    expect(output.push(0, bytesOf("one\n"))).toEqual([]);
  });

  it("say where some did not arrive", () => {
    const output = new OutputLines();
    output.push(0, bytesOf("one\nha"));
    expect(output.push(2_054, bytesOf("three\n"))).toEqual([
      "ha",
      "[otto: 2.0 KiB of output did not arrive]",
      "three",
    ]);
  });

  it("are broken when they are longer than a person reads, never in a character", () => {
    const lines = linesOf(bytesOf(`a${"🚀".repeat(limits.shownLineCharactersMax)}`), [999]);
    expect(lines.join("")).toBe(`a${"🚀".repeat(limits.shownLineCharactersMax)}`);
    for (const line of lines) {
      expect(line.length).toBeLessThanOrEqual(limits.shownLineCharactersMax);
      expect(line.isWellFormed()).toBe(true);
    }
  });

  it("of a progress bar do not pile up", () => {
    const output = new OutputLines();
    const bar = bytesOf(Array.from({ length: 10_000 }, (_, index) => `\r${index}`).join(""));
    expect(output.push(0, bar)).toEqual([]);
    expect(output.latest()).toBe("9999");
  });

  it("keep the last few for a step that leaves no report", () => {
    const output = new OutputLines();
    output.push(0, bytesOf(Array.from({ length: 100 }, (_, index) => `line ${index}\n`).join("")));
    expect(output.recent()).toHaveLength(limits.shownTailLinesMax);
    expect(output.recent().at(-1)).toBe("line 99");
  });
});

describe("a line of output", () => {
  it("stands as it would after its carriage returns", () => {
    expect(outputLine("10%\r50%\r100%\r", false)).toBe("100%");
  });

  it("keeps colours only where they are wanted, and ends them", () => {
    const raw = "\u001b[1;31mred\u001b[2J\u001b[5A plain\u001b]8;;http://x\u0007link\u001b]8;;\u001b\\";
    expect(outputLine(raw, false)).toBe("red plainlink");
    expect(outputLine(raw, true)).toBe("\u001b[1;31mred plainlink\u001b[0m");
  });

  it("loses everything else that could move a cursor", () => {
    expect(outputLine("a\u0008b\u0007c\u009b2Kd\u001bMe\u001b[", true)).toBe("abcde");
  });

  it("keeps its tabs, which a list shows as one space", () => {
    expect(outputLine("a\tb", true)).toBe("a\tb");
    expect(visible("a\tb\u202egnp.exe")).toBe("a bgnp.exe");
  });
});
