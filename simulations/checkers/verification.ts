/**
 * What a stranger finds who verifies a run by what any one control peer can show: it kept to its plan, and is complete.
 * The plan is explained before the run and verified after it; here the two are held together.
 */

import { verifyRun } from "../../node/verify/verify.ts";
import { decodeExport, encodeExport } from "../../protocol/run-export.ts";
import { verifySimulated } from "../keys.ts";
import { type Checker, Violation } from "../observation.ts";

export function verificationChecker(): Checker {
  return {
    name: "verification",
    observe: () => undefined,
    finish: ({ finished, controls, submissions }) => {
      if (!finished) return;
      for (const { peer, exported } of controls)
        for (const { run } of submissions) {
          const read = decodeExport(encodeExport(exported(run)));
          if (!read.ok) throw new Violation("verification", `${run} as ${peer} exports it ${read.problem}`);
          const { findings, state, uncertified } = verifyRun(read.value, "dev", { verify: verifySimulated });
          // Who told of the run told different things: whatever else is found, a stranger is told so.
          if (findings.some(({ code }) => code === "log-forked")) continue;
          const [first] = findings;
          if (first !== undefined)
            throw new Violation(
              "verification",
              `${run} by ${peer}: ${first.code} ${first.step ?? ""}: ${first.expected} ${first.recorded}`,
            );
          if (state === "open" || uncertified.length > 0)
            throw new Violation(
              "verification",
              `${run} by ${peer} is ${state}, ${uncertified.length} unknown`,
            );
        }
    },
  };
}
