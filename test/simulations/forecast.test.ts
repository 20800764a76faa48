import { describe, expect, it } from "vitest";
import { formatDiagnostics } from "../../planner/diagnostics.ts";
import type { Plan } from "../../protocol/plan.ts";
import { ask, inSeconds, percent, scenariosOf, sentencesOf } from "../../simulations/answers.ts";
import { distributionOf, type Fate, fateOf } from "../../simulations/forecast.ts";
import {
  calmWorld,
  defaultMesh,
  type Mesh,
  meshWords,
  respread,
  stepsForNobody,
} from "../../simulations/mesh.ts";
import { readMesh } from "../../simulations/mesh-file.ts";
import { parseSchedule } from "../../simulations/read-schedule.ts";
import type { ScenarioName } from "../../simulations/scenarios.ts";
import { plannedStep } from "../node/view/example.ts";

/** Build, then deploy: who deploys is not replaced when it is lost. */
const plan: Plan = {
  otto: 1,
  pipeline: "webshop",
  origin: { kind: "file", path: "otto.yaml" },
  context: { branch: "main", tag: null, commit: null, trigger: "manual", parameters: {} },
  environments: { production: { domain: null, settings: {} } },
  steps: [
    plannedStep("build"),
    plannedStep("deploy", ["build"], {
      effect: true,
      environment: "production",
      retry: { attemptsMax: 1, on: [] },
    }),
  ],
};

function mesh(text: string): Mesh {
  const read = readMesh(
    new TextEncoder().encode(`otto-mesh: 1\n${text}`),
    "mesh.yaml",
    new Set(["build", "deploy"]),
  );
  if (!read.ok) throw new Error(formatDiagnostics(read.problem.diagnostics, read.problem.text));
  return read.value;
}

function mistakes(text: string): string {
  const read = readMesh(new TextEncoder().encode(text), "mesh.yaml", new Set(["build", "deploy"]));
  return read.ok ? "accepted" : formatDiagnostics(read.problem.diagnostics, read.problem.text);
}

const twoSites = mesh(`
lease: 2s
sites:
  a: { control: 2, workers: [{ count: 1 }] }
  b: { control: 1, workers: [{ count: 1 }] }
durations: { build: 6s, deploy: 3s }
`);

async function answers(on: Mesh, name: ScenarioName, seeds = 6) {
  const scenarios = scenariosOf(on, name);
  return await ask({ mesh: on, plan, scenarios, firstSeed: 1, seeds, cpuSecondsMax: 60 });
}

describe("a forecast", () => {
  it("has every run stall, or lose its deploy, when the site of the majority is lost, and none elsewhere", async () => {
    const [lossOfA, lossOfB] = await answers(twoSites, "site-loss");
    expect(lossOfA?.distribution).toMatchObject({ runs: 6, finished: 0, open: 0 });
    expect(lossOfB?.distribution.stalled).toBe(0);
    const [first, ...more] = sentencesOf(twoSites, await answers(twoSites, "site-loss", 1));
    expect(first).toMatch(/^With 3 control peers on 2 sites, losing site a (stalls|fails) 100 %/);
    expect(more).toEqual([]);
  });

  it("has no run stall when five control peers are on three sites", async () => {
    const other = respread(twoSites, 5, 3);
    expect(meshWords(other)).toBe("5 control peers on 3 sites");
    for (const { distribution } of await answers(other, "site-loss", 3)) expect(distribution.stalled).toBe(0);
  });

  it("does to a run what each scenario says", async () => {
    const of = async (name: ScenarioName) => (await answers(twoSites, name))[0];
    const revoked = await of("key-revoked");
    // Where the one that deployed is refused, its lease runs out; where it had not begun, the other one does it.
    expect(revoked?.distribution).toMatchObject({ runs: 6, stalled: 0, open: 0 });
    expect(revoked?.fates.every(({ schedule }) => schedule.lost.length === 1)).toBe(true);
    const slow = await of("slow-worker");
    expect(slow?.distribution.finished).toBe(6);
    const { tookMs, undisturbedMs } = slow?.distribution ?? {};
    expect(tookMs?.slowest ?? 0).toBeGreaterThan((undisturbedMs?.slowest ?? 0) * 1.5);
    const upgraded = await of("rolling-upgrade");
    expect(upgraded?.fates[0]?.schedule.faults.map(({ kind }) => kind).toSorted()).toEqual([
      "crash",
      "crash",
      "crash",
      "stop",
      "stop",
    ]);
    expect((await of("flaky-network"))?.distribution).toMatchObject({ runs: 6, stalled: 0, open: 0 });
  });

  it("keeps every promise in these worlds, and tells the same again", async () => {
    const [all] = await answers(twoSites, "rolling-upgrade", 2);
    expect(all?.fates.map(({ violation }) => violation)).toEqual([null, null]);
    const scenario = { name: "rolling-upgrade", site: null } as const;
    const again = await fateOf(twoSites, plan, 2, scenario, new Map());
    expect(again).toEqual(all?.fates[1]);
    expect(parseSchedule(JSON.parse(JSON.stringify(again.schedule)))).toMatchObject({ ok: true });
  });

  it("ends with its time, after the first seed", async () => {
    const scenarios = scenariosOf(twoSites, "slow-worker");
    const [only] = await ask({
      mesh: twoSites,
      plan,
      scenarios,
      firstSeed: 5,
      seeds: 1_000,
      cpuSecondsMax: 0,
    });
    expect(only?.fates.map(({ seed }) => seed)).toEqual([5]);
  });
});

