/** Which level a worker has a step run at, by what the step asks for and what the worker reaches. */

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { Isolation } from "../../../node/edge/execution/sandbox/isolation.ts";
import { type SandboxLevel, sandboxLevels } from "../../../protocol/plan.ts";

const folder = mkdtempSync(join(tmpdir(), "otto-levels-"));
afterAll(() => rmSync(folder, { recursive: true }));

const pinned = `node:24@sha256:${"ab".repeat(32)}`;

type Asked = Partial<Parameters<Isolation["levelFor"]>[0]>;

/** @param highest the worker reaches it, and all below it. */
function level(highest: SandboxLevel, asked: Asked, byDefault: SandboxLevel = "S0"): SandboxLevel | null {
  const isolation = new Isolation(folder, "levels", { atMost: "S0", byDefault, visible: [] });
  for (const one of sandboxLevels.slice(1, sandboxLevels.indexOf(highest) + 1)) isolation.reach(one);
  return isolation.levelFor({ sandbox: "S0", credentials: [], image: null, ...asked });
}

it("a step with an image has it where the worker reaches S3", () => {
  const image = { name: pinned, orHost: false };
  expect(level("S3", { image, sandbox: "S3" })).toBe("S3");
  expect(level("S2", { image, sandbox: "S3" })).toBeNull();
});

it("a step for which the worker itself will do has its image where that can be had, else what it asks for", () => {
  const image = { name: pinned, orHost: true };
  expect(level("S3", { image })).toBe("S3");
  expect(level("S2", { image })).toBe("S0");
  expect(level("S2", { image, sandbox: "S1" })).toBe("S1");
  expect(level("S1", { image, sandbox: "S2" })).toBeNull();
  expect(level("S3", { image: { name: "node:24", orHost: true } })).toBe("S0");
});

it("what an earlier start wrote for its slots' users is removed", () => {
  const left = [join(folder, "passwd-7-0"), join(folder, "users", "7-0")];
  mkdirSync(join(folder, "users"), { recursive: true });
  for (const path of left) writeFileSync(path, "");
  expect(new Isolation(folder, "levels", { atMost: "S0", byDefault: "S0", visible: [] }).reached).toEqual([
    "S0",
  ]);
  expect(left.filter((path) => existsSync(path))).toEqual([]);
});

it("no step without an image comes to S3, whatever the worker reaches and does by default", () => {
  expect(level("S3", {})).toBe("S0");
  expect(level("S3", {}, "S2")).toBe("S2");
  expect(level("S3", {}, "S3")).toBe("S2");
  expect(level("S3", { sandbox: "S3" })).toBeNull();
  expect(level("S3", { image: { name: "node:24", orHost: false }, sandbox: "S3" })).toBeNull();
});
