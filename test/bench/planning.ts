/**
 * Planning and explaining: how long it takes, how that grows, what memory it takes, and the same beside what people use
 * to see a plan.
 *
 * The functions are measured in processes of their own, from a bundle as people run one: cold from the first import to
 * the end, and warm. Commands are measured as a person types them.
 */

import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "rolldown";
import {
  Bed,
  inRounds,
  median,
  ottoProgram,
  projectFolder,
  type Row,
  runForTimes,
  runToEnd,
} from "./measure.ts";
import { mixedRepository, treeRepository } from "./pipelines.ts";
import type { PlannedOften } from "./plan-once.ts";
import { installPlanners, makefile, quiet, workspaces } from "./workspaces.ts";

const coldRounds = 9;
const warmTimes = 11;
const commandRounds = 5;
const MiB = 1024 * 1024;
/** What the issue asks for, milliseconds. */
const sizes = [
  { steps: 1_000, most: 100 },
  { steps: 10_000, most: 1_000 },
] as const;
const memoryMost = 300;
const targets = 10_000;

export async function benchPlanning(): Promise<Row[]> {
  await using bed = new Bed();
  return [...(await planningRows(bed)), ...(await besideRows(bed))];
}

async function planningRows(bed: Bed): Promise<Row[]> {
  const program = join(bed.folder, "planner");
  await build({
    input: { "plan-once": join(projectFolder, "test", "bench", "plan-once.ts") },
    platform: "node",
    logLevel: "silent",
    output: { dir: program, format: "esm" },
  });
  const env = { ...bed.environment, NODE_COMPILE_CACHE: join(bed.folder, "code") };
  const plan = async (folder: string, times: number): Promise<PlannedOften> => {
    const words = [join(program, "plan-once.js"), join(folder, "otto.yaml"), String(times)] as const;
    const { output } = await runToEnd([...forked, process.execPath, ...words], { env });
    return JSON.parse(output) as PlannedOften;
  };
  const rows: Row[] = [];
  const perStep: { cold: number; warm: number }[] = [];
  for (const { steps, most } of sizes) {
    const folder = await mixedRepository(bed.folder, steps);
    const name = `${steps.toLocaleString("en")} steps`;
    const times = async (): Promise<number> => (await bed.otto(folder, "explain")).tookMs;
    // What is compiled once per installation is compiled before anything is timed.
    const { steps: planned } = await plan(folder, 1);
    if (planned !== steps) throw new Error(`${planned} steps were planned, not ${steps}`);
    await times();
    const colds: PlannedOften[] = [];
    const command = await inRounds(coldRounds, {
      explain: times,
      user: async () =>
        (await runForTimes([ottoProgram, "explain"], { cwd: folder, env: bed.environment })).userMs,
      cold: async () => {
        colds.push(await plan(folder, 1));
        return 0;
      },
    });
    // The first times are not warm yet.
    const warm = (await plan(folder, warmTimes + 2)).times.slice(2);
    const of = (from: typeof warm, part: keyof (typeof warm)[number]): number =>
      median(from.map((one) => one[part]));
    const firsts = colds.flatMap((cold) => cold.times);
    perStep.push({ cold: of(firsts, "all") / steps, warm: of(warm, "all") / steps });
    rows.push(
      { name: `${name}, new process`, value: of(firsts, "all"), unit: "ms", target: { most } },
      { name: `${name}, warm`, value: of(warm, "all"), unit: "ms", target: { most } },
      ...(Object.keys(partNames) as (keyof typeof partNames)[]).map((part) => ({
        name: `  ${partNames[part]}`,
        value: of(firsts, part),
        unit: "ms",
        ...(part === "loading" ? {} : { ratio: { value: of(firsts, part) / of(warm, part), of: "warm" } }),
      })),
      {
        name: "  user time, its start included",
        value: median(colds.map(({ userMs }) => userMs)),
        unit: "ms",
      },
      { name: "  otto explain, as typed", value: command("explain"), unit: "ms" },
      { name: "  otto explain, user time", value: command("user"), unit: "ms" },
      {
        name: `${name}, peak RSS of a new process`,
        value: median(colds.map(({ peakBytes }) => peakBytes)) / MiB,
        unit: "MB",
        target: { most: memoryMost },
      },
      {
        name: `${name}, peak RSS of otto explain`,
        value: (await peakBytes(bed, folder)) / MiB,
        unit: "MB",
        target: { most: memoryMost },
      },
    );
  }
  return [...rows, ...growthRows(perStep)];
}

/** By way of a shell: a child of this process would count this one's memory as its own peak, from before it began. */
const forked = ["/bin/sh", "-c", '"$@"; exit $?', "sh"] as const;

const partNames = {
  computing: "computing, the machine's load aside",
  loading: "loading the planner",
  plan: "file to plan",
  encoding: "of it, encoding",
  hashing: "of it, hashing",
  text: "plan to text",
  json: "instead, to JSON",
} as const;

/** n log n makes a step of a plan ten times as large dearer by the ratio of the logarithms, and no more. */
function growthRows([small, large]: readonly { readonly cold: number; readonly warm: number }[]): Row[] {
  if (small === undefined || large === undefined) return [];
  const most = Number((Math.log(sizes[1].steps) / Math.log(sizes[0].steps)).toFixed(2));
  return (["cold", "warm"] as const).map((when) => ({
    name: `cost of a step, ${when}: 10,000 over 1,000`,
    value: large[when] / small[when],
    unit: "",
    target: { most },
  }));
}

