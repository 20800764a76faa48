/** A worker brings output to as many control peers as are needed, one piece at a time, and no piece without need. */

import { describe, expect, it } from "vitest";
import { OutputPushes } from "../../../node/core/output-pushes.ts";
import { limits } from "../../../protocol/limits.ts";

const controls = ["home", "near", "far"];
const later = limits.outputAfterMs;

function running(end: number): OutputPushes {
  const pushes = new OutputPushes();
  pushes.started("a", 0);
  pushes.grew("a", end);
  return pushes;
}

describe("the output of a running step", () => {
  it("is sent to the home and as many others as keep it, from the beginning, once the step has run a while", () => {
    const pushes = running(10);
    expect(pushes.due(controls, 2, later - 1)).toEqual([]);
    expect(pushes.due(controls, 2, later)).toEqual([
      { id: "a", to: "home", offset: 0 },
      { id: "a", to: "near", offset: 0 },
    ]);
  });

  it("is sent piece by piece: the next when the last is kept, gathered for a moment, or at once when it is full", () => {
    const pushes = running(10);
    pushes.due(controls, 1, later);
    pushes.grew("a", 20);
    expect(pushes.due(controls, 1, later + limits.outputGatherMs)).toEqual([]);
    pushes.kept("a", "home", 10);
    expect(pushes.due(controls, 1, later + limits.outputGatherMs - 1)).toEqual([]);
    expect(pushes.due(controls, 1, later + limits.outputGatherMs)).toEqual([
      { id: "a", to: "home", offset: 10 },
    ]);
    pushes.grew("a", 20 + limits.outputChunkBytesMax);
    pushes.kept("a", "home", 20);
    expect(pushes.due(controls, 1, later + limits.outputGatherMs)).toEqual([
      { id: "a", to: "home", offset: 20 },
    ]);
  });

  it("is sent again when nobody says that it is kept, and from where a control peer says it is", () => {
    const pushes = running(10);
    pushes.due(controls, 1, later);
    expect(pushes.due(controls, 1, later + limits.outputAgainMs - 1)).toEqual([]);
    expect(pushes.due(controls, 1, later + limits.outputAgainMs)).toHaveLength(1);
    pushes.kept("a", "home", 4);
    expect(pushes.due(controls, 1, later + 2 * limits.outputAgainMs)).toEqual([
      { id: "a", to: "home", offset: 4 },
    ]);
  });

  it("goes to the next home from its beginning, and on to whoever had some of it", () => {
    const pushes = running(10);
    pushes.due(controls, 2, later);
    pushes.kept("a", "home", 10);
    pushes.kept("a", "near", 10);
    pushes.peerDown("home");
    pushes.grew("a", 20);
    expect(pushes.due(["far", "near"], 2, later + limits.outputGatherMs)).toEqual([
      { id: "a", to: "far", offset: 0 },
      { id: "a", to: "near", offset: 10 },
    ]);
  });

  it("is sent no more once the step is over, and is nothing to whom nothing was sent", () => {
    const pushes = running(10);
    pushes.kept("a", "far", 7);
    pushes.kept("b", "home", 7);
    pushes.ended("a");
    pushes.grew("a", 30);
    expect(pushes.due(controls, 2, later)).toEqual([]);
  });
});
