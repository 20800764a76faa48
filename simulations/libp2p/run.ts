/**
 * Worlds of real libp2p in virtual time, one after the other, in a process of their own.
 *
 *   node simulations/libp2p/run.ts [first seed] [how many]      one line of JSON each
 *   node simulations/libp2p/run.ts 7 trace                      one of them, line by line
 *   node simulations/libp2p/run.ts starved otto|library         a worker that gets no CPU for 17 s
 *   node simulations/libp2p/run.ts planted NAME                 worlds with a mistake, until it is seen
 *
 * Exit codes: 0 every promise held, or the mistake was seen as what it is; 1 not so.
 */

import { adapterPlantings, plantInAdapter } from "./plantings.ts";

const [first = "1", second = "1"] = process.argv.slice(2);
const planting = first === "planted" ? adapterPlantings.find(({ name }) => name === second) : undefined;
if (first === "planted" && planting === undefined) throw new Error(`There is no planting "${second}".`);
if (planting !== undefined) plantInAdapter(planting);
const { runLibp2pWorld } = await import("./world.ts");

type Options = Parameters<typeof runLibp2pWorld>[0];

async function run(options: Options): Promise<string | null> {
  const before = process.cpuUsage();
  const result = await runLibp2pWorld(options);
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(`${JSON.stringify({ ...result, cpuMs: Math.round((user + system) / 1_000) })}\n`);
  return result.violation;
}

if (planting !== undefined) {
  const { firstSeed, seedsMax, seenAs } = planting;
  process.exitCode = 1;
  for (let seed = firstSeed; seed < firstSeed + seedsMax && process.exitCode === 1; seed += 1)
    if (seenAs.test((await run({ seed })) ?? "")) process.exitCode = 0;
} else if (first === "starved") {
  const settings = second === "library" ? "library" : "otto";
  if ((await run({ seed: 1, starved: { forUs: 17_000_000, settings } })) !== null) process.exitCode = 1;
} else {
  const isTraced = second === "trace";
  const trace = isTraced ? { trace: (line: string) => process.stdout.write(`${line}\n`) } : {};
  for (let seed = Number(first); seed < Number(first) + (isTraced ? 1 : Number(second)); seed += 1)
    if ((await run({ seed, ...trace })) !== null) process.exitCode = 1;
}
