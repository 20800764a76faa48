/** `--priority` takes the place of what the file says, and makes another plan of it. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadPlan } from "../../cli/load-plan.ts";
import { errorOf } from "./error-of.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "otto-priority-"));
  writeFileSync(join(folder, "otto.yaml"), "otto: 1\npriority: low\nsteps: { a: { run: x } }\n");
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("--priority", () => {
  it("is what the plan has, whatever the file says", async () => {
    const [low, high, usual] = await Promise.all([
      loadPlan({ folder }),
      loadPlan({ folder, priority: "high" }),
      loadPlan({ folder, priority: "normal" }),
    ]);
    expect([low.plan.priority, high.plan.priority, usual.plan.priority]).toEqual(["low", "high", undefined]);
    expect(new Set([low, high, usual].map(({ planId }) => planId)).size).toBe(3);
    expect((await loadPlan({ folder, priority: "low" })).planId).toBe(low.planId);
  });

  it("is one of three words", async () => {
    const error = await errorOf(loadPlan({ folder, priority: "urgent" }));
    expect(error).toMatchObject({ code: "OTTO_USAGE", message: '"urgent" is no priority.' });
    expect(error.next).toContain("--priority high");
  });
});
