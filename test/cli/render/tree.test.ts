/** The live tree, as it stands on a screen. */

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createRenderer } from "../../../cli/render/renderer.ts";
import { frameLines } from "../../../cli/render/tree.ts";
import { paint, paintedWidth } from "../../../cli/render/line.ts";
import { applyItem, newRunView } from "../../../node/view/run.ts";
import type { WatchItem } from "../../../protocol/calls.ts";
import type { PlannedStep } from "../../../protocol/plan.ts";
import {
  exampleRun,
  failedReport,
  itemOf,
  outputItem,
  planItem,
  plannedStep,
  reportOf,
} from "../../node/view/example.ts";
import { FakeScreen, FakeTime } from "./screen.ts";

const steps = [
  plannedStep("build"),
  plannedStep("lint"),
  plannedStep("test", ["build", "lint"]),
  plannedStep("docs", [], { included: false, reason: 'when git.branch == "docs" is false' }),
  plannedStep("deploy", ["test"]),
];

function watched(planned: readonly PlannedStep[], size: { columns: number; rows: number }) {
  const screen = new FakeScreen(size);
  const time = new FakeTime();
  const view = newRunView(exampleRun);
  const renderer = createRenderer({
    mode: "tree",
    out: screen,
    color: false,
    now: time.now,
    every: time.every,
  });
  const items = (...told: readonly WatchItem[]) => {
    for (const item of told) {
      applyItem(view, item);
      renderer.item(item);
    }
  };
  items(planItem(planned), itemOf("run-admitted", { timeMs: 0 }));
  return { screen, time, items, close: () => renderer.close(view) };
}

describe("a frame", () => {
  it("says what a step that asks people waits for, and how it is answered", () => {
    const action = { kind: "approve", question: "Go on?", by: [], count: 2 } as const;
    const asking = { ...plannedStep("ok"), commands: [], action };
    const { screen, time, items, close } = watched([asking], { columns: 90, rows: 24 });
    items(itemOf("step-waiting", { step: "ok", timeMs: 1_000 }), itemOf("step-answered", { step: "ok" }));
    time.tickAt(13_000);
    expect(screen.shown()).toContain(
      `? ok waits for a yes; in another terminal: otto approve ${exampleRun} ok`,
    );
    expect(screen.shown()).toContain("? ok  12 s  waiting for approval: Go on? (1 of 2)");
    items(itemOf("step-settled", { step: "ok", timeMs: 20_000, detail: "fine" }));
    time.tickAt(20_000);
    expect(screen.shown()).toContain("✓ ok  19.0 s  approved: fine");
    close();
  });

  it("shows what runs, what waits for what, and what is left out and why", () => {
    const { screen, time, items, close } = watched(steps, { columns: 60, rows: 24 });
    items(
      itemOf("attempt-started", { step: "build", timeMs: 1_000 }),
      outputItem("build", "compiling\u001b[31m one\u001b[0m\r\ncompiling two\r\n"),
    );
    time.tickAt(13_400);
    expect(`\n${screen.shown()}\n`).toBe(`
checkout  running  13 s  1 of 5 steps
▸ build   12 s  compiling two
○ lint          queued
○ test          waiting for build, lint
○ deploy        waiting for test
- docs          skipped: when git.branch == "docs" is false
`);
    close();
  });

  it("is replaced by the next one, in place", () => {
    const { screen, time, items, close } = watched(steps, { columns: 60, rows: 24 });
    items(itemOf("attempt-started", { step: "build", timeMs: 0 }));
    time.tickAt(1_000);
    items(
      itemOf("attempt-ended", { step: "build", report: reportOf({ durationMs: 850 }) }),
      itemOf("attempt-started", { step: "lint", timeMs: 1_000 }),
      itemOf("attempt-ended", { step: "lint", cause: "lost", final: false }),
      itemOf("attempt-started", { step: "lint", attempt: 2, token: 3, timeMs: 2_000 }),
    );
    time.tickAt(65_000);
    expect(`\n${screen.shown()}\n`).toBe(`
checkout  running  1 min 5 s  2 of 5 steps
▸ lint    1 min 3 s  attempt 2
○ test               waiting for lint
○ deploy             waiting for test
✓ build      850 ms
- docs               skipped: when git.branch == "docs" is…
`);
    expect(screen.scrolled).toEqual([]);
    close();
  });

  it("tells a notice until something happens", () => {
    const { screen, time, items, close } = watched(steps, { columns: 60, rows: 24 });
    items({ kind: "notice", text: "Connection to the control peers lost; trying again." });
    time.tickAt(0);
    expect(screen.shown()).toContain("\n! Connection to the control peers lost; trying again.\n");
    items(itemOf("attempt-started", { step: "build" }));
    time.tickAt(100);
    expect(screen.shown()).not.toContain("Connection");
    close();
  });
});

