/**
 * As many worlds as asked, one after the other; stops at nothing, tells of every violation and how fast it went.
 *
 *   node simulations/soak.ts [first seed] [how many]      a trace of one seed: node simulations/soak.ts 7 trace
 *
 * Exit codes: 0 every promise held, 1 one was broken.
 */

import { allCheckers } from "./checkers/all.ts";
import { simulatedKeys } from "./keys.ts";
import { narrate } from "./narration.ts";
import { faultKindsOf } from "./schedule.ts";
import { runWorld, type WorldResult } from "./world.ts";

const [first = "1", count = "1000"] = process.argv.slice(2);
const traced = count === "trace";
let violations = 0;
const total = { messages: 0, peerUs: 0, seeds: 0 };
const cpuAtStart = process.cpuUsage();

for (let seed = Number(first); seed < Number(first) + (traced ? 1 : Number(count)); seed += 1) {
  const result = await runWorld({ seed, checkers: allCheckers(), encoded: seed % 8 === 0, ...tracing() });
  total.seeds += 1;
  total.messages += result.messages;
  total.peerUs += result.virtualUs * result.peers;
  if (result.violation !== null) tell(result);
}

const { user, system } = process.cpuUsage(cpuAtStart);
const cpuSeconds = (user + system) / 1_000_000;
const perSecond = (amount: number, digits = 0) => (amount / cpuSeconds).toFixed(digits);
console.log(
  `${total.seeds} seeds, ${violations} violations; per CPU second ${perSecond(total.seeds, 1)} seeds, ` +
    `${perSecond(total.messages)} messages, ${perSecond(total.peerUs / 3_600_000_000, 2)} node-hours`,
);
process.exitCode = violations > 0 ? 1 : 0;

function tell({ seed, violation, schedule }: WorldResult): void {
  violations += 1;
  const lost = schedule.lost.length > 0 ? `, lost ${schedule.lost.join(" ")}` : "";
  console.log(
    `seed ${seed} (${faultKindsOf(schedule).join(" ") || "no faults"}${lost}): ${violation?.message ?? ""}`,
  );
}

function tracing(): Pick<Parameters<typeof runWorld>[0], "trace"> {
  if (!traced) return {};
  const names = new Map<string, string>();
  for (const role of ["control", "worker"])
    for (let index = 0; index < 9; index += 1)
      names.set(simulatedKeys(`${role}${index}`).peer, `${role}${index}`);
  return {
    trace: (observation) => {
      const line = narrate(observation, (id) => names.get(id) ?? id);
      if (line !== null && observation.kind !== "received") console.log(line);
    },
  };
}
