/** The attacker sends bytes to every decoder of what a peer or a file says: none throws, and none takes long. */

import { expect, it } from "vitest";
import { fuzz } from "../../simulations/fuzz.ts";

it("holds for a thousand inputs of each decoder, made from valid ones (a million: npm run soak)", () => {
  const failed = [...fuzz(1_000, 20_261_128)].filter(({ failure }) => failure !== null);
  expect(failed).toEqual([]);
});
