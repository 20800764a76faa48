/**
 * A plan held against a policy: whether it may be run at all, and what must be true before each of its steps reaches an
 * environment, and after it before that counts. `otto explain`, admission, and every control peer that opens a gate ask here.
 *
 * Pure: time is given, and what was found out (approvals, outcomes, verdicts) too.
 */

import type { GatePhase } from "../../protocol/permits.ts";
import type { EnvironmentPolicy, Policy, ProvenanceDemand } from "../../protocol/policy.ts";
import { isTrusted, type Plan, type PlannedStep } from "../../protocol/plan.ts";
import { foreignDomainOf } from "../../protocol/release.ts";
import { fitsOne } from "../name-patterns.ts";
import { admissionCondition, type Submitter } from "./conditions.ts";
import { fitsRef, missingOrigins, type Origin, originWords, refOf } from "./origins.ts";
import { keysOf } from "./people.ts";
import { freezeAt, isOpenAt, nextOpening } from "./windows.ts";

/** Whose key submits, and to which domain: of a plan's environments only its own are its policy's. Null: all of them. */
export type Submitting = { readonly peer: string; readonly domain: string | null };

/** Why a plan may not be run, each a sentence. Empty: it may. */
export function whyNotAdmitted(policy: Policy, plan: Plan, { peer, domain }: Submitting): readonly string[] {
  const submitter = submitterOf(policy, peer);
  const why: string[] = [];
  for (const { when, require, because } of policy.admit ?? [])
    if ((when === undefined || holds(when, plan, submitter)) && !holds(require, plan, submitter))
      why.push(`${because} (the policy demands ${require})`);
  for (const { source, name } of policy.uses === undefined ? [] : (plan.uses ?? []))
    if (!fitsOne(policy.uses ?? [], source)) why.push(`${name} is ${source}, which is not blessed`);
  for (const environment of environmentsOf(plan, domain))
    for (const rules of rulesOf(policy, environment)) {
      if (rules.refs !== undefined && !fitsRef(rules.refs, refOf(plan)))
        why.push(`${environment} takes ${rules.refs.join(", ")}, and this is ${refWords(plan)}`);
      if (rules.submit !== undefined && !keysOf(policy, rules.submit).has(peer))
        why.push(
          `only ${rules.submit.join(", ")} may submit what reaches ${environment}, and this is ${submitter.name === "" ? peer : submitter.name}`,
        );
    }
  why.push(...credentialsRefused(policy, plan, domain), ...exposuresRefused(policy, plan, domain));
  for (const step of plan.steps)
    for (const rules of isOwn(plan, step, domain) ? rulesOf(policy, step.environment ?? "") : [])
      why.push(...checksMissing(plan, step, rules));
  return why;
}

function checksMissing(plan: Plan, step: PlannedStep, rules: EnvironmentPolicy): readonly string[] {
  const { checks = [], after = {} } = rules;
  const { name, environment } = step;
  return [
    ...checks
      .filter((check) => checksOf(plan, step, check, "before").length === 0)
      .map((check) => `${name} reaches ${environment}, and needs no step that is called ${check}`),
    ...(after.checks ?? [])
      .filter((check) => checksOf(plan, step, check, "after").length === 0)
      .map((check) => `${name} reaches ${environment}, and beside it is no step that is called ${check}`),
  ];
}

function holds(text: string, plan: Plan, submitter: Submitter): boolean {
  const condition = admissionCondition(text);
  return condition.ok && condition.holds(plan, submitter);
}

function submitterOf(policy: Policy, peer: string): Submitter {
  const [name = ""] = Object.entries(policy.people ?? {}).find(([, key]) => key === peer) ?? [];
  const teams = Object.entries(policy.teams ?? {}).filter(([, members]) => members.includes(name));
  return { peer, name, teams: teams.map(([team]) => team) };
}

function environmentsOf(plan: Plan, domain: string | null): readonly string[] {
  const own = plan.steps.filter((step) => isOwn(plan, step, domain));
  return [...new Set(own.map(({ environment }) => environment ?? ""))];
}

