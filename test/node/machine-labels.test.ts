import { expect, it } from "vitest";
import { withMachineLabels } from "../../node/edge/machine-labels.ts";
import { isLabel, meetsRequirement } from "../../protocol/names.ts";

it("a worker has the labels of its machine, and its person's instead where these say otherwise", () => {
  const labels = withMachineLabels(["gpu", "memory=64"], ["S0"]);
  expect(labels.every(isLabel)).toBe(true);
  const has = (requirement: string): boolean => meetsRequirement(new Set(labels), requirement);
  expect([`os=${process.platform}`, `arch=${process.arch}`, "cores>=1", "gpu", "memory>=64"].every(has)).toBe(
    true,
  );
  expect(["memory>=65", "os=plan9", "cores>=100000"].some(has)).toBe(false);
});

it("a worker says of each level of isolation that it reaches it, and of none because its person says so", () => {
  const labels = withMachineLabels(["sandbox=S3", "sandbox"], ["S0", "S1", "S2"]);
  expect(labels.filter((label) => label.startsWith("sandbox"))).toEqual(["sandbox=S1", "sandbox=S2"]);
});
