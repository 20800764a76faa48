/** What a run gave away: it stays with it, whatever becomes of the secret. */

import type { RunView } from "../../node/view/run.ts";
import type { Line } from "./line.ts";
import { visible } from "./sanitize.ts";

export function exposedText({ plan }: RunView): readonly Line[] {
  return (plan?.steps ?? []).flatMap(({ name, included, credentials = [] }) =>
    credentials
      .filter(({ expose }) => included && expose !== undefined)
      .map((credential): Line => [
        {
          text: `exposed: ${visible(name)} is given the secret ${credential.name} itself`,
          style: "red",
        },
      ]),
  );
}
