/**
 * `otto simulate`: what faults would do to this folder's pipeline on a mesh, answered by many runs in virtual time. The
 * only command that reaches the simulator, which is loaded with it and with nothing else.
 */

import { basename, join } from "node:path";
import { DataFolder, ottoHome } from "../../node/edge/data-folder.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { type Charter, openCharter } from "../../protocol/membership.ts";
import type { Plan } from "../../protocol/plan.ts";
import { teamIn } from "../../planner/policy/people.ts";
import { notSupported, unsupportedIn } from "../../protocol/unsupported.ts";
import {
  type Answer,
  ask,
  type Asked,
  inSeconds,
  lossSentence,
  percent,
  scenariosOf,
  sentencesOf,
} from "../../simulations/answers.ts";
import type { Fate } from "../../simulations/forecast.ts";
import { readKept } from "../../simulations/kept.ts";
import { readMesh } from "../../simulations/mesh-file.ts";
import {
  controlsOf,
  defaultMesh,
  type Mesh,
  meshDefaults,
  meshWords,
  respread,
  stepsForNobody,
} from "../../simulations/mesh.ts";
import { reportOf } from "../../simulations/report.ts";
import { type ScenarioName, scenarioNames } from "../../simulations/scenarios.ts";
import { loadPlan, type LoadOptions, PipelineError } from "../load-plan.ts";
import { person } from "../person.ts";
import { paint } from "../render/line.ts";
import { wantsColor } from "../render/renderer.ts";
import { tableLines } from "../render/table.ts";
import { readNamed, writeNamed } from "../named-files.ts";
import { shellWord } from "../words.ts";

export type SimulateOptions = Omit<LoadOptions, "file"> & {
  readonly pipeline?: string;
  readonly mesh?: string;
  readonly scenario?: string;
  /** `CONTROLSxSITES` as typed. */
  readonly compare?: string;
  readonly seeds: string;
  readonly seed?: string;
  readonly seconds: string;
  readonly json?: boolean;
  readonly replay?: string;
  /** A file for the page of one run: the one replayed, or the one that the faults harmed most. */
  readonly report?: string;
};

/** What is asked again of another mesh may take as long as the first. */
const controlsMax = 9;

export async function simulate(options: SimulateOptions): Promise<ExitCode> {
  if (options.replay !== undefined) return await replay(options.replay, options);
  const scenario = scenarioNamed(options.scenario);
  const { pipeline: file, ...rest } = options;
  const { plan } = await loadPlan({ ...rest, ...(file === undefined ? {} : { file }) });
  const [unsupported] = unsupportedIn(plan, null);
  if (unsupported !== undefined) throw notSupported(`${unsupported.step}: ${unsupported.why}`);
  const team = plan.steps.find(
    ({ included, action }) =>
      included && action?.kind === "approve" && action.by.some((named) => teamIn(named) !== null),
  );
  if (team !== undefined)
    throw notSupported(
      `${team.name}: a team is to approve it, and a simulated domain has no policy that says who is in it`,
    );
  const { mesh, from } = await meshFor(plan, options.mesh);
  checkWorkers(mesh, plan);
  const compared = options.compare === undefined ? null : comparedMesh(mesh, options.compare);
  const one = options.seed === undefined ? null : count(options.seed, "--seed", Number.MAX_SAFE_INTEGER);
  const asked: Asked = {
    mesh,
    plan,
    scenarios: scenariosOf(mesh, scenario),
    firstSeed: one ?? 1,
    seeds: one === null ? count(options.seeds, "--seeds", 100_000) : 1,
    cpuSecondsMax: count(options.seconds, "--seconds", 1_000_000),
  };
  const answers = await ask(asked);
  const other = compared ?? (options.json === true ? null : stronger(mesh, answers));
  const again =
    other === null ? null : await ask({ ...asked, mesh: other, scenarios: scenariosOf(other, "site-loss") });
  const broken = [...answers, ...(again ?? [])].flatMap(({ fates }) =>
    fates.filter(({ violation }) => violation !== null),
  );
  if (options.json === true)
    process.stdout.write(`${JSON.stringify(asJson(asked, answers, other, again), null, 2)}\n`);
  else write(asked, { answers, other, again, from, isAsked: compared !== null });
  if (options.report !== undefined) await report(options.report, answers, options);
  for (const fate of broken.slice(0, 3)) process.stderr.write(brokenWords(fate));
  return broken.length > 0 ? exitCodes.failed : exitCodes.passed;
}

