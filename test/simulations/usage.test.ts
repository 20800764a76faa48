/** Programs of `simulations/`: whoever asks for what there is not is told how they are used. */

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const programs = ["soak.ts", "seeds.ts", "planted.ts", "replay.ts", "day.ts", "chaos/chaos.ts"];

function run(program: string, ...words: readonly string[]) {
  const file = fileURLToPath(new URL(`../../simulations/${program}`, import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...words], { encoding: "utf8" });
  return { status, lines: `${stdout}${stderr}`.trim().split("\n") };
}

describe.each(programs)("%s", (program) => {
  it("says in a line how it is used when an option is unknown, and runs nothing", () => {
    const { status, lines } = run(program, "--faster");
    expect({ status, lines: lines.length }).toEqual({ status: 3, lines: 1 });
    expect(lines[0]).toMatch(
      new RegExp(
        `^Unknown option '--faster'. Nothing was run. Usage: ${program.replace(/^.*\//u, "")} `,
        "u",
      ),
    );
  });
});

describe("soak.ts", () => {
  it("says how it is used when it is asked for help", () => {
    const { status, lines } = run("soak.ts", "--help");
    expect({ status, lines: lines.length }).toEqual({ status: 0, lines: 1 });
    expect(lines[0]).toMatch(/^Usage: soak\.ts .*libp2p,day/u);
  });

  it("says which kind of work there is not", () => {
    const { status, lines } = run("soak.ts", "--ci", "--only", "seeds,nights");
    expect({ status, said: lines[0] }).toMatchObject({
      status: 3,
      said: expect.stringMatching(/^There is no kind "nights"\. Nothing was run\./u),
    });
  });
});
