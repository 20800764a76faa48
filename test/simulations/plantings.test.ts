import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { plantings } from "../../simulations/plantings.ts";

const program = fileURLToPath(new URL("../../simulations/planted.ts", import.meta.url));

describe("a planted mistake is caught by its checker", () => {
  for (const { name } of plantings)
    it(
      name,
      () => {
        const { status, stdout, stderr } = spawnSync(process.execPath, [program, name], { encoding: "utf8" });
        expect({ status, told: `${stdout}${stderr}`.trim() }).toMatchObject({ status: 0 });
        // A bound on what hangs, on a machine that does much else.
      },
      600_000,
    );
});
