import { expect, it } from "vitest";
import { withMachineLabels } from "../../node/edge/machine-labels.ts";
import { isLabel, meetsRequirement } from "../../protocol/names.ts";

it("a worker has the labels of its machine, and its person's instead where these say otherwise", () => {
  const labels = withMachineLabels(["gpu", "memory=64"]);
  expect(labels.every(isLabel)).toBe(true);
  const has = (requirement: string): boolean => meetsRequirement(new Set(labels), requirement);
  expect([`os=${process.platform}`, `arch=${process.arch}`, "cores>=1", "gpu", "memory>=64"].every(has)).toBe(
    true,
  );
  expect(["memory>=65", "os=plan9", "cores>=100000"].some(has)).toBe(false);
});
