/**
 * Claims a second through three control processes with synced storage, beside three members of etcd with the same
 * number of clients and the same batch, and how long one takes. A claim here is more than a put: a fenced lease, and a
 * signed event of it that all three keep. Without etcd on this machine the known figures of such a machine stand beside
 * it. The bare path is what a claim's messages and writes alone cost (`bare-path.ts`). `gap`: the longest time without a claim when a control peer is killed, beside etcd's when its leader is.
 */

import { BarePath } from "./bare-path.ts";
import { Controls } from "./controls.ts";
import { Etcd, findEtcd } from "./etcd.ts";
import { Bed, inRounds, median, type Measurement, type Row } from "./measure.ts";

const rounds = 5;
/** Before them: a process that runs for months has been compiled. */
const roundsToWarmUp = 1;
const kills = 3;
const gapClients = 16;
const bareCount = 1_000;

/**
 * `known` is etcd 3.4's best on such a machine with so many clients; `least` is wanted of Otto as a multiple of etcd's.
 */
const shapes = [
  { name: "1 x 1", clients: 1, batch: 1, count: 1_000, known: null, least: 1 },
  { name: "16 x 1", clients: 16, batch: 1, count: 2_000, known: 1_280, least: 1 },
  { name: "256 x 1", clients: 256, batch: 1, count: 6_000, known: 2_650, least: 2 },
  { name: "64 x 50", clients: 64, batch: 50, count: 16_000, known: 11_200, least: 2.5 },
] as const;

export async function benchClaims(): Promise<Row[]> {
  await using bed = new Bed();
  const mesh = await Controls.start(bed);
  const program = findEtcd();
  const etcd = program === null ? null : await Etcd.start(bed.folder, program);
  const bare = await BarePath.start();
  try {
    const measured = new Map<string, Measurement[]>();
    // Turn by turn, so that a noisy minute touches both.
    for (let round = 0; round < roundsToWarmUp + rounds; round += 1) {
      const keep = async (name: string, measuring: Promise<Measurement>): Promise<void> => {
        const one = await measuring;
        if (round >= roundsToWarmUp) measured.set(name, [...(measured.get(name) ?? []), one]);
      };
      for (const shape of shapes) {
        await keep(`otto ${shape.name}`, mesh.measure(shape, shape.count));
        if (etcd !== null) await keep(`etcd ${shape.name}`, etcd.measure(shape, shape.count));
      }
      await keep("bare", bare.measure(bareCount));
    }
    const of = (name: string, field: keyof Measurement): number =>
      median((measured.get(name) ?? []).map((one) => one[field]));
    const bareRows = (["perSecond", "p50Ms", "p99Ms"] as const).map((field): Row => {
      const percent = field === "perSecond" ? "" : `, ${field.slice(0, -2)}`;
      const row = { name: `bare path, 1 x 1${percent}`, value: of("bare", field) };
      const unit = field === "perSecond" ? "a second" : "ms";
      return etcd === null
        ? { ...row, unit }
        : { ...row, unit, ratio: { value: row.value / of("etcd 1 x 1", field), of: "etcd" } };
    });
    return [...bareRows, ...shapes.flatMap((shape) => rowsOf(shape, program?.version ?? null, of))];
  } finally {
    await bare.stop();
    await etcd?.stop();
    await mesh.stop();
  }
}

function rowsOf(
  { name, known, least }: (typeof shapes)[number],
  version: string | null,
  of: (name: string, field: keyof Measurement) => number,
): Row[] {
  const value = of(`otto ${name}`, "perSecond");
  const other = version === null ? known : of(`etcd ${name}`, "perSecond");
  const otto = `otto, ${name} claims outstanding`;
  if (other === null) return [{ name: otto, value, unit: "a second" }];
  const rate = {
    name: otto,
    value,
    unit: "a second",
    ratio: { value: value / other, of: "etcd" },
    target: { least },
  };
  const otherName = version === null ? "etcd, as known" : `etcd ${version}`;
  const rows: Row[] = [{ name: `${otherName}, ${name}`, value: other, unit: "a second" }, rate];
  if (version === null) return rows;
  for (const [field, percent] of [
    ["p50Ms", "p50"],
    ["p99Ms", "p99"],
  ] as const) {
    const own = of(`otto ${name}`, field);
    const its = of(`etcd ${name}`, field);
    const row = { name: `otto, ${name}, ${percent}`, value: own, unit: "ms" };
    rows.push({ name: `${otherName}, ${name}, ${percent}`, value: its, unit: "ms" });
    const wanted = percent === "p99" ? { target: { most: 1 } } : {};
    rows.push({ ...row, ratio: { value: own / its, of: "etcd" }, ...wanted });
  }
  return rows;
}

export async function benchGap(): Promise<Row[]> {
  await using bed = new Bed();
  const mesh = await Controls.start(bed);
  const program = findEtcd();
  const etcd = program === null ? null : await Etcd.start(bed.folder, program);
  try {
    const gap = await inRounds(kills, {
      "otto home": () => mesh.gapAfterKill("home", gapClients),
      "otto other": () => mesh.gapAfterKill("other", gapClients),
      ...(etcd === null
        ? {}
        : {
            "etcd leader": () => etcd.gapAfterKill("leader", gapClients),
            "etcd follower": () => etcd.gapAfterKill("follower", gapClients),
          }),
    });
    const own: Row = { name: "otto, home killed, longest gap", value: gap("otto home"), unit: "ms" };
    const other: Row = {
      name: "otto, other control peer killed, longest gap",
      value: gap("otto other"),
      unit: "ms",
      target: { most: 100 },
    };
    if (program === null) return [own, other];
    const its = gap("etcd leader");
    const name = `etcd ${program.version}`;
    return [
      { name: `${name}, leader killed, longest gap`, value: its, unit: "ms" },
      { ...own, ratio: { value: own.value / its, of: "etcd" }, target: { most: 0.5 } },
      { name: `${name}, follower killed, longest gap`, value: gap("etcd follower"), unit: "ms" },
      other,
    ];
  } finally {
    await etcd?.stop();
    await mesh.stop();
  }
}