function scenarioNamed(word: string | undefined): ScenarioName | null {
  if (word === undefined) return null;
  const name = scenarioNames.find((known) => known === word);
  if (name !== undefined) return name;
  throw usage(
    `"${word}" is no scenario.`,
    `Write one of: ${scenarioNames.join(", ")}; or leave --scenario out for all.`,
  );
}

function count(word: string, option: string, max: number): number {
  const value = Number(word);
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return value;
  throw usage(
    `${option} takes a whole number from 1 to ${max}, and "${word}" is none.`,
    `Write for example ${option} 20`,
  );
}

function usage(what: string, next: string): OttoError {
  return new OttoError("OTTO_USAGE", { what, state: "Nothing was simulated.", next });
}

type Found = { readonly mesh: Mesh; readonly from: string };

/** The file's, else that of this user's node, else three control peers on one site; always with two workers at least. */
async function meshFor(plan: Plan, file: string | undefined): Promise<Found> {
  if (file !== undefined) return { mesh: await meshIn(file, plan), from: `the mesh of ${file}` };
  const { leaseMs } = meshDefaults;
  const charter = ownCharter();
  if (charter === null)
    return {
      mesh: defaultMesh(plan, { controls: [{ site: "a", count: 3 }], leaseMs }),
      from: "a mesh that nobody described: 3 control peers on one site, 2 workers",
    };
  return {
    mesh: defaultMesh(plan, { controls: sitesOf(charter), leaseMs: charter.leaseMs }),
    from: `the control peers of domain ${charter.name}, as this user's node knows them, and 2 workers`,
  };
}

function ownCharter(): Charter | null {
  const folder = new DataFolder(join(ottoHome(), "node"));
  if (!folder.isNode) return null;
  const opened = openCharter(folder.need("charter"), null, person());
  return opened.ok && opened.value.controls.length > 0 ? opened.value : null;
}

/** Control peers with one host are on one site. */
function sitesOf({ controls }: Charter): { site: string; count: number }[] {
  const hosts = new Map<string, number>();
  for (const { peer, addresses } of controls) {
    const host = /^\/(?:ip4|ip6|dns[46]?)\/([^/]+)/u.exec(addresses[0] ?? "")?.[1] ?? peer;
    hosts.set(host, (hosts.get(host) ?? 0) + 1);
  }
  return [...hosts.values()].map((of, index) => ({ site: `site${index + 1}`, count: of }));
}

async function meshIn(file: string, plan: Plan): Promise<Mesh> {
  const names = new Set(plan.steps.flatMap(({ name, from }) => [name, from]));
  const read = readMesh(bytesOf(file), file, names);
  if (read.ok) return read.value;
  const { diagnostics, text } = read.problem;
  throw new PipelineError(file, diagnostics, text, "Correct the file; `otto simulate --help` shows one.");
}

function bytesOf(file: string): Uint8Array {
  return readNamed(file, { state: "Nothing was simulated.", next: "Name a file that you may read." });
}

function checkWorkers(mesh: Mesh, plan: Plan): void {
  const [first, ...others] = stepsForNobody(mesh, plan);
  if (first === undefined) return;
  const more =
    others.length === 0
      ? ""
      : ` (nor ${others
          .map(({ step }) => step)
          .slice(0, 5)
          .join(", ")})`;
  throw usage(
    `No worker of the mesh may do the step ${first.step}${more}: it asks for ${first.labels.join(", ")}.`,
    "Give a worker of the mesh file these labels.",
  );
}