describe("drawing", () => {
  it("is not done again while nothing changes", () => {
    const { screen, time, close } = watched(steps, { columns: 60, rows: 24 });
    time.tickAt(1_000);
    const writes = screen.written.length;
    time.tickAt(1_100);
    expect(screen.written).toHaveLength(writes);
    close();
  });

  it("goes by the clock, not by the items: a thousand of them make one frame", () => {
    const many = Array.from({ length: 1_000 }, (_, index) => plannedStep(`step-${index}`));
    const { screen, time, items, close } = watched(many, { columns: 80, rows: 24 });
    const writes = screen.written.length;
    items(...many.map(({ name }) => itemOf("attempt-started", { step: name })));
    expect(screen.written).toHaveLength(writes);
    time.tickAt(100);
    expect(screen.written).toHaveLength(writes + 1);
    close();
  });
});

describe("a screen that is too small", () => {
  it("counts what has no room, running and failed steps first", () => {
    const many = [
      ...Array.from({ length: 6 }, (_, index) => plannedStep(`build-${index}`)),
      ...Array.from({ length: 90 }, (_, index) => plannedStep(`test-${index}`, ["build-0"])),
    ];
    const { screen, time, items, close } = watched(many, { columns: 40, rows: 8 });
    items(
      itemOf("attempt-ended", { step: "build-1", cause: "failed", report: failedReport("no\n") }),
      ...["build-2", "build-3"].map((step) => itemOf("attempt-started", { step, timeMs: 0 })),
      itemOf("attempt-ended", { step: "build-4" }),
    );
    time.tickAt(2_000);
    expect(`\n${screen.shown()}\n`).toBe(`
checkout  running  2 s  2 of 96 steps
▸ build-2    2 s
▸ build-3    2 s
✗ build-1  1.2 s  failed: \`make test\` …
○ build-0         queued
○ build-5         queued
90 waiting, 1 passed
`);
    close();
  });

  it("keeps wide characters in their columns", () => {
    const wide = [plannedStep("构建 (系统=linux)"), plannedStep("test", ["构建 (系统=linux)"])];
    const { screen, time, items, close } = watched(wide, { columns: 44, rows: 10 });
    items(
      itemOf("attempt-started", { step: "构建 (系统=linux)", timeMs: 0 }),
      outputItem("构建 (系统=linux)", "编译编译编译编译编译"),
    );
    time.tickAt(3_000);
    expect(`\n${screen.shown()}\n`).toBe(`
checkout  running  3 s  0 of 2 steps
▸ 构建 (系统=linux)  3 s  编译编译编译编译…
○ test                    waiting for 构建…
`);
    close();
  });

  it("never wraps and is never taller than the screen, whatever steps are called and say", () => {
    const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
    const size = fc.record({
      columns: fc.integer({ min: 1, max: 120 }),
      rows: fc.integer({ min: 1, max: 30 }),
    });
    const plans = fc
      .uniqueArray(name, { maxLength: 40 })
      .map((names) => names.map((each) => plannedStep(each)));
    fc.assert(
      fc.property(plans, size, fc.string({ unit: "binary" }), (planned, { columns, rows }, said) => {
        const view = newRunView(exampleRun);
        applyItem(view, planItem(planned));
        for (const { name: step } of planned.slice(0, 20))
          applyItem(view, itemOf("attempt-started", { step }));
        const frame = { view, latest: () => said, notice: said, nowMs: 9_999, columns, rows };
        const lines = frameLines(frame).map((line) => paint(line, { width: columns, color: true }));
        expect(lines.length).toBeLessThanOrEqual(Math.max(1, rows - 1));
        for (const line of lines) expect(paintedWidth(line)).toBeLessThanOrEqual(columns);
      }),
    );
  });
});

