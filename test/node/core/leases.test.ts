import { describe, expect, it } from "vitest";
import { Leases, reofferAfterMs, sessionKey, workerDeadlineMs } from "../../../node/core/leases.ts";
import { limits } from "../../../protocol/limits.ts";
import { type Sizes, sizesOf } from "../../../simulations/sizes.ts";

const leaseMs = 30_000;
const held = {
  run: "r",
  index: 0,
  token: 3,
  attempt: 2,
  worker: "w",
  session: "life1:1",
  nonce: "life1:1/1",
};
const value = { kind: "step", state: "leased", past: [], ...held } as const;
const session = { peer: "w", labels: new Set<string>(), slots: 1 };

function leased(): Leases {
  const leases = new Leases(leaseMs);
  leases.open("life1:1", session);
  leases.grant(held, value, 1_000);
  return leases;
}

describe("leases", () => {
  it("leave the worker with the slowest clock time to stop its step before the fastest home offers it again", () => {
    const drift = limits.driftPercentMax / 100;
    const workerAtMost = workerDeadlineMs(leaseMs) / (1 - drift);
    const homeAtLeast = reofferAfterMs(leaseMs) / (1 + drift);
    expect(homeAtLeast - workerAtMost).toBeGreaterThan(limits.homeAssuredMs + limits.killGraceMs);
  });

  it("belong to sessions whose names nobody else can take", () => {
    const leases = leased();
    leases.open("life1:1", { ...session, peer: "thief" });
    // Nor is it there first.
    leases.open("life9:1", { ...session, peer: "thief" });
    leases.open("life9:1", session);
    expect(leases.session(sessionKey("w", "life1:1"))?.peer).toBe("w");
    expect(leases.session(sessionKey("w", "life9:1"))?.peer).toBe("w");
  });

  it("are told again to the pull that won them, until their end is proposed", () => {
    const leases = leased();
    const [lease] = leases.ofPull("w", held.session, held.nonce);
    expect(lease).toMatchObject(held);
    if (lease !== undefined) lease.ending = true;
    expect(leases.ofPull("w", held.session, held.nonce)).toEqual([]);
  });

  it("leave nothing of their pull behind when they have ended", () => {
    const leases = leased();
    const before = sizesOf(leases);
    const other = { ...value, index: 1, nonce: "life1:1/2" };
    leases.grant(other, other, 1_000);
    expect(sizesOf(leases)).not.toEqual(before);
    leases.end("r", 1);
    const size = (sizes: Sizes) => [...sizes].filter(([path]) => path.startsWith("#byProcess"));
    expect(size(sizesOf(leases))).toEqual(size(before));
  });

  it("run out after their full time, not before, and from the last renewal", () => {
    const leases = leased();
    const endMs = 1_000 + reofferAfterMs(leaseMs);
    expect(leases.expired(endMs - 1)).toEqual([]);
    expect(leases.expired(endMs)).toMatchObject([held]);
    leases.renew("w", [{ run: "r", index: 0, token: 3 }], 5_000);
    expect(leases.expired(endMs)).toEqual([]);
  });

  it("are renewed by their holder alone, under their own token", () => {
    const leases = leased();
    const endMs = 1_000 + reofferAfterMs(leaseMs);
    leases.renew("somebody", [{ run: "r", index: 0, token: 3 }], 5_000);
    leases.renew("w", [{ run: "r", index: 0, token: 2 }], 5_000);
    leases.renew("w", [{ run: "r", index: 1, token: 3 }], 5_000);
    expect(leases.expired(endMs)).toHaveLength(1);
  });

  it("of a worker's earlier process end when its next one comes, and stay when the same one comes back", () => {
    const leases = leased();
    expect(leases.open("life1:2", session)).toEqual([]);
    expect(leases.open("life3:1", { ...session, peer: "other" })).toEqual([]);
    expect(leases.open("life2:1", session)).toMatchObject([held]);
  });

  it("outlive the link: only the session is forgotten", () => {
    const leases = leased();
    const key = sessionKey("w", "life1:1");
    expect(leases.closePeer("w")).toEqual([key]);
    expect(leases.session(key)).toBeUndefined();
    expect(leases.get("r", 0)).toMatchObject(held);
  });

  it("are offered once when they have run out, until the decision is there", () => {
    const leases = leased();
    const endMs = 1_000 + reofferAfterMs(leaseMs);
    for (const lease of leases.expired(endMs)) leases.postpone(lease, endMs);
    expect(leases.expired(endMs + 1)).toEqual([]);
    expect(leases.end("r", 0)).toMatchObject(held);
    expect(leases.get("r", 0)).toBeUndefined();
  });
});
