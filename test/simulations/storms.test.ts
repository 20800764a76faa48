import { expect, test } from "vitest";
import { stormsChecker } from "../../simulations/checkers/storms.ts";
import type { Observation } from "../../simulations/observation.ts";

/** In a mesh of so many, one tells another so many entries within a second. */
function tells(peers: number, times: number): () => void {
  const { observe } = stormsChecker();
  return () => {
    for (let peer = 0; peer < peers; peer += 1)
      observe({ atUs: 0, peer: `peer${peer}`, kind: "up" } as Observation);
    for (let time = 0; time < times; time += 1)
      observe({ atUs: 1, peer: "a", kind: "sent", to: "b", message: { kind: "events" } } as Observation);
  };
}

test("a peer of a small mesh may say a thing to another 150 times within a second, and not once more", () => {
  expect(tells(13, 150)).not.toThrow();
  expect(tells(13, 151)).toThrow("151 times within a second");
});

test("the bound grows with the mesh: a home of 200 peers has more to tell than one of 13", () => {
  expect(tells(200, 1_000)).not.toThrow();
  expect(tells(200, 1_001)).toThrow("1001 times within a second");
});
