/** A manifest goes in at any peer, its steps run wherever there is room, and every peer tells the same story. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { Mesh } from "./mesh.ts";

let mesh: Mesh;

beforeAll(async () => {
  mesh = await Mesh.found({
    controls: 3,
    workers: [
      ["--label", "place=here", "--slots", "1"],
      ["--label", "place=there", "--slots", "1"],
    ],
  });
});
afterAll(() => mesh.end());

it("runs what is submitted to any control peer, any worker, or over the network with the person's own key", async () => {
  const repository = mesh.repository("anywhere", "  one:\n    run: cat greeting\n", { greeting: "hello\n" });
  const [first, second, third] = mesh.controls;
  const ways = [first, second, third, ...mesh.workers].filter((node) => node !== undefined);
  const runs = await Promise.all([
    ...ways.map((node) => mesh.submit(repository, node)),
    mesh.submit(repository, ["--peer", second?.address ?? ""]),
  ]);
  for (const run of runs) {
    const watch = first?.watch(run);
    expect(await watch?.closed()).toBe("passed");
    expect(watch?.output("one")).toBe("hello\n");
  }
  expect(new Set(runs).size).toBe(6);
});
