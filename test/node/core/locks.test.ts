/** A lock, or an environment with one, takes one step at a time, over all runs, also when the home changes. */

import { describe, expect, it } from "vitest";
import { Locks } from "../../../node/core/locks.ts";
import type { GrantedLease } from "../../../protocol/messages.ts";
import { plannedStep, reportOf } from "../view/example.ts";
import { Bench, said } from "./bench.ts";

const deploy = { ...plannedStep("deploy"), environment: "production", effect: true };
const migrate = plannedStep("migrate", [], { lock: "database" });

/** What this pull was granted. */
function leases(bench: Bench): GrantedLease[] {
  bench.tick(1);
  return said(bench.pull(), "grant").flatMap((grant) => grant.leases);
}

function granted(bench: Bench): string[] {
  return leases(bench).map(({ run }) => run);
}

describe("a locked environment", () => {
  it("takes a step once the one before it is over", () => {
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
});

describe("a named lock", () => {
  it("is given to one step after another in the order in which they came, whatever their runs", () => {
    const bench = new Bench();
    const runs = ["n1", "n2", "n3"].map((nonce) => bench.submit([migrate], nonce).run);
    expect(granted(bench)).toEqual([runs[0]]);
    for (const [index, run] of runs.entries()) {
      bench.tick(1);
      bench.pull();
      const next = said(bench.result(run, 0, 1), "grant").flatMap((grant) => grant.leases);
      expect(next.map((lease) => lease.run)).toEqual(runs.slice(index + 1, index + 2));
    }
  });

  it("is another than that of an environment with its name, and holds up nobody without it", () => {
    const bench = new Bench();
    bench.submit([{ ...migrate, lock: "production" }], "n1");
    granted(bench);
    const other = bench.submit([deploy], "n2", true).run;
    expect(granted(bench)).toEqual([other]);
    const free = bench.submit([plannedStep("test")], "n3").run;
    expect(granted(bench)).toEqual([free]);
  });

  it("is held over a change of the home, by its register, before the plan of its run is here", () => {
    const bench = new Bench();
    const first = bench.submit([migrate], "n1").run;
    const second = bench.submit([migrate], "n2").run;
    expect(granted(bench)).toEqual([first]);
    // The new home knows nothing of the first run but its registers.
    bench.disk.delete(`bundle/${first}`);
    bench.restart();
    expect(granted(bench)).not.toContain(second);
  });

  it("goes on to the next when a run that waited for it, or was offered it, is cancelled", () => {
    const bench = new Bench();
    const [first = "", offered = "", waiting = "", last = ""] = ["n1", "n2", "n3", "n4"].map(
      (nonce) => bench.submit([migrate], nonce).run,
    );
    expect(granted(bench)).toEqual([first]);
    bench.tell({ kind: "cancel", run: waiting, by: "person", question: 7 });
    bench.result(first, 0, 1);
    bench.tell({ kind: "cancel", run: offered, by: "person", question: 8 });
    expect(granted(bench)).toEqual([last]);
  });

  it("passes over a step that no worker fits", () => {
    const bench = new Bench();
    bench.submit([{ ...migrate, labels: ["gpu"] }], "n1");
    const second = bench.submit([migrate], "n2").run;
    expect(granted(bench)).toEqual([second]);
  });
});

describe("a lock that a step has behind its gate", () => {
  it("is not given up when that step stands in the line once more, nor while its attempt goes on", () => {
    const locks = new Locks();
    const [step, other] = [
      { run: "r1", index: 0 },
      { run: "r2", index: 0 },
    ];
    expect(locks.enter("shop", step, [])).toBe(true);
    expect(locks.take("shop", step)).toBe(true);
    expect(locks.enter("shop", step, [])).toBe(false);
    expect(locks.enter("shop", other, [])).toBe(false);
    expect(locks.pass("shop", step)).toEqual([]);
    expect(locks.stay("shop", step)).toEqual([step]);
    expect(locks.pass("shop", step)).toEqual([]);
    expect(locks.leave("shop", step)).toEqual([other]);
  });
});

describe("a fencing token", () => {
  it("rises with each exclusive step over all runs, and with each attempt, also when the home changes", () => {
    const bench = new Bench();
    const retried = { ...migrate, retry: { attemptsMax: 3, on: ["failed" as const] } };
    const fences: (number | undefined)[] = [];
    for (const [nonce, step] of [
      ["n1", retried],
      ["n2", migrate],
      ["n3", deploy],
    ] as const) {
      bench.submit([step], nonce);
      const [lease] = leases(bench);
      fences.push(lease?.fence);
      if (nonce === "n1") {
        bench.result(lease?.run ?? "", 0, lease?.token ?? 0, reportOf({ outcome: "failed", problem: "no" }));
        const [again] = leases(bench);
        fences.push(again?.fence);
        bench.result(again?.run ?? "", 0, again?.token ?? 0);
        bench.restart();
      } else bench.result(lease?.run ?? "", 0, lease?.token ?? 0);
    }
    expect(fences.length).toBe(4);
    for (const [index, fence] of fences.entries())
      expect([index, (fence ?? 0) > (fences[index - 1] ?? 0)]).toEqual([index, true]);
  });

  it("is none of a step that reaches nothing", () => {
    const bench = new Bench();
    bench.submit([plannedStep("test")], "n1");
    expect(leases(bench)[0]).not.toHaveProperty("fence");
  });

  it("is the same when a grant is told again", () => {
    const bench = new Bench();
    bench.submit([migrate], "n1");
    bench.tick(1);
    const [first] = said(bench.pull(), "grant");
    const again = { kind: "pull", session: "w:1", nonce: first?.nonce ?? "", slots: 1, again: true } as const;
    expect(said(bench.hear(again), "grant")).toEqual([first]);
  });
});

it("a step that finds its lock taken waits before all others of its line", () => {
  const locks = new Locks();
  const step = (run: string) => ({ run, index: 0 });
  expect(locks.enter("lock", step("plain"), [])).toBe(true);
  expect(locks.enter("lock", step("gpu"), ["gpu"])).toBe(true);
  expect(locks.enter("lock", step("later"), ["gpu"])).toBe(false);
  expect(locks.take("lock", step("plain"))).toBe(true);
  expect(locks.take("lock", step("gpu"))).toBe(false);
  expect(locks.leave("lock", step("plain"))).toEqual([step("gpu")]);
});
