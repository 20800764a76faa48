/** What a home's decisions cost as the queue and the fleet grow, and how many messages a step takes. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { messagesIn } from "../../simulations/quiet-mesh.ts";
import { Fleet } from "../node/core/fleet.ts";
import { median, type Row } from "./measure.ts";

const queued = [1_000, 10_000, 100_000] as const;
const fleets = [8, 50, 500] as const;
const batches = 9;
const pullsPerBatch = 40;

/** Time of one pull with its grant, its result and its acceptance, every message and record made; and the heap of a step. */
export function benchBounds(): Promise<Row[]> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const rows: Row[] = [];
  let first: number | null = null;
  for (const steps of queued)
    for (const workers of fleets) {
      collect();
      const before = process.memoryUsage().heapUsed;
      const fleet = new Fleet({ steps, workers });
      collect();
      const heap = process.memoryUsage().heapUsed - before;
      const times: number[] = [];
      for (let batch = 0; batch < batches; batch += 1) {
        const start = performance.now();
        for (let count = 0; count < pullsPerBatch; count += 1) fleet.cycle();
        times.push(((performance.now() - start) / pullsPerBatch) * 1_000);
      }
      // The first batch warms up.
      const value = median(times.slice(1));
      first ??= value;
      const ratio = { ratio: { value: value / first, of: "the least" }, target: { most: 2 } };
      rows.push({
        name: `a pull, ${steps.toLocaleString("en")} steps queued, ${workers} workers`,
        value,
        unit: "us",
        ...ratio,
      });
      if (workers === fleets[0])
        rows.push({
          name: `heap of a queued step, ${steps.toLocaleString("en")}`,
          value: heap / steps,
          unit: "bytes",
        });
    }
  return Promise.resolve(rows);
}

/** In a simulated mesh with three control peers, everything counted that travels between two peers. */
export async function benchMessages(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [workers, runs, stepsPerRun, stepMsMax] of [
    [8, 2, 300, 30],
    [50, 2, 500, 30],
    [200, 2, 1_000, 30],
    [8, 2, 100, 1_000],
    [50, 2, 300, 1_000],
    [200, 2, 600, 1_000],
  ] as const) {
    const messages = await messagesIn({ workers, slots: 2, runs, stepsPerRun, stepMsMax });
    let total = 0;
    for (const count of messages.values()) total += count;
    rows.push({
      name: `messages per step of up to ${stepMsMax} ms, ${workers} workers`,
      value: total / (runs * stepsPerRun),
      unit: "messages",
      target: { most: 12 },
    });
  }
  return rows;
}
