/** An environment with a lock takes one step at a time, over all runs, also when the home changes. */

import { expect, it } from "vitest";
import { plannedStep } from "../view/example.ts";
import { Bench, said } from "./bench.ts";

const deploy = { ...plannedStep("deploy"), environment: "production", effect: true };

/** The runs of which this pull was granted a step. */
function granted(bench: Bench): string[] {
  bench.tick(1);
  return said(bench.pull(), "grant").flatMap(({ leases }) => leases.map(({ run }) => run));
}

it("grants a step in a locked environment once the one before it is over", () => {
  const bench = new Bench();
  const first = bench.submit([deploy], "n1", true).run;
  const second = bench.submit([deploy], "n2", true).run;
  expect(granted(bench)).toEqual([first]);
  expect(granted(bench)).toEqual([]);
  const next = said(bench.result(first, 0, 1), "grant");
  expect(next).toMatchObject([{ leases: [{ run: second }] }]);
});

it("lets other steps, and environments without a lock, go on", () => {
  const bench = new Bench();
  bench.submit([deploy], "n1", true);
  granted(bench);
  const other = bench.submit([plannedStep("test")], "n2", true).run;
  expect(granted(bench)).toEqual([other]);
  const free = bench.submit([deploy], "n3").run;
  expect(granted(bench)).toEqual([free]);
});

it("is held over a change of the home, also while runs are taken over", () => {
  const bench = new Bench();
  const first = bench.submit([deploy], "n1", true).run;
  const second = bench.submit([deploy], "n2", true).run;
  expect(granted(bench)).toEqual([first]);
  bench.restart();
  expect(granted(bench)).toEqual([]);
  const next = said(bench.result(first, 0, 1), "grant");
  expect(next).toMatchObject([{ leases: [{ run: second }] }]);
});
