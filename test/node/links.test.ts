/** Real networks on loopback: who finds whom, who is let in, and what a link does when only half of it works. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Disk } from "../../simulations/storage.ts";
import { Peers } from "./peers.ts";

let peers: Peers;
beforeEach(() => {
  peers = new Peers(3);
});
afterEach(() => peers.end());

describe("a control peer that comes back at another address", () => {
  it("is found again by a worker through what the others know, and after the worker's own restart", async () => {
    const [first, second] = [await peers.control(0), await peers.control(1)];
    const disk = new Disk();
    const worker = await peers.start({ role: "worker", disk });
    const oldAddresses = [...second.addresses];
    worker.dials(first);
    worker.dials(second);
    second.dials(first);
    first.dials(second);
    await peers.until(() => worker.isLinked(first) && worker.isLinked(second) && first.isLinked(second));
    await second.network.stop();
    await peers.until(() => !worker.isLinked(second));
    // Another port; it still knows where the others are, and they learn from it where it is.
    const moved = await peers.control(1);
    expect(moved.addresses).not.toEqual(oldAddresses);
    moved.dials(first);
    await peers.until(() => worker.isLinked(moved));
    await worker.network.stop();
    const again = await peers.start({ role: "worker", disk, identity: worker.identity });
    // What the charter says leads nowhere any more; what worked last is in the book.
    again.dials(moved, oldAddresses);
    await peers.until(() => again.isLinked(moved));
  });
});
