/**
 * What a world has to do: a charter, members, and runs whose plans come from the seed: chains and fans, branches on
 * failure, steps that are left out, that may or may not be tried again, that reach outside, that want a label.
 */

import type { Keys } from "../node/ports.ts";
import { sealAnswer } from "../protocol/answers.ts";
import { limits } from "../protocol/limits.ts";
import { type Manifest, openBundle, sealBundle, type Submission } from "../protocol/manifest.ts";
import { sealCertificate } from "../protocol/certificate.ts";
import { type Charter, domainId, type Role } from "../protocol/membership.ts";
import { type Need, type Outcome, outcomes, type Plan, type PlannedStep } from "../protocol/plan.ts";
import type { StandingOrder } from "../protocol/standing-order.ts";
import { sha256Hex } from "../protocol/values.ts";
import { simulatedKeys, simulatedVerifier } from "./keys.ts";
import { Chance } from "./random.ts";

/** What a clock that is right says when a world begins. */
export const startWallMs = 1_700_000_000_000;
const certificateMs = 24 * 60 * 60_000;

/** The other domain, in a world of two. */
export const neighbourName = "ops";

export type Workload = { readonly bundle: Uint8Array; readonly submission: Submission };

/** @param name of the domain. */
export function charterOf(controls: readonly Keys[], leaseMs: number, name = "dev"): Charter {
  const owner = simulatedKeys("owner");
  return {
    otto: "charter/1",
    domain: domainId(name, owner.peer),
    name,
    owner: owner.peer,
    version: 1,
    configuration: 1,
    size: controls.length,
    controls: controls.map(({ peer }) => ({ peer, store: storeOf(peer), addresses: [] })),
    former: [],
    leaseMs,
  };
}

/** The name of a peer's database after it was wiped so many times. */
export function storeOf(peer: string, wipes = 0): string {
  return `${peer}.${wipes}`;
}

type RunTraits = {
  readonly nonce: string;
  /** How many steps; of any number up to seven where it is not said. */
  readonly steps?: number;
  readonly outside?: boolean;
  readonly waits?: boolean;
  /** One step at a time in its environment, or under the locks that its steps name. */
  readonly locked?: "environment" | "names" | null;
};

/** A plan that a person of the domain submits; `outside`: nearly all of its steps reach outside and are tried again. */
export function randomPlan(
  chance: Chance,
  { nonce, steps: count = chance.between(1, 7), outside = false, waits = false, locked = null }: RunTraits,
): Plan {
  const steps: PlannedStep[] = [];
  for (let index = 0; index < count; index += 1) steps.push(randomStep(chance, steps, outside));
  const said = sayingSomething(new Chance(nonce, "says"), waits ? withWaits(chance, steps) : steps);
  const own = withCaches(new Chance(nonce, "caches"), said);
  const priority = new Chance(nonce, "priority").pick<Plan["priority"] | null>(["high", "low", null, null]);
  const urgency = priority === null || priority === undefined ? {} : { priority };
  if (locked === "names") return { ...planOf(withLocks(new Chance(nonce, "locks"), own)), ...urgency };
  if (locked === null) return { ...planOf(own), ...urgency };
  const alone = own.map((step) => (step.effect ? inVariables(step, { OTTO_LOCK: "production" }) : step));
  return { ...planOf(alone, { locked: true }), ...urgency };
}

/** Most steps take a lock that steps of other runs take too. */
function withLocks(chance: Chance, steps: readonly PlannedStep[]): readonly PlannedStep[] {
  return steps.map((step) => {
    const lock = chance.pick(["database", "database", "printer", null]);
    if (lock === null || step.action !== undefined) return step;
    return { ...inVariables(step, { OTTO_EFFECT: "yes", OTTO_LOCK: lock }), lock };
  });
}

/** Some steps read caches that those of other runs have written. */
function withCaches(chance: Chance, steps: readonly PlannedStep[]): readonly PlannedStep[] {
  return steps.map((step) => {
    if (step.action !== undefined || !chance.percent(25)) return step;
    const name = chance.pick(["modules", "objects"]);
    return { ...step, caches: [{ name, paths: [name], keyFiles: [] }] };
  });
}

