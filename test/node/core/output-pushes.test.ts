/** A worker brings output to as many control peers as are needed, a bounded piece at a time, and no piece without need. */

import { describe, expect, it } from "vitest";
import { OutputPushes } from "../../../node/core/output-pushes.ts";
import { limits } from "../../../protocol/limits.ts";

const controls = ["home", "near", "far"];
const later = limits.outputAfterMs;
const chunk = limits.outputChunkBytesMax;

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
      { id: "a", to: "home", offset: 0, end: 10, ask: false },
      { id: "a", to: "near", offset: 0, end: 10, ask: false },
    ]);
  });

  it("is sent on before it is known to be kept, gathered for a moment, and is asked for once in a while", () => {
    const pushes = running(10);
    pushes.due(controls, 1, later);
    pushes.grew("a", 20);
    expect(pushes.due(controls, 1, later + limits.outputGatherMs - 1)).toEqual([]);
    const second = pushes.due(controls, 1, later + limits.outputGatherMs);
    expect(second).toEqual([{ id: "a", to: "home", offset: 10, end: 20, ask: false }]);
    pushes.grew("a", 30);
    const asked = later + limits.outputAskMs;
    expect(pushes.due(controls, 1, asked)).toEqual([{ id: "a", to: "home", offset: 20, end: 30, ask: true }]);
    pushes.grew("a", 40);
    expect(pushes.due(controls, 1, asked + limits.outputGatherMs)).toEqual([]);
    pushes.kept("a", "home", 30, asked + limits.outputGatherMs);
    expect(pushes.due(controls, 1, asked + limits.outputGatherMs)).toEqual([
      { id: "a", to: "home", offset: 30, end: 40, ask: false },
    ]);
  });

  it("is never more on its way than one chunk of each, and goes on at once when that is kept", () => {
    const pushes = running(10);
    pushes.due(controls, 1, later);
    pushes.grew("a", 3 * chunk);
    expect(pushes.due(controls, 1, later)).toEqual([
      { id: "a", to: "home", offset: 10, end: chunk, ask: true },
    ]);
    expect(pushes.due(controls, 1, later + limits.outputGatherMs)).toEqual([]);
    pushes.kept("a", "home", chunk, later);
    expect(pushes.due(controls, 1, later)).toEqual([
      { id: "a", to: "home", offset: chunk, end: 2 * chunk, ask: true },
    ]);
  });

  it("is sent again and asked for when nobody says that it is kept, and from where a control peer says it is", () => {
    const pushes = running(10);
    pushes.due(controls, 1, later);
    expect(pushes.due(controls, 1, later + limits.outputAgainMs - 1)).toEqual([]);
    const again = { id: "a", to: "home", offset: 0, end: 10, ask: true };
    expect(pushes.due(controls, 1, later + limits.outputAgainMs)).toEqual([again]);
    expect(pushes.due(controls, 1, later + 2 * limits.outputAgainMs)).toEqual([again]);
    pushes.kept("a", "home", 4, later + 2 * limits.outputAgainMs);
    expect(pushes.due(controls, 1, later + 3 * limits.outputAgainMs)).toMatchObject([
      { id: "a", to: "home", offset: 4, end: 10 },
    ]);
  });

  it("is sent from where it did not fit as soon as that is said", () => {
    const pushes = running(10);
    pushes.due(controls, 1, later);
    pushes.grew("a", 20);
    pushes.due(controls, 1, later + limits.outputGatherMs);
    pushes.kept("a", "home", 0, later + 2 * limits.outputGatherMs);
    expect(pushes.due(controls, 1, later + 2 * limits.outputGatherMs)).toMatchObject([
      { id: "a", to: "home", offset: 0, end: 20 },
    ]);
  });

  it("goes to the next home from its beginning, and on to whoever had some of it", () => {
    const pushes = running(10);
    pushes.due(controls, 2, later);
    pushes.kept("a", "home", 10, later);
    pushes.peerDown("home");
    pushes.grew("a", 20);
    expect(pushes.due(["far", "near"], 2, later + limits.outputGatherMs)).toMatchObject([
      { id: "a", to: "far", offset: 0 },
      { id: "a", to: "near", offset: 10 },
    ]);
  });

  it("is sent no more once the step is over, and is nothing to whom nothing was sent", () => {
    const pushes = running(10);
    pushes.kept("a", "far", 7, later);
    pushes.kept("b", "home", 7, later);
    pushes.ended("a");
    pushes.grew("a", 30);
    expect(pushes.due(controls, 2, later)).toEqual([]);
  });
});
