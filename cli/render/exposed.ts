/** What a run gave away, as lines under it. */

import { exposuresOf } from "../../node/view/exposed.ts";
import type { RunView } from "../../node/view/run.ts";
import type { Line } from "./line.ts";
import { visible } from "./sanitize.ts";

export function exposedText(view: RunView): readonly Line[] {
  return exposuresOf(view).map(({ step, secret }): Line => [
    { text: `exposed: ${visible(step)} is given the secret ${secret} itself`, style: "red" },
  ]);
}