function inVariables(step: PlannedStep, more: Readonly<Record<string, string>>): PlannedStep {
  return { ...step, variables: { ...step.variables, ...more } };
}

/** The same steps, some of them settled by people, by something outside, or by the steps that they need. */
function withWaits(chance: Chance, steps: readonly PlannedStep[]): readonly PlannedStep[] {
  const settled = new Set<string>();
  return steps.map((step) => {
    const inputs = step.inputs.filter((input) => !settled.has(input.step));
    const kind = chance.integer(10);
    if (kind > 4) return { ...step, inputs };
    settled.add(step.name);
    const idle = { commands: [], inputs: [], outputs: [], labels: [], variables: {}, environment: null };
    const once = { effect: false, retry: { attemptsMax: 1, on: [] } };
    const base = { ...step, ...idle, ...once, timeoutMs: chance.pick([4_000, 60_000]) };
    const members = step.needs.map((need) => need.step);
    if (kind === 0 && members.length > 0)
      return {
        ...base,
        needs: members.map((name) => ({ step: name, outcomes })),
        action: { kind: "pipeline", members },
      };
    if (kind < 3) {
      const count = chance.between(1, 2);
      return { ...base, action: { kind: "approve", question: "Go on?", by: [], count } };
    }
    const until = "response.status == 200";
    const poll = { url: "https://www.example.org/", everyMs: 1_000, until, fails: "response.status == 410" };
    const callback = chance.percent(60) ? "outside" : null;
    const polls = callback === null || chance.percent(50);
    return { ...base, action: { kind: "wait", callback, poll: polls ? poll : null } };
  });
}

/** Who says what to a step that waits. */
type Said = { readonly person: string; readonly verdict: "passed" | "failed" | "inconclusive" };

/** Most say yes. */
export function anyAnswerOf(chance: Chance): Said {
  const person = chance.pick(["person", "another"]);
  const verdict = chance.percent(75) ? "passed" : chance.pick(["failed", "inconclusive"] as const);
  return { person, verdict };
}

export function yesOf(person: string): Said {
  return { person, verdict: "passed" };
}

export function answerOf(
  { person, verdict }: Said,
  charter: Charter,
  { run, manifestCid }: Submission,
  step: string,
): Uint8Array {
  const keys = simulatedKeys(person);
  const certificate = certificateOf(charter, keys.peer, "person");
  const answer = { otto: "answer/1", run, manifest: manifestCid, step, verdict, detail: "" } as const;
  return sealAnswer(answer, charter.domain, { keys, certificate });
}

/** What a person of the domain has run at every slot of a schedule: a small pipeline. */
export function randomOrderedPlan(chance: Chance, pipeline: string): Plan {
  const steps: PlannedStep[] = [];
  const count = chance.between(1, 2);
  for (let index = 0; index < count; index += 1) steps.push(randomStep(chance, steps, false));
  return planOf(steps, { pipeline });
}

export function submissionOf(
  steps: readonly PlannedStep[],
  charter: Charter,
  nonce: string,
  locked = false,
  ordered: { readonly pipeline: string; readonly order: StandingOrder } | null = null,
): Workload {
  if (ordered === null) return runOf(planOf(steps, { locked }), charter, { nonce });
  return runOf(planOf(steps, { locked, pipeline: ordered.pipeline }), charter, {
    nonce,
    order: ordered.order,
  });
}

function planOf(
  steps: readonly PlannedStep[],
  { pipeline = "checks", locked = false }: { readonly pipeline?: string; readonly locked?: boolean } = {},
): Plan {
  return {
    otto: 1,
    pipeline,
    origin: { kind: "file", path: "otto.yaml" },
    context: { branch: "main", tag: null, commit: null, trigger: "manual", parameters: {} },
    environments: { production: { domain: null, settings: {}, ...(locked ? { lock: true } : {}) } },
    steps,
  };
}