describe("a mesh file", () => {
  it("says where the machines are, and what is known of the rest", () => {
    const { sites, leaseMs, latencyUs } = mesh("sites: { a: { control: 3, workers: 2 } }");
    expect(sites).toEqual([{ name: "a", controls: 3, workers: [{ count: 2, slots: 2, labels: [] }] }]);
    expect({ leaseMs, between: latencyUs.between }).toEqual({ leaseMs: 30_000, between: 10_000 });
    const links = mesh(
      "latency: { within: 0, between: 20, links: [{ between: [b, a], ms: 45 }] }\nsites: { a: { control: 1, workers: 1 }, b: { control: 2 } }",
    );
    const { schedule } = calmWorld(links, plan, 1);
    expect(schedule.links.map(({ between, delayUs }) => [between.join(), delayUs[0]])).toEqual([
      ["a-control0,a-worker0", 0],
      ["a-control0,b-control0", 45_000],
      ["a-control0,b-control1", 45_000],
      ["a-worker0,b-control0", 45_000],
      ["a-worker0,b-control1", 45_000],
      ["b-control0,b-control1", 0],
    ]);
  });

  it.each([
    ["otto-mesh: 2\nsites: { a: { control: 1, workers: 1 } }", "mesh.yaml:1:12", "write `otto-mesh: 1`"],
    ["otto-mesh: 1", "mesh.yaml:1:1", 'the key "sites" is missing'],
    ["otto-mesh: 1\nsite: { a: { control: 1 } }", "mesh.yaml:2:1", "did you mean `sites`?"],
    ["otto-mesh: 1\nsites: { a: { control: 10, workers: 1 } }", "mesh.yaml:2:24", "from 0 to 9"],
    ["otto-mesh: 1\nsites: { a: { control: 3 } }", "mesh.yaml:2:8", "these sites have 0"],
    ["otto-mesh: 1\nsites: { A: { control: 3, workers: 1 } }", "mesh.yaml:2:10", "small letters"],
    [
      "otto-mesh: 1\nsites: { a: { control: 1, workers: [{ slots: 0 }] } }",
      "mesh.yaml:2:46",
      "from 1 to 256",
    ],
    [
      "otto-mesh: 1\nlease: 30\nsites: { a: { control: 1, workers: 1 } }",
      "mesh.yaml:2:8",
      "write `30s` for seconds",
    ],
    [
      "otto-mesh: 1\nsites: { a: { control: 1, workers: 1 } }\ndurations: { biuld: 3m }",
      "mesh.yaml:3:14",
      "did you mean `build`?",
    ],
    [
      "otto-mesh: 1\nsites: { a: { control: 1, workers: 1 } }\nlatency: { links: [{ between: [a, c], ms: 3 }] }",
      "mesh.yaml:3:35",
      "no site called",
    ],
    ["", "mesh.yaml:1:1", "the file is empty"],
  ])("is told its mistakes: %s", (text, place, words) => {
    const told = mistakes(text);
    expect(told).toContain(place);
    expect(told).toContain(words);
  });

  it("is told of steps that none of its workers may do", () => {
    const gpu = { ...plan, steps: [plannedStep("build", [], { labels: ["gpu", "cores>=4"] })] };
    expect(stepsForNobody(twoSites, gpu)).toEqual([{ step: "build", labels: ["gpu", "cores>=4"] }]);
    const made = defaultMesh(gpu, { controls: [{ site: "a", count: 1 }], leaseMs: 1_000 });
    expect(stepsForNobody(made, gpu)).toEqual([]);
  });
});

/** What is said of so many runs that finish, each undisturbed in 10 s and disturbed a minute later than the one before. */
function saidOf(runs: number): string | undefined {
  const schedule = calmWorld(twoSites, plan, 1).schedule;
  const fates = Array.from({ length: runs }, (_, run): Fate => {
    const times = { tookMs: 70_000 + run * 60_000, undisturbedMs: 10_000 };
    return { seed: run + 1, end: "finished", ...times, lostSteps: 0, violation: null, schedule };
  });
  const scenario = { name: "slow-worker", site: null } as const;
  const [said] = sentencesOf(twoSites, [{ scenario, fates, distribution: distributionOf(fates) }]);
  return said?.replace(/^.*\): /u, "");
}

describe("words", () => {
  it("speak of one run in twenty only where there are twenty, else of the slowest", () => {
    expect([1, 2, 19, 20].map(saidOf)).toEqual([
      "the run finishes, 1 min later.",
      "all 2 runs finish, the slowest 2 min later.",
      "all 19 runs finish, the slowest 19 min later.",
      "all 20 runs finish, one in twenty 19 min later or more.",
    ]);
  });

  it("say parts of a whole so that neither none nor all is said of some", () => {
    expect([
      percent(0, 300),
      percent(1, 300),
      percent(299, 300),
      percent(300, 300),
      percent(41, 100),
    ]).toEqual(["0 %", "1 %", "99 %", "100 %", "41 %"]);
  });

  it("say times as people do", () => {
    expect([0, 59_400, 60_000, 185_000, 7_440_000].map(inSeconds)).toEqual([
      "0 s",
      "59 s",
      "1 min",
      "3 min 5 s",
      "2 h 4 min",
    ]);
  });
});
