import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { allCheckers } from "../../simulations/checkers/all.ts";
import { readKept } from "../../simulations/kept.ts";
import { plantings } from "../../simulations/plantings.ts";
import { runWorld } from "../../simulations/world.ts";

const folder = new URL("../../simulations/kept/", import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith(".json"));

/** That a planted mistake shows in it again is seen by `npm run soak -- --ci`, with a process for each. */
describe("a schedule that was kept", () => {
  it.each(files)("%s ends as it must", async (name) => {
    const read = readKept(readFileSync(new URL(name, folder), "utf8"));
    if (!read.ok) throw new Error(read.problem);
    const { schedule, expected, planted } = read.value;
    const { verdict, violation } = await runWorld({ schedule, checkers: allCheckers(), encoded: true });
    expect(violation?.message ?? verdict).toMatch(expected);
    if (planted !== null) expect(plantings.map((planting) => planting.name)).toContain(planted.name);
  });

  it("says what was learnt, and what must come of it", () => {
    const [name = ""] = files;
    const kept = JSON.parse(readFileSync(new URL(name, folder), "utf8")) as Record<string, unknown>;
    for (const field of ["learnt", "expected", "schedule"]) {
      const read = readKept(JSON.stringify({ ...kept, [field]: undefined }));
      expect(read.ok ? "accepted" : read.problem).toContain(field);
    }
  });
});
