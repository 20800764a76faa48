import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { RegisterMap } from "../../protocol/registers/register-map.ts";
import { sizesOf } from "../../simulations/sizes.ts";
import { runOfStepRegister, stepRegister } from "../../protocol/registers/registers.ts";

const runs = ["a", "b", "a/b", "", "step"];
/** Of steps, of what is no step, and what nobody but somebody who lies calls a step. */
const names = fc.oneof(
  fc
    .tuple(fc.constantFrom(...runs), fc.constantFrom(0, 1, 2, 9, 10, 70, 130, 2_000))
    .map(([run, place]) => stepRegister(run, place)),
  fc.constantFrom("fence", "run/a", "run/a/b", "step", "steps/a/1", "retired"),
  fc.constantFrom(
    "step/",
    "step/a",
    "step/a/",
    "step/a/01",
    "step/a/00",
    "step/a/-1",
    "step/a/1e1",
    "step/a/x",
    "step/a/1 ",
    `step/a/${limits.stepsPerPlanMax}`,
    "step/a/99999999999999999999",
  ),
);
const places = fc.array(
  fc.constantFrom(0, 1, 2, 9, 10, 70, 130, 2_000, limits.stepsPerPlanMax, 123_456_789),
  {
    maxLength: 3,
  },
);

const changes = fc.oneof(
  fc.record({ kind: fc.constant("set" as const), name: names, value: fc.nat() }),
  fc.record({ kind: fc.constant("delete" as const), name: names }),
  fc.record({
    kind: fc.constant("steps" as const),
    run: fc.constantFrom(...runs),
    places,
    value: fc.nat(),
  }),
  fc.record({ kind: fc.constant("forget" as const), run: fc.constantFrom(...runs) }),
  fc.constant({ kind: "clear" as const }),
);

describe("a map of registers", () => {
  it("holds what a plain map by names would, whatever is called a step", () => {
    fc.assert(
      fc.property(fc.array(changes, { maxLength: 40 }), names, (all, probe) => {
        const map = new RegisterMap<number>();
        const plain = new Map<string, number>();
        for (const change of all) {
          if (change.kind === "set") {
            map.set(change.name, change.value);
            plain.set(change.name, change.value);
          } else if (change.kind === "delete") {
            map.delete(change.name);
            plain.delete(change.name);
          } else if (change.kind === "steps") {
            map.setSteps(change.run, change.places, change.value);
            for (const place of change.places) plain.set(stepRegister(change.run, place), change.value);
          } else if (change.kind === "forget") {
            const own = [...plain.keys()].filter((name) => runOfStepRegister(name) === change.run);
            expect(map.stepsOf(change.run).toSorted()).toEqual(own.toSorted());
            map.deleteStepsOf(change.run);
            for (const name of own) plain.delete(name);
          } else {
            map.clear();
            plain.clear();
          }
          expect(map.get(probe)).toBe(plain.get(probe));
          expect(map.size).toBe(plain.size);
        }
        for (const name of plain.keys()) expect(map.get(name)).toBe(plain.get(name));
        for (const run of runs)
          expect(map.stepsOf(run)).toHaveLength(
            [...plain.keys()].filter((name) => runOfStepRegister(name) === run).length,
          );
        expect([...map].toSorted()).toEqual([...plain].toSorted());
        expect([...map.keys()].toSorted()).toEqual([...plain.keys()].toSorted());
      }),
      { numRuns: 500 },
    );
  });

  it("gives the steps of a run in the order of their places", () => {
    const map = new RegisterMap<string>();
    for (const place of [10, 2, 0]) map.set(stepRegister("a", place), "x");
    map.set("fence", "y");
    expect([...map.keys()]).toEqual(["fence", "step/a/0", "step/a/2", "step/a/10"]);
    expect(map.stepsOf("a")).toEqual(["step/a/0", "step/a/2", "step/a/10"]);
  });

  it("takes no more memory for places far behind the others than for their names", () => {
    const map = new RegisterMap<string>();
    const far = limits.stepsPerPlanMax - 1;
    for (let run = 0; run < 100; run += 1) {
      map.set(stepRegister(`r${run}`, far), "x");
      map.setSteps(`s${run}`, [far], "x");
    }
    expect([...map.keys()]).toHaveLength(200);
    const held = [...sizesOf(map)].reduce((sum, [, size]) => sum + size, 0);
    expect(held).toBeLessThan(2_000);
  });
});
