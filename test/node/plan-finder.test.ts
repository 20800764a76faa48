/** A plan that ran is found by its id, its ref or its environment. */

import { describe, expect, it } from "vitest";
import { findPlan, type KnownRuns } from "../../node/edge/plan-finder.ts";
import { applyItem, newRunView, type RunView } from "../../node/view/run.ts";
import { summarizeRun } from "../../node/view/summary.ts";
import { limits } from "../../protocol/limits.ts";
import type { Plan } from "../../protocol/plan.ts";
import type { WantedPlan } from "../../protocol/requests.ts";
import { planId } from "../../planner/plan.ts";
import { planOf } from "../planner/planning.ts";

type Past = {
  readonly run: string;
  readonly branch?: string;
  readonly tag?: string;
  readonly pipeline?: string;
  readonly startedMs: number;
  /** When its step in production passed. */
  readonly passedMs?: number;
  readonly refused?: true;
};

/** Newest first, as a node has them. */
async function runsOf(
  past: readonly Past[],
): Promise<KnownRuns & { readonly ids: ReadonlyMap<string, string> }> {
  const plans = new Map<string, Plan>();
  const views = new Map<string, RunView>();
  for (const { run, branch = null, tag = null, pipeline = "shop", startedMs, passedMs, refused } of past) {
    const text = `otto: 1\npipeline: ${pipeline}\nenvironments: { production: }\nsteps: { a: { run: "${run}", environment: production } }\n`;
    const plan = await planOf(text, { branch, tag });
    plans.set(run, plan);
    const view = newRunView(run);
    applyItem(view, { kind: "plan", run, plan, planId: planId(plan) });
    view.startedMs = startedMs;
    if (refused === true) view.state = "refused";
    const step = view.steps[0];
    if (step !== undefined && passedMs !== undefined) {
      step.state = { kind: "passed" } as typeof step.state;
      step.attempts = [{ ended: { timeMs: passedMs } }] as unknown as typeof step.attempts;
    }
    views.set(run, view);
  }
  return {
    ids: new Map([...plans].map(([run, plan]) => [run, planId(plan)])),
    newest: (countMax) =>
      Promise.resolve(
        [...views.values()]
          .map((view) => summarizeRun(view))
          .toSorted((left, right) => (right.startedMs ?? 0) - (left.startedMs ?? 0))
          .slice(0, countMax),
      ),
    planOf: (run) => {
      const plan = plans.get(run);
      return Promise.resolve(plan === undefined ? null : { plan, planId: planId(plan) });
    },
    viewOf: (run) => Promise.resolve(views.get(run) ?? newRunView(run)),
  };
}

async function found(wanted: WantedPlan, past: readonly Past[]): Promise<string> {
  return (await findPlan(wanted, await runsOf(past))).run;
}

describe("the last plan of a ref", () => {
  const wanted = { by: "ref", pipeline: "shop", branch: "main", tag: null } as const;

  it("is of the newest run of that pipeline on that branch", async () => {
    const past: readonly Past[] = [
      { run: "old", branch: "main", startedMs: 1 },
      { run: "new", branch: "main", startedMs: 2 },
      { run: "refused", branch: "main", startedMs: 6, refused: true },
      { run: "topic", branch: "topic", startedMs: 3 },
      { run: "other", branch: "main", pipeline: "other", startedMs: 4 },
    ];
    expect(await found(wanted, past)).toBe("new");
  });

  it("is of the tag where there is no branch", async () => {
    const past: readonly Past[] = [
      { run: "one", tag: "v1", startedMs: 1 },
      { run: "two", tag: "v2", startedMs: 2 },
    ];
    expect(await found({ ...wanted, branch: null, tag: "v1" }, past)).toBe("one");
  });

  it("is missed with words that say where it was looked for", async () => {
    await expect(found(wanted, [{ run: "topic", branch: "topic", startedMs: 1 }])).rejects.toMatchObject({
      code: "OTTO_NO_SUCH_PLAN",
      message: `Of the newest ${limits.runsSearchedMax} runs that this node knows, the pipeline shop has not run on the branch main.`,
    });
  });
});

describe("the last plan of an environment", () => {
  const wanted = { by: "environment", pipeline: "shop", environment: "production" } as const;

  it("is the one whose step there passed last, whichever run began last", async () => {
    const past: readonly Past[] = [
      { run: "waited", startedMs: 1, passedMs: 30 },
      { run: "quick", startedMs: 2, passedMs: 20 },
      { run: "failed", startedMs: 3 },
    ];
    expect(await found(wanted, past)).toBe("waited");
  });

  it("is missed where nothing has passed", async () => {
    await expect(found(wanted, [{ run: "failed", startedMs: 3 }])).rejects.toMatchObject({
      code: "OTTO_NO_SUCH_PLAN",
    });
  });
});

describe("a plan by its id", () => {
  const past: readonly Past[] = [
    { run: "one", startedMs: 1 },
    { run: "two", startedMs: 2 },
  ];

  it("is found by a beginning that no other has", async () => {
    const runs = await runsOf(past);
    const id = runs.ids.get("one") ?? "";
    const other = runs.ids.get("two") ?? "";
    const length = Array.from(id).findIndex((letter, at) => letter !== other[at]) + 1;
    expect(await findPlan({ by: "id", id: id.slice(0, length) }, runs)).toMatchObject({
      run: "one",
      planId: id,
    });
    expect(await findPlan({ by: "id", id }, runs)).toMatchObject({ run: "one" });
  });

  it("is refused by a beginning that several have, and by one that none has", async () => {
    await expect(found({ by: "id", id: "bafyrei" }, past)).rejects.toMatchObject({
      code: "OTTO_USAGE",
      message: expect.stringMatching(
        /^The ids of 2 plans begin with bafyrei: bafyrei\w+, bafyrei\w+\.$/,
      ) as string,
    });
    await expect(found({ by: "id", id: "bafyrei2222222" }, past)).rejects.toMatchObject({
      code: "OTTO_NO_SUCH_PLAN",
    });
  });

  it("is of the newest run that had it", async () => {
    const runs = await runsOf(past);
    const same = { ...runs, planOf: () => runs.planOf("one") };
    const beginning = (runs.ids.get("one") ?? "").slice(0, 20);
    expect(await findPlan({ by: "id", id: beginning }, same)).toMatchObject({ run: "two" });
    expect(await findPlan({ by: "id", id: runs.ids.get("one") ?? "" }, same)).toMatchObject({ run: "two" });
  });
});
