import { expect, it } from "vitest";
import { checkersBeyond } from "../../simulations/checkers/all.ts";
import { patienceBeyondUs, scheduleBeyond } from "../../simulations/generate.ts";
import { runWorld } from "../../simulations/world.ts";

const seeds = 32;

it(`nothing is broken in silence where more goes wrong than the design bears, in ${seeds} worlds`, async () => {
  const broken: string[] = [];
  for (let seed = 1; seed <= seeds; seed += 1) {
    const schedule = scheduleBeyond(seed);
    const checkers = checkersBeyond();
    const { violation } = await runWorld({
      schedule,
      checkers,
      encoded: false,
      patienceUs: patienceBeyondUs,
    });
    if (violation !== null) broken.push(`seed ${seed}: ${violation.message}`);
  }
  expect(broken).toEqual([]);
});