/** True for a step that reaches an environment of this domain. */
function isOwn(plan: Plan, step: PlannedStep, domain: string | null): boolean {
  if (!step.included || step.environment === null) return false;
  return domain === null || foreignDomainOf(plan, step, domain) === null;
}

function rulesOf({ environments = {} }: Policy, environment: string): readonly EnvironmentPolicy[] {
  return Object.entries(environments).flatMap(([pattern, rules]) =>
    fitsOne([pattern], environment) ? [rules] : [],
  );
}

/** Steps of a plan that may be anybody's use a credential only in an environment whose `refs` name pull requests. */
function credentialsRefused(policy: Policy, plan: Plan, domain: string | null): readonly string[] {
  if (isTrusted(plan)) return [];
  const using = plan.steps.filter(({ included, credentials = [] }) => included && credentials.length > 0);
  return using.flatMap((step) => {
    if (step.environment !== null && !isOwn(plan, step, domain)) return [];
    const rules = step.environment === null ? [] : rulesOf(policy, step.environment);
    if (rules.some(({ refs }) => refs !== undefined && fitsRef(refs, refOf(plan)))) return [];
    return `${step.name} uses a credential, and what comes by a pull request gets none unless \`refs\` of its environment name it`;
  });
}

/** A step is given a secret itself only where the owner has named it. */
function exposuresRefused(policy: Policy, plan: Plan, domain: string | null): readonly string[] {
  return plan.steps.flatMap((step) => {
    const isForeign = step.environment !== null && !isOwn(plan, step, domain);
    if (!step.included || isForeign) return [];
    return (step.credentials ?? [])
      .filter(({ name, expose }) => expose !== undefined && !mayExpose(policy, name))
      .map(
        ({ name }) =>
          `${step.name} wants to be given the secret ${name} itself, which the policy does not let steps have`,
      );
  });
}

export function mayExpose({ expose = [] }: Policy, secret: string): boolean {
  return fitsOne(expose, secret);
}

function refWords(plan: Plan): string {
  const { branch, tag } = plan.context;
  if (!isTrusted(plan)) return `a pull request${branch === null ? "" : ` from ${branch}`}`;
  if (tag !== null) return `the tag ${tag}`;
  return branch === null ? "no branch that is known" : `the branch ${branch}`;
}

/** What must be true before one step begins, or before how it ended counts. */
export type Gate = {
  readonly phase: GatePhase;
  readonly environment: string;
  readonly approvals: readonly {
    readonly count: number;
    readonly by: readonly string[];
    readonly keys: ReadonlySet<string>;
  }[];
  readonly open: readonly (readonly string[])[];
  readonly freezes: readonly NonNullable<EnvironmentPolicy["freeze"]>[number][];
  /** Names of steps that must have passed. */
  readonly checks: readonly string[];
  readonly verdicts: readonly NonNullable<EnvironmentPolicy["verdicts"]>[number][];
  readonly provenance: readonly ProvenanceDemand[];
  /** How long it waits for all of it; null: as long as the step may take. */
  readonly waitMs: number | null;
};

/** Null: nothing is demanded then. */
export function gateOf(policy: Policy, plan: Plan, step: PlannedStep, phase: GatePhase): Gate | null {
  const { environment } = step;
  if (environment === null || !step.included) return null;
  const all = rulesOf(policy, environment);
  const rules: readonly Rules[] =
    phase === "before" ? all : all.flatMap(({ after }) => (after === undefined ? [] : [after]));
  const gate: Gate = {
    phase,
    environment,
    approvals: rules.flatMap(({ approve }) =>
      approve === undefined ? [] : [{ ...approve, keys: keysOf(policy, approve.by) }],
    ),
    open: rules.flatMap(({ open }) => (open === undefined ? [] : [open])),
    freezes: rules.flatMap(({ freeze = [] }) => freeze),
    checks: rules.flatMap(({ checks = [] }) => checks.flatMap((check) => checksOf(plan, step, check, phase))),
    verdicts: rules.flatMap(({ verdicts = [] }) => verdicts),
    provenance: rules.flatMap(({ provenance = [] }) => provenance),
    waitMs: waitOf(rules),
  };
  const demands = [gate.approvals, gate.open, gate.freezes, gate.checks, gate.verdicts, gate.provenance];
  return demands.some(({ length }) => length > 0) ? gate : null;
}

