import { expect, it } from "vitest";
import { heldBefore, wellBefore } from "../../../node/core/held-before.ts";
import type { PlannedStep } from "../../../protocol/plan.ts";
import { plannedStep } from "../view/example.ts";
import { runOf } from "./example.ts";

const after = (name: string, ...needs: readonly string[]): PlannedStep => ({
  ...plannedStep(name),
  needs: needs.map((step) => ({ step, outcomes: ["passed"] })),
});
const nothing = { inputs: [] };

it("only what is nearest must be shown: who let that count has looked at what is before it", () => {
  const steps = [
    after("a"),
    after("b", "a"),
    after("c", "b"),
    after("d", "c"),
    after("side", "a"),
    after("e", "d", "side"),
  ];
  const { submission } = runOf(steps);
  const before = (index: number, held: readonly number[]) =>
    heldBefore(submission, index, nothing, new Set(held));
  expect(before(5, [0, 1, 2])).toEqual([0, 2]);
  expect(before(3, [0, 1, 2])).toEqual([2]);
  expect(before(3, [0])).toEqual([0]);
  expect(before(0, [0, 1])).toEqual([]);
  expect([...wellBefore(submission, [3])].sort()).toEqual([0, 1, 2]);
});

it("ten thousand held steps in a row are one to show", () => {
  const steps = Array.from({ length: 10_000 }, (_, at) =>
    at === 0 ? after("s0") : after(`s${at}`, `s${at - 1}`),
  );
  const submission = {
    manifest: {
      ...runOf([after("a")]).submission.manifest,
      plan: { ...runOf([after("a")]).submission.manifest.plan, steps },
    },
  };
  expect(heldBefore(submission, 9_999, nothing, new Set(steps.keys()))).toEqual([9_998]);
});
