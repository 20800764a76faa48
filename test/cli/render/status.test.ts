/** Runs, one run and peers as text. */

import { describe, expect, it } from "vitest";

import { peersTable } from "../../../cli/render/peers.ts";
import { runText, runsTable } from "../../../cli/render/status.ts";
import { applyItem, newRunView } from "../../../node/view/run.ts";
import type { WatchItem } from "../../../protocol/calls.ts";
import {
  exampleRun,
  failedReport,
  itemOf,
  planItem,
  plannedStep,
  reportOf,
} from "../../node/view/example.ts";

const options = { nowMs: 100_000, color: false, columns: null };
const text = (lines: readonly string[]) => `\n${lines.join("\n")}\n`;

function viewOf(...items: readonly WatchItem[]) {
  const view = newRunView(exampleRun);
  for (const item of items) applyItem(view, item);
  return view;
}

describe("the table of runs", () => {
  const run = { run: "run-1", pipeline: "checkout", steps: 12, ended: 12, failed: 0 };

  it("has its columns under each other", () => {
    const runs = [
      { ...run, state: "passed", startedMs: 10_000, endedMs: 22_300 },
      { ...run, run: "run-22", state: "running", ended: 3, failed: 1, startedMs: 97_000, endedMs: null },
      { ...run, run: "run-3", state: "waiting", ended: 0, startedMs: null, endedMs: null },
    ] as const;
    expect(text(runsTable(runs, options))).toBe(`
RUN     PIPELINE  STATE    STEPS  FAILED  STARTED    TOOK
run-1   checkout  passed   12/12          1 min ago  12.3 s
run-22  checkout  running   3/12       1  3 s ago    3 s
run-3   checkout  waiting   0/12
`);
  });

  it("says for ever of a run that its steps were given secrets themselves", () => {
    const runs = [
      { ...run, state: "passed", startedMs: 10_000, endedMs: 22_300 },
      { ...run, run: "run-22", state: "passed", startedMs: 97_000, endedMs: 98_000, exposed: true },
    ] as const;
    expect(text(runsTable(runs, options))).toBe(`
RUN     PIPELINE  STATE   STEPS  FAILED  STARTED    TOOK    SECRETS
run-1   checkout  passed  12/12          1 min ago  12.3 s
run-22  checkout  passed  12/12          3 s ago    1.0 s   exposed
`);
  });

  it("says what to do when there are none", () => {
    expect(runsTable([], options)).toEqual(["No runs yet. Start one with `otto run`."]);
  });
});

describe("one run", () => {
  it("says as what its steps ended, and of which tests how many failed, those first", () => {
    const tests = (passed: number, ...failures: readonly string[]) => ({
      report: reportOf({ tests: { passed, failed: failures.length, skipped: 0, failures } }),
    });
    const names = ["check", "unit", "browser"];
    const view = viewOf(
      planItem(names.map((name) => plannedStep(name))),
      itemOf("attempt-ended", { step: "check", report: reportOf({ ownOutcome: "outdated" }) }),
      itemOf("attempt-ended", { step: "unit", ...tests(142) }),
      itemOf("attempt-ended", { step: "browser", cause: "failed", ...tests(2, "Cart › adds") }),
    );
    const lines = runText(view, options);
    expect(lines[0]).toBe("→ check    1.2 s  ended as outdated");
    expect(lines.slice(-3, -1)).toEqual(["browser  3 tests, 1 failed: Cart › adds", "unit  142 tests"]);
  });

  it("lists its steps, the attempts that had trouble, and what failed", () => {
    const view = viewOf(
      planItem([plannedStep("build"), plannedStep("test", ["build"]), plannedStep("deploy", ["test"])]),
      itemOf("run-admitted", { timeMs: 90_000 }),
      itemOf("attempt-ended", { report: reportOf() }),
      itemOf("attempt-ended", { step: "test", cause: "lost", final: false }),
      itemOf("result-refused", { step: "test" }),
      itemOf("attempt-ended", { step: "test", attempt: 2, cause: "failed", report: failedReport("no\n") }),
    );
    expect(text(runText(view, options))).toBe(`
✓ build   1.2 s
✗ test    1.2 s  attempt 2 · failed: \`make test\` exited with 1
    attempt 1 on worker 12D3…abcd: lost: nothing was heard of its worker in time; a late result (passed) was refused
    attempt 2 on worker 12D3…abcd: failed: \`make test\` exited with 1
○ deploy         waiting

✗ test failed after 1.2 s on worker 12D3…abcd (attempt 2)
  \`make test\` exited with 1
  | no
  All of its output: otto logs run-1 test

checkout running: 1 failed, 1 waiting, 1 passed (run run-1)
`);
  });

  it("tells by what each failing command ended", () => {
    const ends = [
      [{ kind: "exit", code: 3 }, "`make build` exited with 3"],
      [{ kind: "signal", signal: "SIGSEGV" }, "`make build` was ended by SIGSEGV"],
      [{ kind: "timed-out" }, "`make build` ran out of time: the step may take 1 min"],
      [{ kind: "not-started", problem: "no such shell" }, "`make build` could not be started: no such shell"],
      [{ kind: "exit", code: 0 }, "output `app`: no file matches dist/**"],
    ] as const;
    for (const [end, words] of ends) {
      const commands = [{ startedMs: 0, durationMs: 1, logOffset: 0, end }];
      const report = failedReport("", { commands, problem: "output `app`: no file matches dist/**" });
      const view = viewOf(
        planItem([plannedStep("build")]),
        itemOf("attempt-ended", { cause: "failed", report }),
      );
      expect(runText(view, options)).toContain(`  ${words}`);
    }
  });

  it("shows five failures in full and names the others", () => {
    const steps = Array.from({ length: 8 }, (_, index) => plannedStep(`test (shard=${index})`));
    const report = failedReport("no\n");
    const view = viewOf(
      planItem(steps),
      ...steps.map(({ name }) => itemOf("attempt-ended", { step: name, cause: "failed", report })),
    );
    const shown = runText(view, options).join("\n");
    expect(shown.match(/otto logs run-1 'test \(shard=\d\)'/g)).toHaveLength(5);
    expect(shown).toContain("3 more steps failed: test (shard=5), test (shard=6), test (shard=7)");
  });
});

describe("the table of peers", () => {
  const peers = [
    {
      peer: "12D3KooWcontrolaaaa",
      name: "alpha",
      role: "control",
      state: "self",
      isHome: true,
      addresses: ["/ip4/127.0.0.1/tcp/7001"],
      sinceMs: 40_000,
    },
    {
      peer: "12D3KooWworkerbbbb",
      name: "",
      role: "worker",
      state: "unlinked",
      isHome: false,
      addresses: [],
      sinceMs: null,
    },
  ] as const;

  it("has short ids on a terminal and whole ones in a pipe", () => {
    expect(text(peersTable(peers, { ...options, columns: 80 }))).toBe(`
PEER       NAME   ROLE           STATE     SINCE      ADDRESS
12D3…aaaa  alpha  control, home  self      1 min ago  /ip4/127.0.0.1/tcp/7001/p…
12D3…bbbb         worker         unlinked
`);
    expect(peersTable(peers, options)[1]).toMatch(/^12D3KooWcontrolaaaa /);
  });
});
