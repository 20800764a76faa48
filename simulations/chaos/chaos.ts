/**
 * Real processes on this machine while links and processes fail: real libp2p, real disks, real steps.
 *
 *   node simulations/chaos/chaos.ts [--seed N] [--seconds 60] [--minutes M] [--calm] [--every 300] [--controls 3]
 *     [--workers 3] [--keep]
 *
 * Each round lasts `--seconds` plus what it takes to end; a run is submitted every so many ms.
 * `--minutes` goes on in rounds of `--seconds` with the same processes; `--calm` leaves the faults out, to see what
 * grows. Linux only: it reads /proc. Exit codes: 0 every promise held, 1 one was broken, 2 the machine was too busy to
 * tell, 3 the run itself could not be made. What failed leaves its folder with all logs, and says so.
 */

import { randomInt } from "node:crypto";
import { wordsOf } from "../command-words.ts";
import type { Broken } from "./checks.ts";
import { Growth } from "./growth.ts";
import { ChaosRun, type Round } from "./run.ts";

/** A machine that keeps a process waiting for longer than a lease's grace cannot show that steps do not overlap. */
const heldUpMsMax = 900;
/** Kept by time: what a machine that is too busy may break. */
const timed: ReadonlySet<string> = new Set(["overlap", "progress"]);

const usage =
  "Usage: chaos.ts [--seed N] [--seconds 60] [--minutes M] [--calm] [--every 300] [--controls 3] [--workers 3] [--keep].";
const { values } = wordsOf(usage, {
  options: {
    seed: { type: "string" },
    seconds: { type: "string", default: "60" },
    minutes: { type: "string" },
    calm: { type: "boolean", default: false },
    controls: { type: "string", default: "3" },
    workers: { type: "string", default: "3" },
    every: { type: "string", default: "300" },
    keep: { type: "boolean", default: false },
  },
});

const seed = Number(values.seed ?? randomInt(2 ** 31));
const seconds = Number(values.seconds);
const rounds =
  values.minutes === undefined ? 1 : Math.max(1, Math.round((Number(values.minutes) * 60) / seconds));
const say = (line: string): void => console.log(line);

// Ends what was started, by way of the listeners for "exit".
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130));

// Not by leaving the event loop: a socket that was to be reset while its last bytes could not be written keeps its handle
// for ever, and Node, in tidying up, waits for that handle at the cost of a whole core.
process.exit(await main());

async function main(): Promise<number> {
  const mostMs = ChaosRun.msMax(seconds, rounds);
  say(
    `chaos seed ${seed}: ${rounds} x ${seconds} s, ${values.controls} control peers, ${values.workers} workers`,
  );
  let run: ChaosRun | null = null;
  try {
    const { calm } = values;
    setTimeout(() => giveUp(run, mostMs), mostMs).unref();
    const size = { controls: Number(values.controls), workers: Number(values.workers) };
    run = await ChaosRun.start({ seed, seconds, calm, everyMs: Number(values.every), ...size, say });
    return await goOn(run);
  } catch (error) {
    say(
      `The run could not be made: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    if (run !== null) await run.end({ keep: true });
    if (run !== null) say(`Look at ${run.folder}.`);
    return 3;
  }
}

/** What waits without an end is a failure, too: tells what each process was doing, and ends them. */
function giveUp(run: ChaosRun | null, afterMs: number): never {
  say(`✗ progress: after ${afterMs / 1_000} s it was still not over`);
  for (const line of run?.state ?? ["The mesh was not founded."]) say(line);
  say(`chaos seed ${seed}: failed`);
  process.exit(1);
}

async function goOn(run: ChaosRun): Promise<number> {
  const growth = new Growth();
  const broken: Broken[] = [];
  let heldUpMs = 0;
  for (let number = 0; number < rounds && broken.length === 0; number += 1) {
    const round = await run.round();
    say(figures(round));
    growth.add(round.memory);
    if (rounds > 1) say(growth.lines().join("\n"));
    broken.push(...round.broken);
    heldUpMs = Math.max(heldUpMs, round.heldUpMs);
  }
  broken.push(...(await run.end({ keep: values.keep || broken.length > 0 })));
  for (const { checker, what } of broken.slice(0, 20)) say(`✗ ${checker}: ${what}`);
  if (broken.length > 20) say(`  and ${broken.length - 20} more`);
  if (broken.length > 0 || values.keep) say(`All of it is in ${run.folder}.`);
  const isUnknown = heldUpMs > heldUpMsMax && broken.every(({ checker }) => timed.has(checker));
  const verdict = broken.length === 0 ? "passed" : isUnknown ? "unknown: the machine was too busy" : "failed";
  say(`chaos seed ${seed}: ${verdict}`);
  if (broken.length > 0) say(`Again: node simulations/chaos/chaos.ts --seed ${seed} --seconds ${seconds}`);
  return broken.length === 0 ? 0 : isUnknown ? 2 : 1;
}

function figures(round: Round): string {
  const { submitted, acknowledged, claims, longestGapMs, excusedOverlaps, healMs, connections, bytes } =
    round;
  return [
    `${acknowledged} of ${submitted} submissions taken, ${claims} claims, longest gap ${(longestGapMs / 1_000).toFixed(1)} s,`,
    `all ended ${(healMs / 1_000).toFixed(1)} s after the faults; ${connections} connections and`,
    `${(bytes / 1e6).toFixed(1)} MB through the proxies; ${excusedOverlaps} overlaps of a machine that was suspended;`,
    `held up by the machine for ${Math.round(round.heldUpMs)} ms`,
  ].join(" ");
}
