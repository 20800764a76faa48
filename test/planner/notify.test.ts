/** Notifications: step libraries that run when everything else has ended. */

import { describe, expect, it } from "vitest";
import { planId } from "../../planner/plan.ts";
import { parsePlan } from "../../protocol/plan-check.ts";
import { unsupportedIn } from "../../protocol/unsupported.ts";
import { diagnosticsOf, importsOf, planOf } from "./planning.ts";

const manifest = `otto-step: 1
name: tell
parameters: { channel: { type: string, default: "" } }
entry: { any: ./tell }
effect: true
`;
const imports = importsOf({ "tell/otto-step.yaml": manifest });

const file = `otto: 1
uses: { tell: ./tell }
steps:
  build: { run: x, outcomes: [strange] }
  test: { needs: build, run: y, matrix: { os: [linux, macos] } }
  out: { run: z, when: trigger == "never" }
notify:
`;

async function planned(notify: string): Promise<Awaited<ReturnType<typeof planOf>>> {
  const plan = await planOf(`${file}${notify}`, {}, imports);
  expect(parsePlan(plan)).toMatchObject({ ok: true });
  return plan;
}

describe("a notification", () => {
  it("waits for everything, however it ended, and for how that came out", async () => {
    const plan = await planned('  - { on: [failed], uses: tell, with: { channel: "#deploys" } }\n');
    const [whole, told] = plan.steps.slice(-2);
    const every = ["passed", "failed", "timed-out", "cancelled", "skipped"];
    expect(whole).toMatchObject({
      name: "notify",
      action: { kind: "pipeline", members: ["build", "out", "test (os=linux)", "test (os=macos)"] },
      needs: [
        { step: "build", outcomes: [...every, "strange"] },
        { step: "out", outcomes: every },
        { step: "test (os=linux)", outcomes: every },
        { step: "test (os=macos)", outcomes: every },
      ],
    });
    expect(whole?.outcomes).toBeUndefined();
    expect(told).toMatchObject({
      name: "notify/tell-failed",
      needs: [{ step: "notify", outcomes: ["failed"] }],
      action: { kind: "uses", library: "tell", with: { channel: "#deploys" } },
      variables: { OTTO_NOTIFIES: "failed" },
      effect: true,
    });
  });

  it("is a step for each way to end, with a name of its own", async () => {
    const plan = await planned(
      "  - { on: [failed, passed], uses: tell }\n  - { on: failed, uses: tell }\n  - { on: failed, uses: ./tell }\n",
    );
    expect(plan.steps.slice(4).map(({ name, needs }) => [name, needs[0]?.outcomes.join()])).toEqual([
      ["notify", "passed,failed,timed-out,cancelled,skipped,strange"],
      ["notify/tell-failed", "failed"],
      ["notify/tell-failed-2", "failed"],
      ["notify/tell-failed-3", "failed"],
      ["notify/tell-passed", "passed"],
    ]);
  });

  it("of a run that recovered is planned, and refused when it is submitted", async () => {
    const plan = await planned(
      "  - { on: [recovered], uses: tell }\n  - { on: [passed], uses: tell }\n  - { on: [passed, recovered], uses: tell }\n",
    );
    expect(plan.steps.slice(4).map(({ name, needs }) => [name, needs.at(-1)?.outcomes.join()])).toEqual([
      ["notify", "passed,failed,timed-out,cancelled,skipped"],
      ["notify/tell-passed", "passed,recovered"],
      ["notify/tell-passed-3", "passed"],
      ["notify/tell-recovered", "recovered"],
      ["notify/tell-recovered-3", "recovered"],
    ]);
    expect(plan.steps[4]?.outcomes).toEqual(["recovered"]);
    expect(unsupportedIn(plan, "dev")).toMatchObject([
      { step: "notify", why: expect.stringContaining("how the run before ended") as string },
    ]);
    expect(unsupportedIn(await planned("  - { on: [passed], uses: tell }\n"), "dev")).toEqual([]);
  });

  it("changes nothing in the plan of the other steps", async () => {
    const without = await planOf(file.replace("notify:\n", ""), {}, imports);
    const plan = await planned("  - { on: failed, uses: tell }\n");
    expect(plan.steps.slice(0, 4)).toEqual(without.steps);
    expect(planId(plan)).not.toBe(planId(without));
  });

  it("is checked as a step is", async () => {
    const complaints = async (notify: string, text = file): Promise<readonly string[]> =>
      (await diagnosticsOf(`${text}${notify}`, {}, imports)).map(({ code, message }) => `${code} ${message}`);
    expect(await complaints("  - { on: failed, uses: tel }\n")).toEqual([
      "pipeline/unknown-use there is nothing called `tel` to use",
    ]);
    expect(await complaints("  - { on: failed, uses: tell, with: { chanel: x } }\n")).toEqual([
      "pipeline/unknown-parameter the library `tell` has no parameter `chanel`",
    ]);
    expect(await complaints("  - { on: failed, uses: tell, with: { channel: matrix.os } }\n")).toEqual([
      "pipeline/bad-parameter the step's matrix has no axis `os`",
    ]);
    const taken = file.replace("  out:", "  notify:");
    expect(await complaints("  - { on: failed, uses: tell }\n", taken)).toEqual([
      "pipeline/bad-step `notify` cannot be the name of a step: `notify` of the file makes steps below it",
    ]);
  });
});
