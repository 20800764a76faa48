/**
 * A log that forks is frozen and told of: nobody who kept its fork takes anything more of it, everybody who survives says
 * so in the end, and no two survivors keep different entries in one place of a log that they call sound. An author whose
 * log nobody forged is never accused.
 */

import { equals } from "uint8arrays/equals";
import { controlKeys } from "../../node/core/control.ts";
import { type Checker, type Ending, type PeerName, Violation } from "../observation.ts";

export function forksChecker(): Checker {
  const forged = new Set<string>();
  const frozen = new Map<string, { readonly peer: PeerName; readonly log: string; readonly kept: number }>();
  return {
    name: "forks",
    looksAt: ["forged", "log-frozen"],
    observe: (observation) => {
      if (observation.kind === "forged") forged.add(observation.log);
      if (observation.kind !== "log-frozen") return;
      const { peer, log, own, kept } = observation;
      if (!forged.has(log)) throw new Violation("forks", `${peer} calls ${log} forked, and nobody forged it`);
      // An author writes its own log until its process has ended.
      if (!own) frozen.set(`${peer} ${log}`, { peer, log, kept });
    },
    finish: ({ finished, controls }: Ending) => {
      if (!finished) return;
      for (const { peer, log, kept } of frozen.values()) {
        const now = controls.find((one) => one.peer === peer)?.keys.filter(isOf(log)).length ?? kept;
        if (now !== kept)
          throw new Violation("forks", `${peer} has frozen ${log} and taken ${now - kept} more`);
      }
      const known = new Set([...controls.flatMap(({ forks }) => forks), ...differing(controls)]);
      for (const log of known)
        for (const { peer, forks } of controls)
          if (!forks.includes(log)) throw new Violation("forks", `${peer} does not say that ${log} forks`);
    },
  };
}

/** Logs of which two peers keep different entries in one place. */
function differing(controls: Ending["controls"]): string[] {
  const first = new Map<string, Uint8Array>();
  const logs = new Set<string>();
  for (const { entries } of controls)
    for (const [key, bytes] of entries) {
      const other = first.get(key);
      if (other === undefined) first.set(key, bytes);
      else if (!equals(bytes, other)) logs.add(key.split("/")[1] ?? "");
    }
  return [...logs];
}

function isOf(log: string): (key: string) => boolean {
  return (key) => key.startsWith(`${controlKeys.entries}${log}/`);
}
