/**
 * How fast worlds are on the reference workload (`simulations/reference.ts`), and what an event costs in larger
 * meshes. Times are those of this thread: what the compiler and the collector do beside it is not in them.
 */

import { allCheckers } from "../../simulations/checkers/all.ts";
import { referenceSchedule } from "../../simulations/reference.ts";
import { runWorld } from "../../simulations/world.ts";
import { median, type Row } from "./measure.ts";

const rounds = 5;
/** Before them: for the compiler, which a soak, too, has behind it after a few worlds of its thousands. */
const roundsToWarmUp = 6;
const controls = 5;
const seconds = 60;
/**
 * Peers in all. How long a world lasts falls as they get more, and each has as many runs: as many events, and as many of each
 * kind. A step costs more than a heartbeat, among however many.
 */
const sizes = [10, 50, 100, 200] as const;
const peerSeconds = 1_500;
const runsInAll = 40;

type Profile = { readonly checked: boolean; readonly signed: boolean; readonly runs?: number };

const profiles = {
  "ten steps in all, with its checkers": { checked: true, signed: false, runs: 1 },
  "with its checkers": { checked: true, signed: false },
  "without checkers": { checked: false, signed: false },
  "real signatures": { checked: true, signed: true },
} as const satisfies Record<string, Profile>;

type Measured = {
  readonly messages: number;
  readonly nodeHours: number;
  /** Of processor time, for one event. */
  readonly eventUs: number;
};

export async function benchSimulator(): Promise<Row[]> {
  const measured = new Map<string, Measured[]>();
  for (let round = 0; round < roundsToWarmUp + rounds; round += 1) {
    for (const [name, profile] of Object.entries(profiles))
      keep(measured, name, round, await measure({ workers: 8, seconds, seeds: 4, round }, profile));
    for (const size of sizes) {
      const workers = size - controls;
      // Without checkers: how often one peer may say a thing to another is bounded for small meshes.
      const shape = { workers, seconds: Math.ceil(peerSeconds / size), seeds: 1, round };
      const profile = { checked: false, signed: false, runs: runsInAll };
      keep(measured, String(size), round, await measure(shape, profile));
    }
  }
  const of = (name: string, figure: keyof Measured): number =>
    median((measured.get(name) ?? []).map((one) => one[figure]));
  return [
    ...Object.keys(profiles).flatMap((name): Row[] => [
      {
        name: `reference, ${name}`,
        value: of(name, "messages"),
        unit: "messages/s",
        ...(name.endsWith("with its checkers") ? { target: { least: 300_000 } } : {}),
      },
      {
        name: `reference, ${name}`,
        value: of(name, "nodeHours"),
        unit: "node-hours/s",
        ...(name.endsWith("with its checkers") ? { target: { least: 5 } } : {}),
      },
    ]),
    ...sizes.map((size): Row => {
      const value = of(String(size), "eventUs");
      const row = { name: `an event among ${size} peers`, value, unit: "us" };
      if (size === 10) return row;
      return {
        ...row,
        ratio: { value: value / of("10", "eventUs"), of: "among 10" },
        target: { most: 1.3 },
      };
    }),
  ];
}

function keep(measured: Map<string, Measured[]>, name: string, round: number, one: Measured): void {
  if (round >= roundsToWarmUp) measured.set(name, [...(measured.get(name) ?? []), one]);
}

async function measure(
  {
    workers,
    seconds: lasting,
    seeds,
    round,
  }: { readonly workers: number; readonly seconds: number; readonly seeds: number; readonly round: number },
  { checked, signed, ...load }: Profile,
): Promise<Measured> {
  let [messages, peerUs, events] = [0, 0, 0];
  const before = process.threadCpuUsage();
  for (let seed = round * seeds; seed < (round + 1) * seeds; seed += 1) {
    const schedule = referenceSchedule({ seed, controls, workers, seconds: lasting, ...load });
    const checkers = checked ? allCheckers() : [];
    const result = await runWorld({ schedule, checkers, signed, encoded: false });
    if (result.violation !== null) throw new Error(`seed ${seed}: ${result.violation.message}`);
    messages += result.messages;
    peerUs += result.virtualUs * result.peers;
    events += result.happened;
  }
  const { user, system } = process.threadCpuUsage(before);
  const cpuUs = user + system;
  return {
    messages: (messages / cpuUs) * 1_000_000,
    nodeHours: peerUs / 3_600 / cpuUs,
    eventUs: cpuUs / events,
  };
}
