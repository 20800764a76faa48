import { expect, test } from "vitest";
import { Audience } from "../../simulations/audience.ts";
import type { Checker, Observation } from "../../simulations/observation.ts";

const grant = { kind: "sent", message: { kind: "grant" } } as Observation;
const pull = { kind: "sent", message: { kind: "pull" } } as Observation;
const received = { kind: "received", message: { kind: "grant" } } as Observation;
const down = { kind: "down" } as Observation;
const everything = [grant, pull, received, down];

function shownTo(looksAt: Checker["looksAt"]): Observation[] {
  const seen: Observation[] = [];
  const checker: Checker = { name: "one", observe: (one) => void seen.push(one), finish: () => undefined };
  const audience = new Audience([looksAt === undefined ? checker : { ...checker, looksAt }]);
  for (const observation of everything) audience.show(observation);
  return seen;
}

test("a checker that names nothing is shown everything", () => {
  expect(shownTo(undefined)).toEqual(everything);
});

test("a checker is shown every observation of a kind that it names", () => {
  expect(shownTo(["sent", "down"])).toEqual([grant, pull, down]);
});

test("a checker that names a kind of message is shown that kind alone, and only as it was sent or received", () => {
  expect(shownTo(["sent grant"])).toEqual([grant]);
  expect(shownTo(["received grant"])).toEqual([received]);
});

test("a checker that looks at nothing is shown nothing", () => {
  expect(shownTo([])).toEqual([]);
});
