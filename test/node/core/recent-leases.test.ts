/** What is remembered of leases follows time and number, whichever is less. */

import { expect, it } from "vitest";
import { RecentLeases } from "../../../node/core/recent-leases.ts";
import { limits } from "../../../protocol/limits.ts";

const lease = (token: number) => ({ run: "r", index: 0, token });
const heldMs = limits.leasesRememberedMs;

it("remembers a lease for a while, whatever comes after it", () => {
  const recent = new RecentLeases();
  recent.add(lease(1), 0);
  recent.add(lease(2), heldMs - 1);
  expect([recent.has(lease(1)), recent.has(lease(2)), recent.has(lease(3))]).toEqual([true, true, false]);
  recent.add(lease(3), heldMs);
  expect(recent.has(lease(1))).toBe(true);
});

it("forgets it after twice that time", () => {
  const recent = new RecentLeases();
  recent.add(lease(1), 0);
  recent.add(lease(2), heldMs);
  recent.add(lease(3), 2 * heldMs);
  expect([recent.has(lease(1)), recent.has(lease(2)), recent.has(lease(3))]).toEqual([false, true, true]);
});

it("keeps no more than so many, the newest of them", () => {
  const recent = new RecentLeases();
  const count = 3 * limits.leasesRememberedMax;
  for (let token = 1; token <= count; token += 1) recent.add(lease(token), 0);
  let kept = 0;
  for (let token = 1; token <= count; token += 1) kept += recent.has(lease(token)) ? 1 : 0;
  expect(kept).toBeLessThanOrEqual(limits.leasesRememberedMax);
  expect(kept).toBeGreaterThanOrEqual(limits.leasesRememberedMax / 2);
  expect(recent.has(lease(count))).toBe(true);
});