function comparedMesh(mesh: Mesh, word: string): Mesh {
  const [, controls = 0, sites = 0] = (/^(\d+)x(\d+)$/u.exec(word) ?? []).map(Number);
  if (controls >= 1 && sites >= 1 && sites <= controls && controls <= controlsMax)
    return respread(mesh, controls, sites);
  throw usage(`"${word}" is no mesh to compare with.`, "Write control peers and sites: --compare 5x3");
}

/** The smallest mesh that keeps a majority when any one site is lost, where this one does not. */
function stronger(mesh: Mesh, answers: readonly Answer[]): Mesh | null {
  const losses = answers.filter(({ scenario }) => scenario.name === "site-loss");
  const controls = controlsOf(mesh);
  const losesMajority = mesh.sites.some((site) => (controls - site.controls) * 2 <= controls);
  const isHarmed = losses.some(({ distribution }) => distribution.stalled + distribution.open > 0);
  return losesMajority && isHarmed ? respread(mesh, 3, 3) : null;
}

type Said = {
  readonly answers: readonly Answer[];
  readonly other: Mesh | null;
  readonly again: readonly Answer[] | null;
  readonly from: string;
  /** Whether the person asked to compare. */
  readonly isAsked: boolean;
};

function write(
  { mesh, plan, seeds, scenarios }: Asked,
  { answers, other, again, from, isAsked }: Said,
): void {
  const asked = answers[0]?.fates.length ?? 0;
  const lines = [
    `${plan.pipeline}  ${plan.steps.length} ${plan.steps.length === 1 ? "step" : "steps"}, on ${from}`,
    asked === seeds
      ? `${asked} ${asked === 1 ? "run" : "runs"} of each scenario`
      : `${asked} of ${seeds} runs of each scenario in the time that was given: more with --seconds`,
    "",
    ...table(answers),
    "",
    ...sentencesOf(mesh, answers),
  ];
  if (other !== null && again !== null)
    lines.push(
      isAsked
        ? lossSentence(other, again)
        : `To survive the loss of any one site: ${lossSentence(other, again)}`,
    );
  if (scenarios.length > 0 && mesh.durationsMs.size === 0)
    lines.push(
      `Each step is taken to last about ${inSeconds(mesh.durationMs)}; say how long in \`durations\` of a mesh file.`,
    );
  process.stdout.write(`${lines.join("\n")}\n`);
}

function table(answers: readonly Answer[]): string[] {
  const right = (title: string): { title: string; side: "right" } => ({ title, side: "right" });
  // Of few runs there is no such percentile, and of one it is the run itself.
  const isTail = answers.some(({ distribution }) => typeof distribution.tookMs?.p95 === "number");
  const isOne = answers.every(({ distribution }) => distribution.runs === 1);
  const times = isOne ? ["TOOK"] : ["P50", isTail ? "P95" : "SLOWEST"];
  const headings = [
    { title: "SCENARIO" },
    ...["FINISH", "STALL", "FAIL", ...times, "UNDISTURBED"].map(right),
  ];
  const rows = answers.map(({ scenario, distribution }) => {
    const { runs, finished, stalled, failed, open, tookMs, undisturbedMs } = distribution;
    const cells = [
      scenario.site === null ? scenario.name : `${scenario.name} ${scenario.site}`,
      percent(finished, runs),
      percent(stalled + open, runs),
      percent(failed, runs),
      timeWords(tookMs?.p50),
      ...(isOne ? [] : [timeWords(isTail ? tookMs?.p95 : tookMs?.slowest)]),
      timeWords(undisturbedMs?.p50),
    ];
    return cells.map((text) => ({ text }));
  });
  return tableLines(headings, rows).map((line) =>
    paint(line, { width: null, color: wantsColor(process.stdout) }),
  );
}

function timeWords(ms: number | null | undefined): string {
  return ms === null || ms === undefined ? "" : inSeconds(ms);
}

