/** Plain lines for a pipe, and JSON lines for a program. */

import { describe, expect, it } from "vitest";

import { chooseMode, createRenderer } from "../../../cli/render/renderer.ts";
import type { Mode } from "../../../cli/render/renderer.ts";
import { applyItem, newRunView } from "../../../node/view/run.ts";
import type { WatchItem } from "../../../protocol/calls.ts";
import {
  exampleRun,
  failedReport,
  itemOf,
  outputItem,
  planItem,
  plannedStep,
  reportOf,
} from "../../node/view/example.ts";

function written(mode: Mode, color: boolean, items: readonly WatchItem[]): string {
  let text = "\n";
  const out = { write: (more: string) => (text += more) };
  const view = newRunView(exampleRun);
  const renderer = createRenderer({ mode, out, color, now: () => 0 });
  for (const item of items) {
    applyItem(view, item);
    renderer.item(item);
  }
  renderer.close(view);
  return text;
}

const steps = [
  plannedStep("build"),
  plannedStep("docs", [], { included: false, reason: "when false" }),
  plannedStep("deploy", ["build"]),
];

describe("plain lines", () => {
  it("tell a run from its plan to its summary", () => {
    const items = [
      planItem(steps),
      itemOf("run-admitted", { timeMs: 0 }),
      itemOf("attempt-started"),
      outputItem("build", "one\ntw"),
      outputItem("build", "o\npart", 6),
      itemOf("attempt-ended", { cause: "lost", final: false }),
      itemOf("attempt-started", { attempt: 2, token: 3, worker: "12D3KooWother9999" }),
      { kind: "notice", text: "Connection to the control peers lost; trying again." } as const,
      itemOf("result-refused"),
      itemOf("attempt-ended", { attempt: 2, token: 3, cause: "failed", report: failedReport("no\n") }),
      itemOf("step-skipped", { step: "deploy", reason: "build failed" }),
      itemOf("run-closed", { outcome: "failed", timeMs: 200_000 }),
    ];
    expect(written("plain", false, items)).toBe(`
checkout  3 steps (run run-1)
docs  skipped: when false
build  started on worker 12D3…abcd (attempt 1)
build | one
build | two
build | part
build  attempt 1 lost: nothing was heard of its worker in time
build  started on worker 12D3…9999 (attempt 2)
otto: Connection to the control peers lost; trying again.
build  late result of attempt 1 refused (passed, worker 12D3…abcd)
build  failed  1.2 s: \`make test\` exited with 1
deploy  skipped: build failed

✗ build failed after 1.2 s on worker 12D3…9999 (attempt 2)
  \`make build\` exited with 1
  | no
  All of its output: otto logs run-1 build

checkout failed: 1 failed, 2 skipped in 3 min 20 s (run run-1)
`);
  });

  it("say a fact once, however often it is told and by whom", () => {
    const items = [
      planItem(steps),
      itemOf("attempt-ended", { report: reportOf() }),
      itemOf("attempt-ended", { timeMs: 5 }),
      itemOf("step-skipped", { step: "docs", reason: "when false" }),
    ];
    expect(written("plain", false, [...items, ...items])).toBe(`
checkout  3 steps (run run-1)
docs  skipped: when false
build  passed  1.2 s

checkout running: 1 queued, 1 passed, 1 skipped (run run-1)
`);
  });
});

describe("plain lines of what is out of the usual", () => {
  it("say with which outcome of its own a step ended, and what its tests said", () => {
    const items = [
      planItem([plannedStep("build", [], { outcomes: ["outdated"] }), plannedStep("test")]),
      itemOf("run-admitted", { timeMs: 0 }),
      itemOf("attempt-ended", { report: reportOf({ ownOutcome: "outdated" }) }),
      itemOf("attempt-ended", {
        step: "test",
        cause: "failed",
        report: failedReport("no\n", {
          tests: {
            passed: 139,
            failed: 2,
            skipped: 1,
            failures: ["Cart › adds", "Cart › \u001b[31mred\nline"],
          },
        }),
      }),
      itemOf("run-closed", { outcome: "failed", timeMs: 2_000 }),
    ];
    const text = written("plain", false, items);
    expect(text).toContain("build  ended as outdated  1.2 s\n");
    expect(text).toContain("\ntest  142 tests, 1 skipped, 2 failed: Cart › adds, Cart › ");
    expect(text).not.toContain("\u001b");
    expect(text).toContain("checkout failed: 1 failed, 1 ended otherwise in 2.0 s");
  });

  it("say why a run was refused", () => {
    const items = [itemOf("run-refused", { reason: "the submitter is not a member of this domain" })];
    expect(written("plain", false, items)).toBe(`
run  refused: the submitter is not a member of this domain

run refused: the submitter is not a member of this domain (run run-1)
`);
  });

  it("show the last lines that were seen of a step that left no report", () => {
    const items = [
      planItem(steps),
      itemOf("attempt-started"),
      outputItem("build", "last words"),
      itemOf("attempt-ended", { cause: "lost" }),
    ];
    expect(written("plain", false, items)).toContain(`
✗ build failed after 0 ms on worker 12D3…abcd (attempt 1)
  lost: nothing was heard of its worker in time
  | last words
`);
  });

  it("pass colours of steps on to a terminal only", () => {
    const items = [planItem(steps), outputItem("build", "\u001b[31mred\u001b[2J\n")];
    expect(written("plain", true, items)).toContain("build | \u001b[31mred\u001b[0m\n");
    expect(written("plain", false, items)).toContain("build | red\n");
  });
});

describe("JSON lines", () => {
  it("are one object each, the events as they are, output as text", () => {
    const rocket = new TextEncoder().encode("🚀\u001b[0m");
    const items = [
      planItem([plannedStep("build")]),
      itemOf("attempt-started"),
      outputItem("build", rocket.subarray(0, 2)),
      outputItem("build", rocket.subarray(2), 2),
      { kind: "notice", text: "Trying again." } as const,
    ];
    const lines = written("json", false, items)
      .trim()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(lines).toEqual([
      planItem([plannedStep("build")]),
      {
        kind: "attempt-started",
        run: exampleRun,
        timeMs: 1_000,
        step: "build",
        attempt: 1,
        token: 1,
        worker: "12D3KooWworkerabcd",
      },
      { kind: "output", run: exampleRun, step: "build", attempt: 1, offset: 0, text: "" },
      { kind: "output", run: exampleRun, step: "build", attempt: 1, offset: 2, text: "🚀\u001b[0m" },
      { kind: "notice", text: "Trying again." },
      {
        kind: "summary",
        run: exampleRun,
        pipeline: "checkout",
        state: "running",
        steps: 1,
        ended: 0,
        failed: 0,
        startedMs: null,
        endedMs: null,
      },
    ]);
  });
});

describe("the mode", () => {
  const terminal = { write: () => true, isTTY: true };
  const pipe = { write: () => true };

  it("is a tree only on a terminal before a person", () => {
    expect(chooseMode({}, terminal, {})).toBe("tree");
    expect(chooseMode({}, pipe, {})).toBe("plain");
    expect(chooseMode({}, terminal, { CI: "true" })).toBe("plain");
    expect(chooseMode({}, terminal, { TERM: "dumb" })).toBe("plain");
    expect(chooseMode({ plain: true }, terminal, {})).toBe("plain");
  });

  it("is JSON when that is asked for", () => {
    expect(chooseMode({ json: true }, terminal, {})).toBe("json");
  });
});
