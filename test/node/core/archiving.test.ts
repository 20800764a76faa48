/** What others must hold of a run that is over before its home closes it. */

import { expect, test } from "vitest";
import { Archiving } from "../../../node/core/archiving.ts";
import { limits } from "../../../protocol/limits.ts";
import type { Message } from "../../../protocol/messages.ts";

const members = new Set(["a", "b", "c"]);
const both = new Set(["b", "c"]);

function bench() {
  const said: { readonly to: string; readonly message: Message }[] = [];
  const archiving = new Archiving({ log: "l", send: (to, message) => said.push({ to, message }) });
  return { said, archiving };
}

test("a run is closed when a majority holds all that was told of it, and not before", () => {
  const { said, archiving } = bench();
  archiving.add("r", 7);
  expect(archiving.ready("a", members, both, 0)).toEqual([]);
  const confirm = { kind: "confirm", log: "l", seq: 7 };
  expect(said).toEqual(["b", "c"].map((to) => ({ to, message: confirm })));
  archiving.confirmed("b", 6);
  expect(archiving.ready("a", members, both, 1)).toEqual([]);
  archiving.confirmed("c", 7);
  expect(archiving.ready("a", members, both, 2)).toEqual(["r"]);
  expect(archiving.ready("a", members, both, 3)).toEqual([]);
});

test("a control peer that is alone need not be told by anybody", () => {
  const { said, archiving } = bench();
  archiving.add("r", 7);
  expect(archiving.ready("a", new Set(["a"]), new Set(), 0)).toEqual(["r"]);
  expect(said).toEqual([]);
});

test("who does not answer is asked again after a while, and at once when its link is new", () => {
  const { said, archiving } = bench();
  archiving.add("r", 7);
  const ask = (nowMs: number): number => {
    archiving.ready("a", members, new Set(["b"]), nowMs);
    return said.length;
  };
  expect(ask(0)).toBe(1);
  expect(ask(limits.confirmAgainMs - 1)).toBe(1);
  expect(ask(limits.confirmAgainMs)).toBe(2);
  archiving.peerDown("b");
  expect(ask(limits.confirmAgainMs + 1)).toBe(3);
});