function asJson(
  asked: Asked,
  answers: readonly Answer[],
  other: Mesh | null,
  again: readonly Answer[] | null,
): object {
  const each = (mesh: Mesh, of: readonly Answer[]): object => ({
    mesh: meshWords(mesh),
    sentences: sentencesOf(mesh, of),
    scenarios: of.map(({ scenario, distribution, fates }) => ({
      ...scenario,
      ...distribution,
      violations: fates.flatMap(({ seed, violation }) =>
        violation === null ? [] : [{ seed, what: violation.message }],
      ),
    })),
  });
  return {
    otto: "simulate/1",
    pipeline: asked.plan.pipeline,
    firstSeed: asked.firstSeed,
    ...each(asked.mesh, answers),
    compared: other === null || again === null ? null : each(other, again),
  };
}

function brokenWords({ seed, violation }: Fate): string {
  return `otto: with seed ${seed} Otto broke a promise of its own: ${violation?.message ?? ""}\nNext: run it again with --seed ${seed} and report what it says.\n`;
}

/** The run that the faults harmed most: one that a promise was broken in, one that failed or stalled, else the longest. */
async function report(
  file: string,
  answers: readonly Answer[],
  { pipeline, mesh, parameters = [], json = false }: SimulateOptions,
): Promise<void> {
  const all = answers.flatMap(({ scenario, fates }) => fates.map((fate) => ({ scenario, fate })));
  const harm = ({ violation, end, tookMs }: Fate): number =>
    (violation === null ? 0 : 4e12) + (end === "finished" ? 0 : 2e12) + (tookMs ?? 1e12);
  const [worst] = all.toSorted((left, right) => harm(right.fate) - harm(left.fate));
  if (worst === undefined) return;
  const { scenario, fate } = worst;
  const where = scenario.site === null ? scenario.name : `${scenario.name} ${scenario.site}`;
  const given = [
    ...(pipeline === undefined ? [] : ["--pipeline", pipeline]),
    ...(mesh === undefined ? [] : ["--mesh", mesh]),
    ...parameters.flatMap((parameter) => ["--parameters", parameter]),
  ];
  const replayed = `otto simulate --scenario ${scenario.name} --seed ${fate.seed}`;
  const command = [replayed, ...given.map(shellWord)].join(" ");
  const { html } = await reportOf(fate.schedule, {
    title: `${where}, seed ${fate.seed}: ${fate.end}`,
    replay: command,
  });
  writeNamed(file, html);
  if (!json)
    process.stdout.write(
      `\nWrote ${file}: the run that was harmed most (${where}, seed ${fate.seed}). Open it in a browser.\n`,
    );
}

/** A schedule from a file, once. @returns 0 as expected, 1 a promise was broken that should hold, 8 undecided. */
async function replay(file: string, { json = false, report: page }: SimulateOptions): Promise<ExitCode> {
  const read = readKept(new TextDecoder().decode(bytesOf(file)));
  if (!read.ok)
    throw usage(
      `${file} is no schedule: ${read.problem}.`,
      "Name a file that a simulation wrote, or one of simulations/kept.",
    );
  const { schedule, expected } = read.value;
  const command = `otto simulate --replay ${shellWord(file)}`;
  const { result, html } = await reportOf(schedule, { title: basename(file), replay: command });
  if (page !== undefined) writeNamed(page, html);
  const { verdict, violation, virtualUs, messages } = result;
  const found = violation?.checker ?? verdict;
  const what = violation?.message ?? null;
  if (json)
    process.stdout.write(`${JSON.stringify({ otto: "replay/1", verdict, expected, what, messages })}\n`);
  else
    process.stdout.write(
      `${what ?? `${verdict} after ${inSeconds(virtualUs / 1_000)} of virtual time, ${messages} messages`}\n`,
    );
  if (!json && page !== undefined) process.stdout.write(`Wrote ${page}. Open it in a browser.\n`);
  if (verdict === "undecided") return exitCodes.stillWaiting;
  return found === expected ? exitCodes.passed : exitCodes.failed;
}