type Rules = NonNullable<EnvironmentPolicy["after"]> & Pick<EnvironmentPolicy, "freeze" | "provenance">;

function waitOf(rules: readonly Rules[]): number | null {
  const minutes = rules.flatMap(({ waitMinutes }) => (waitMinutes === undefined ? [] : [waitMinutes]));
  return minutes.length === 0 ? null : Math.min(...minutes) * 60_000;
}

/** Steps that a check means: before the step those that it needs, directly or through others, and after it those that do not need it. */
function checksOf(plan: Plan, step: PlannedStep, check: string, phase: GatePhase): readonly string[] {
  const byName = new Map(plan.steps.map((one) => [one.name, one]));
  const beside = (name: string): boolean => name !== step.name && !neededBy(byName, name).has(step.name);
  const among = phase === "before" ? neededBy(byName, step.name) : [...byName.keys()].filter(beside);
  return [...among].filter((name) => {
    const from = byName.get(name)?.from ?? name;
    return fitsOne([check], name) || fitsOne([check], from);
  });
}

function neededBy(byName: ReadonlyMap<string, PlannedStep>, of: string): ReadonlySet<string> {
  const needsOf = (name: string): string[] => (byName.get(name)?.needs ?? []).map(({ step }) => step);
  const found = new Set<string>();
  const left = needsOf(of);
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    left.push(...needsOf(name));
  }
  return found;
}

/** What was found out about a gate so far. */
export type GateEvidence = {
  /** The keys of those who said yes to exactly this step and what it is given. */
  readonly approvedBy: ReadonlySet<string>;
  /** How a step ended; null: it has not. */
  outcomeOf(step: string): string | null;
  /** Names of external verdicts that hold. */
  readonly verdicts: ReadonlySet<string>;
  /** Names of the inputs that it is given, and how each came to be as far as is known. */
  readonly inputs: readonly string[];
  readonly origins: readonly Origin[];
  /** Milliseconds since 1970. */
  readonly nowMs: number;
};

/** What is missing for the gate to open, each a sentence. Empty: it opens. */
export function missingFor(gate: Gate, evidence: GateEvidence): readonly string[] {
  const { approvedBy, verdicts, nowMs } = evidence;
  const missing: string[] = [];
  for (const { count, by, keys } of gate.approvals) {
    const given = [...approvedBy].filter((key) => keys.has(key)).length;
    if (given < count) missing.push(`${given} of ${count} approvals of ${by.join(", ")}`);
  }
  for (const windows of gate.open)
    if (!isOpenAt(windows, nowMs))
      missing.push(`it is closed until ${nextOpening(windows, nowMs)} (open ${windows.join(", ")}, UTC)`);
  const frozen = freezeAt(gate.freezes, nowMs);
  if (frozen !== null) missing.push(`it is frozen until ${frozen.until}: ${frozen.because}`);
  for (const check of gate.checks) {
    const outcome = evidence.outcomeOf(check);
    if (outcome !== "passed")
      missing.push(`${check} must pass, and ${outcome === null ? "has not ended" : `ended as ${outcome}`}`);
  }
  for (const { name, url } of gate.verdicts)
    if (!verdicts.has(name)) missing.push(`${name} does not say yes (${url})`);
  missing.push(...missingOrigins(gate.provenance, evidence.inputs, evidence.origins));
  return missing;
}

/** A gate in words, a demand each, for `otto explain`. */
export function gateWords(gate: Gate): readonly string[] {
  return [
    ...gate.approvals.map(
      ({ count, by }) => `${count} ${count === 1 ? "approval" : "approvals"} of ${by.join(", ")}`,
    ),
    ...gate.open.map((windows) => `only ${windows.join(", ")} (UTC)`),
    ...gate.freezes.map(({ from, until, because }) => `not from ${from} to ${until}: ${because}`),
    ...gate.checks.map((check) => `${check} has passed`),
    ...gate.verdicts.map(({ name, url }) => `${name} says yes (${url})`),
    ...gate.provenance.map(originWords),
  ];
}
