/** Numbers, names and errors in words. */

import { sizeWords } from "../../protocol/sizes.ts";
import { describe, expect, it } from "vitest";

import {
  agoWords,
  countWords,
  durationWords,
  elapsedWords,
  formatBug,
  formatError,
  shellWord,
  shortId,
} from "../../cli/words.ts";
import { OttoError } from "../../protocol/errors.ts";

describe("words", () => {
  it("give a duration the units that it needs", () => {
    const words = [0, 849.6, 999.4, 999.6, 1_240, 59_940, 59_950, 200_000, 3_599_600, 3_900_000, 183_600_000];
    expect(words.map(durationWords)).toEqual([
      "0 ms",
      "850 ms",
      "999 ms",
      "1.0 s",
      "1.2 s",
      "59.9 s",
      "1 min",
      "3 min 20 s",
      "1 h",
      "1 h 5 min",
      "2 d 3 h",
    ]);
  });

  it("give a time that still runs whole units", () => {
    expect([-5, 999, 1_000, 59_999, 61_000].map(elapsedWords)).toEqual([
      "0 s",
      "0 s",
      "1 s",
      "59 s",
      "1 min 1 s",
    ]);
  });

  it("say how long ago something was, never in the future", () => {
    const times = [5_000_000, 10_000_000, 9_990_000, 9_000_000].map((timeMs) => agoWords(timeMs, 10_000_000));
    expect(times).toEqual(["1 h ago", "just now", "10 s ago", "16 min ago"]);
    expect(agoWords(2_000, 1_000)).toBe("just now");
  });

  it("give sizes in binary units", () => {
    const sizes = [0, 1_023, 1_024, 10_239, 64 * 1024 ** 2, 1024 ** 2 - 1, 3 * 1024 ** 4];
    expect(sizes.map(sizeWords)).toEqual([
      "0 B",
      "1023 B",
      "1.0 KiB",
      "10 KiB",
      "64 MiB",
      "1.0 MiB",
      "3.0 TiB",
    ]);
  });

  it("count", () => {
    expect([countWords(1, "step"), countWords(0, "step"), countWords(12_345, "step")]).toEqual([
      "1 step",
      "0 steps",
      "12,345 steps",
    ]);
  });

  it("shorten ids and quote for a shell only what needs it", () => {
    expect([shortId("12D3KooWworkerabcd"), shortId("run-1")]).toEqual(["12D3…abcd", "run-1"]);
    expect([shellWord("test"), shellWord("test (os=linux)"), shellWord("it's")]).toEqual([
      "test",
      "'test (os=linux)'",
      `'it'\\''s'`,
    ]);
  });
});

describe("an error", () => {
  it("says what, the state, what next, and its code", () => {
    const error = new OttoError("OTTO_PORT_IN_USE", {
      what: "Port 7001 is in use by another program.",
      state: "Nothing was started.",
      next: "Choose another one with --port.",
    });
    expect(formatError(error, false)).toBe(`otto: Port 7001 is in use by another program.
Nothing was started.
Next: Choose another one with --port.
Code: OTTO_PORT_IN_USE`);
  });

  it("that nobody expected says that it is ours, and how to report it", () => {
    const bug = new Error("Bug: a token fell", { cause: new Error("why") });
    expect(formatBug(bug, { color: false, debug: false }))
      .toBe(`otto: This is a bug in Otto, not a mistake of yours: Bug: a token fell
Next: Run it again with OTTO_DEBUG=1 and report what it prints and what you did before.
Code: OTTO_BUG (exit code 70)`);
    const debug = formatBug(bug, { color: false, debug: true });
    expect(debug).toContain("words.test.ts");
    expect(debug).toContain("Caused by: Error: why");
  });
});