describe("a terminal that changes its size", () => {
  it("shows one whole frame again, and nothing of the old one", () => {
    const { screen, time, close } = watched(steps, { columns: 60, rows: 24 });
    screen.write("$ otto run\n");
    time.tickAt(1_000);
    screen.resize({ columns: 30, rows: 24 });
    time.tickAt(1_100);
    expect(`\n${screen.shown()}\n`).toBe(`
$ otto run
checkout  waiting  1 s  1 of…
○ build   queued
○ lint    queued
○ test    waiting for build,…
○ deploy  waiting for test
- docs    skipped: when git.…
`);
    close();
  });

  it("shows a smaller frame on a lower screen", () => {
    const { screen, time, close } = watched(steps, { columns: 60, rows: 24 });
    time.tickAt(1_000);
    screen.resize({ columns: 60, rows: 4 });
    time.tickAt(1_100);
    expect(`\n${screen.shown()}\n`).toBe(`
checkout  waiting  1 s  1 of 5 steps
- docs  skipped: when git.branch == "docs" is false
2 queued, 2 waiting
`);
    close();
  });
});

describe("what stays on the screen", () => {
  it("is the list, the failing command's last lines and the summary", () => {
    const { screen, time, items, close } = watched(steps, { columns: 64, rows: 30 });
    items(
      itemOf("attempt-ended", { step: "build", report: reportOf({ durationMs: 850 }) }),
      itemOf("attempt-ended", { step: "lint", report: reportOf() }),
      itemOf("attempt-started", { step: "test", timeMs: 1_000 }),
    );
    time.tickAt(2_000);
    items(
      itemOf("attempt-ended", { step: "test", cause: "failed", report: failedReport("ok 1\nnot ok 2\n") }),
      itemOf("step-skipped", { step: "deploy", reason: "test failed" }),
      itemOf("run-closed", { outcome: "failed", timeMs: 12_345 }),
    );
    close();
    expect(`\n${screen.shown()}\n`).toBe(`
✓ build   850 ms
✓ lint     1.2 s
✗ test     1.2 s  failed: \`make test\` exited with 1
- docs            skipped: when git.branch == "docs" is false
- deploy          skipped: test failed

✗ test failed after 1.2 s on worker 12D3…abcd (attempt 1)
  \`make test\` exited with 1
  | ok 1
  | not ok 2
  All of its output: otto logs run-1 test

checkout failed: 1 failed, 2 passed, 2 skipped in 12.3 s (run ru
n-1)
`);
    expect(screen.cursorShown).toBe(true);
  });

  it("is short for a large run: only the steps that need a look", () => {
    const many = Array.from({ length: 200 }, (_, index) => plannedStep(`step-${index}`));
    const { screen, items, close } = watched(many, { columns: 80, rows: 24 });
    items(
      ...many.map(({ name }) => itemOf("attempt-ended", { step: name })),
      itemOf("attempt-ended", { step: "step-7", attempt: 2, token: 3 }),
      itemOf("run-closed", { timeMs: 60_000 }),
    );
    close();
    expect(`\n${screen.shown()}\n`).toBe(`
✓ step-7  attempt 2
… and 199 more steps

checkout passed: 200 passed in 1 min (run run-1)
`);
  });
});
