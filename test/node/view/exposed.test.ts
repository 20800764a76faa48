/** What a run gave away stays with it. */

import { expect, it } from "vitest";
import { frameLines } from "../../../cli/render/tree.ts";
import { exposuresOf } from "../../../node/view/exposed.ts";
import { applyItem, newRunView } from "../../../node/view/run.ts";
import { summarizeRun } from "../../../node/view/summary.ts";
import { exampleRun, itemOf, planItem, plannedStep } from "./example.ts";

it("is said once a step has begun that is given a secret itself, also in the live tree, and never taken back", () => {
  const kept = { name: "shown", kind: "http", to: "https://a.example.org" } as const;
  const credentials = [{ ...kept, name: "legacy", expose: "file" } as const, kept];
  const view = newRunView(exampleRun);
  const head = () => {
    const latest = () => "";
    const [first = []] = frameLines({ view, latest, notice: null, nowMs: 0, columns: 80, rows: 20 });
    return first.map(({ text }) => text).join("");
  };
  applyItem(view, planItem([plannedStep("deploy", [], { credentials }), plannedStep("after", ["deploy"])]));
  expect(exposuresOf(view)).toEqual([]);
  expect(summarizeRun(view).exposed).toBeUndefined();
  applyItem(view, itemOf("attempt-started", { step: "deploy" }));
  expect(exposuresOf(view)).toEqual([{ step: "deploy", secret: "legacy" }]);
  expect(head()).toContain("exposed");
  applyItem(view, itemOf("attempt-ended", { step: "deploy", cause: "failed" }));
  expect(summarizeRun(view).exposed).toBe(true);
});

it("is not said of a step that is left out", () => {
  const credentials = [
    { name: "legacy", kind: "http", to: "https://a.example.org", expose: "file" },
  ] as const;
  const view = newRunView(exampleRun);
  applyItem(view, planItem([plannedStep("deploy", [], { credentials, included: false })]));
  expect(exposuresOf(view)).toEqual([]);
});