/** A run of this plan, or a standing order to run it, as a person of the domain submits it. */
export function runOf(
  plan: Plan,
  charter: Charter,
  {
    nonce,
    order,
    validUntilMs = startWallMs + limits.submissionMsDefault,
  }: { readonly nonce: string; readonly order?: StandingOrder; readonly validUntilMs?: number },
): Workload {
  const tree = sha256Hex(new TextEncoder().encode(`source ${nonce}`));
  const manifest: Manifest = {
    otto: "manifest/1",
    plan,
    source: { kind: "tree", tree },
    nonce,
    ...(order === undefined ? { validUntilMs } : { order }),
  };
  const person = simulatedKeys("person");
  const certificate = certificateOf(charter, person.peer, "person");
  const bundle = sealBundle(manifest, charter.domain, person, certificate);
  const opened = openBundle(bundle, charter, startWallMs, simulatedVerifier);
  if (!opened.ok) throw new Error(`Bug: the workload is refused: ${opened.problem.detail}`);
  return { bundle, submission: opened.value };
}

export function certificateOf({ domain }: Charter, peer: string, role: Role): Uint8Array {
  const name = role === "person" ? "ada" : "";
  const expiresMs = startWallMs + certificateMs;
  return sealCertificate(
    domain,
    { otto: "certificate/1", peer, role, name, expiresMs },
    simulatedKeys("owner"),
  );
}

function randomStep(chance: Chance, earlier: readonly PlannedStep[], outside: boolean): PlannedStep {
  const index = earlier.length;
  const name = `step${index}`;
  const included = !chance.percent(8);
  const needs: Need[] = [];
  for (const other of earlier) {
    if (!chance.percent(index < 3 ? 40 : 25)) continue;
    const picked = chance.percent(70) ? ["passed"] : outcomes.filter(() => chance.percent(45));
    const wanted = outcomes.filter((outcome) => picked.includes(outcome));
    const some: readonly Outcome[] = wanted.length > 0 ? wanted : ["passed"];
    const fits = other.included || !included || some.includes("skipped");
    needs.push({ step: other.name, outcomes: fits ? some : [...some, "skipped"] });
  }
  const sources = needs.filter((need) => need.outcomes.includes("passed") && chance.percent(60));
  const effect = chance.percent(outside ? 90 : 35);
  return {
    name,
    from: name,
    cell: {},
    included,
    reason: included ? "always" : "left out",
    commands: [`make ${name}`],
    needs,
    environment: effect ? "production" : null,
    variables: effect ? { OTTO_EFFECT: "yes" } : {},
    inputs: sources.map(({ step }) => ({ name: `from-${step}`, step, output: "files" })),
    outputs: [{ name: "files", files: ["out/**"] }],
    timeoutMs: 60_000,
    retry: {
      attemptsMax: chance.between(1, 4),
      on: (["lost", "timed-out", "failed"] as const).filter(() => outside || chance.percent(60)),
    },
    effect,
    labels: chance.percent(15) ? ["gpu"] : [],
  };
}

/**
 * Some steps say a value that others take, some may end with an outcome of their own that others branch on. By a chance
 * of its own, so that it changes nothing else of a world.
 */
function sayingSomething(chance: Chance, steps: readonly PlannedStep[]): readonly PlannedStep[] {
  const earlier = new Map<string, PlannedStep>();
  return steps.map((step) => {
    const needs = step.needs.map((need): Need => {
      const own = earlier.get(need.step)?.outcomes ?? [];
      // A nested pipeline has ended however its steps did.
      const branches = step.action?.kind === "pipeline" || chance.percent(50);
      return own.length > 0 && branches ? { ...need, outcomes: [...need.outcomes, ...own] } : need;
    });
    const said = step.action === undefined ? somethingSaid(chance, needs, earlier) : {};
    const saying = { ...step, needs, ...said };
    earlier.set(step.name, saying);
    return saying;
  });
}

function somethingSaid(
  chance: Chance,
  needs: readonly Need[],
  earlier: ReadonlyMap<string, PlannedStep>,
): Partial<PlannedStep> {
  const valueInputs = needs
    .filter((need) => earlier.get(need.step)?.values !== undefined && need.outcomes.includes("passed"))
    .filter(() => chance.percent(80))
    .map(({ step }) => ({ name: `from-${step}`, step, value: "value" }));
  return {
    ...(chance.percent(40) ? { values: [{ name: "value", type: "string" }] } : {}),
    ...(chance.percent(15) ? { outcomes: ["outdated"] } : {}),
    ...(valueInputs.length > 0 ? { valueInputs } : {}),
  };
}