/** The process says at its end how much memory it had at most. */
async function peakBytes(bed: Bed, folder: string): Promise<number> {
  const said = `process.once("exit",()=>process.stderr.write("peak="+process.resourceUsage().maxRSS+";"))`;
  const env = {
    ...bed.environment,
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(said)}`,
  };
  const script = `"$0" explain 2>&1 > /dev/null; exit $?`;
  const { output } = await runToEnd(["/bin/sh", "-c", script, ottoProgram], { cwd: folder, env });
  return Number(/peak=(\d+);/u.exec(output)?.[1]) * 1_024;
}

type Told = {
  readonly name: string;
  readonly words: readonly [string, ...string[]];
  readonly cwd: string;
} & {
  /** Before each time, outside of what is timed. */
  readonly before?: () => void;
  /** As ratios call it. */
  readonly short: string;
  /** How many parts its answer names: all of them, or the comparison means nothing. */
  readonly count: (output: string) => number;
};

async function besideRows(bed: Bed): Promise<Row[]> {
  const installed = await installPlanners(bed.folder);
  if (typeof installed === "string") {
    console.log(`turbo and nx cannot be had from npm, and are left out: ${installed.split("\n", 1)[0]}`);
  }
  const rows: Row[] = [];
  for (const parts of [100, 1_000]) {
    if (typeof installed === "string") break;
    const others = await workspaceCommands(bed, installed.programs, parts);
    rows.push(...(await sideBySide(bed, parts, others)));
  }
  const make = await makeCommand(bed);
  if (make === null) console.log("make cannot be had, and is left out");
  return make === null ? rows : [...rows, ...(await sideBySide(bed, targets, [make]))];
}

async function workspaceCommands(bed: Bed, programs: string, parts: number): Promise<readonly Told[]> {
  const cwd = await workspaces(bed.folder, parts, programs);
  const file = join(bed.folder, `nx-${parts}.json`);
  const nx = {
    words: [join(cwd, "node_modules", ".bin", "nx"), "graph", `--file=${file}`] as const,
    cwd,
    count: () =>
      Object.keys((JSON.parse(readFileSync(file, "utf8")) as { graph: { nodes: object } }).graph.nodes)
        .length,
  };
  return [
    {
      name: "turbo run build --dry-run=json",
      short: "turbo",
      words: [join(cwd, "node_modules", ".bin", "turbo"), "run", "build", "--dry-run=json"],
      cwd,
      count: (output) => (JSON.parse(output) as { tasks: readonly unknown[] }).tasks.length,
    },
    {
      ...nx,
      name: "nx graph --file, nothing kept",
      short: "nx",
      before: () => rmSync(join(cwd, ".nx"), { recursive: true, force: true }),
    },
    { ...nx, name: "nx graph --file, its graph kept", short: "nx, kept" },
  ];
}

async function makeCommand(bed: Bed): Promise<Told | null> {
  try {
    await runToEnd(["make", "--version"]);
  } catch {
    return null;
  }
  const count = (output: string): number => output.match(/^echo part-/gmu)?.length ?? 0;
  return {
    name: "make -n",
    short: "make -n",
    words: ["make", "-n"],
    cwd: makefile(bed.folder, targets),
    count,
  };
}

/** Otto's explanations of a graph and other programs' of the same one, in turns. */
async function sideBySide(bed: Bed, parts: number, others: readonly Told[]): Promise<Row[]> {
  const cwd = await treeRepository(bed.folder, parts);
  const all: readonly Told[] = [
    {
      name: "otto explain",
      short: "otto",
      words: [ottoProgram, "explain"],
      cwd,
      count: (text) => text.match(/^part-/gmu)?.length ?? 0,
    },
    {
      name: "otto explain --json",
      short: "otto",
      words: [ottoProgram, "explain", "--json"],
      cwd,
      count: (output) => (JSON.parse(output) as { plan: { steps: readonly unknown[] } }).plan.steps.length,
    },
    ...others,
  ];
  const env = { ...bed.environment, ...quiet };
  const things: Record<string, () => Promise<number>> = {};
  const users = new Map<string, number[]>();
  for (const { name, words, cwd, before, count } of all) {
    const { output } = await runToEnd(words, { cwd, env });
    if (count(output) !== parts) throw new Error(`${name} shows ${count(output)} parts of ${parts}`);
    users.set(name, []);
    things[name] = async () => {
      before?.();
      const { tookMs, userMs } = await runForTimes(words, { cwd, env });
      users.get(name)?.push(userMs);
      return tookMs;
    };
  }
  const took = await inRounds(commandRounds, things);
  const label = parts.toLocaleString("en");
  const user = (name: string): Row => ({
    name: `${label}:   user time`,
    value: median(users.get(name) ?? []),
    unit: "ms",
  });
  const yardsticks = others.flatMap(({ name }) => [
    { name: `${label}: ${name}`, value: took(name), unit: "ms" },
    user(name),
  ]);
  const own = all.filter(({ name }) => name.startsWith("otto"));
  const ratios = own.flatMap(({ name }) => [
    ...others.map((other) => ({
      name: `${label}: ${name}`,
      value: took(name),
      unit: "ms",
      ratio: { value: took(name) / took(other.name), of: other.short },
    })),
    user(name),
  ]);
  return [...yardsticks, ...ratios];
}
