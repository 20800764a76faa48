/** What a user asked about their run, asked of many worlds, and answered in sentences. */

import type { Plan } from "../protocol/plan.ts";
import { type Distribution, distributionOf, type Fate, fateOf, type Undisturbed } from "./forecast.ts";
import { type Mesh, meshWords } from "./mesh.ts";
import { type Scenario, type ScenarioName, scenarioNames, scenarioWords } from "./scenarios.ts";

export type Asked = {
  readonly mesh: Mesh;
  readonly plan: Plan;
  readonly scenarios: readonly Scenario[];
  readonly firstSeed: number;
  readonly seeds: number;
  /** Of a processor's time; the first seed is always asked. */
  readonly cpuSecondsMax: number;
};

export type Answer = {
  readonly scenario: Scenario;
  readonly distribution: Distribution;
  readonly fates: readonly Fate[];
};

/** Of every scenario, or of one; a loss is asked of each site that has a peer. */
export function scenariosOf(mesh: Mesh, only: ScenarioName | null): Scenario[] {
  return scenarioNames
    .filter((name) => only === null || name === only)
    .flatMap((name): Scenario[] => {
      if (name !== "site-loss") return [{ name, site: null }];
      const inhabited = mesh.sites.filter(({ controls, workers }) => controls > 0 || workers.length > 0);
      return inhabited.map((site) => ({ name, site: site.name }));
    });
}

/** One seed after the other, each in every scenario: when time is over, all were asked about as many. */
export async function ask(asked: Asked): Promise<readonly Answer[]> {
  const { mesh, plan, scenarios, firstSeed, seeds, cpuSecondsMax } = asked;
  const began = process.cpuUsage();
  const isTimeLeft = (): boolean => {
    const { user, system } = process.cpuUsage(began);
    return user + system < cpuSecondsMax * 1_000_000;
  };
  const undisturbed: Undisturbed = new Map();
  const fates = new Map<Scenario, Fate[]>(scenarios.map((scenario) => [scenario, []]));
  for (let seed = firstSeed; seed < firstSeed + seeds && (seed === firstSeed || isTimeLeft()); seed += 1)
    for (const [scenario, all] of fates) all.push(await fateOf(mesh, plan, seed, scenario, undisturbed));
  return [...fates].map(([scenario, all]) => ({ scenario, fates: all, distribution: distributionOf(all) }));
}

/** All that is said of a mesh: a sentence for its sites together, and one for each other scenario. */
export function sentencesOf(mesh: Mesh, answers: readonly Answer[]): string[] {
  const losses = answers.filter(({ scenario }) => scenario.name === "site-loss");
  const others = answers.filter(({ scenario }) => scenario.name !== "site-loss");
  return [
    ...(losses.length === 0 ? [] : [lossSentence(mesh, losses)]),
    ...others.map(({ scenario, distribution }) => {
      const { name } = scenario;
      return `${name} (${scenarioWords[name]}): ${endsWords(distribution)}.`;
    }),
  ];
}

export function lossSentence(mesh: Mesh, losses: readonly Answer[]): string {
  const harmed = losses.filter(({ distribution }) => distribution.finished < distribution.runs);
  const unharmed = losses.filter(({ distribution }) => distribution.finished === distribution.runs);
  const names = unharmed.map(({ scenario }) => scenario.site).join(" or ");
  const parts = [
    ...harmed.map(({ scenario, distribution }) => `losing site ${scenario.site} ${harmWords(distribution)}`),
    ...(unharmed.length === 0
      ? []
      : [
          `losing ${harmed.length === 0 && unharmed.length > 1 ? "any one site" : `site ${names}`} holds up no run`,
        ]),
  ];
  return `With ${meshWords(mesh)}, ${parts.join("; ")}.`;
}

function harmWords({ runs, stalled, failed, open, runsThatLostSteps }: Distribution): string {
  const parts = [
    ...(stalled > 0 ? [`stalls ${percent(stalled, runs)} of runs until it is back`] : []),
    ...(failed > 0 ? [`fails ${percent(failed, runs)}${lostWords(runsThatLostSteps, failed)}`] : []),
    ...(open > 0 ? [`leaves ${percent(open, runs)} without an end`] : []),
  ];
  return parts.join(" and ");
}

function endsWords(distribution: Distribution): string {
  const { runs, finished, stalled, failed, open, runsThatLostSteps } = distribution;
  if (finished === runs)
    return `${runs === 1 ? "the run finishes" : `all ${runs} runs finish`}${laterWords(distribution)}`;
  const parts = [
    `${percent(finished, runs)} of runs finish${laterWords(distribution)}`,
    ...(stalled > 0 ? [`${percent(stalled, runs)} stall while it lasts`] : []),
    ...(failed > 0 ? [`${percent(failed, runs)} fail${lostWords(runsThatLostSteps, failed)}`] : []),
    ...(open > 0 ? [`${percent(open, runs)} have no end`] : []),
  ];
  return parts.join(", ");
}

function lostWords(runsThatLostSteps: number, failed: number): string {
  if (runsThatLostSteps === 0) return "";
  return runsThatLostSteps >= failed
    ? " (a step was lost with its worker, and may not be tried again)"
    : " (some of them because a step was lost with its worker, and may not be tried again)";
}

/** How much later than undisturbed: one in twenty where there are so many, else the slowest. */
function laterWords({ runs, tookMs, undisturbedMs }: Distribution): string {
  if (tookMs === null || undisturbedMs === null) return "";
  const isTail = tookMs.p95 !== null && undisturbedMs.p95 !== null;
  const [ms, beforeMs] = isTail ? [tookMs.p95, undisturbedMs.p95] : [tookMs.slowest, undisturbedMs.slowest];
  if (ms - beforeMs < 1_000) return ", and no later";
  const later = inSeconds(ms - beforeMs);
  if (isTail) return `, one in twenty ${later} later or more`;
  return runs === 1 ? `, ${later} later` : `, the slowest ${later} later`;
}

export function percent(part: number, whole: number): string {
  const share = (100 * part) / Math.max(1, whole);
  // Neither none nor all of them, however many there are.
  const rounded = part > 0 && part < whole ? Math.min(99, Math.max(1, Math.round(share))) : Math.round(share);
  return `${rounded} %`;
}

/** "45 s", "3 min 5 s", "2 h 4 min". */
export function inSeconds(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min${seconds % 60 === 0 ? "" : ` ${seconds % 60} s`}`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
