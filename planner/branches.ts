/**
 * The branches of a plan: with which outcomes each step can end, what runs then, and what can never run.
 *
 *   possible(step) = its own ways to end, if all its needs can hold together
 *                  + skipped, if one of its needs can fail to hold
 *
 * Promises: what is said to be impossible is. Whether a single need can fail is exact; whether all needs hold together
 * is tried out, every step apart that must not run or must (`canHold`), up to a bound, beyond which a step counts as
 * able to run and the answer says that it is not certain.
 */

import type { Need, Plan, PlannedStep } from "../protocol/plan.ts";

/** What runs when a step ends in one of these ways. */
export type Branch = { readonly outcomes: readonly string[]; readonly next: readonly string[] };

type StepBranches = {
  readonly step: string;
  /** Every way in which it can end, those together that lead to the same steps. */
  readonly branches: readonly Branch[];
};

/** A step that is in the plan and can never run, or a need on outcomes that never come. */
export type Impossible =
  | { readonly kind: "step"; readonly step: string; readonly because: string }
  | {
      readonly kind: "outcomes";
      readonly step: string;
      readonly need: string;
      readonly outcomes: readonly string[];
      readonly because: string;
    };

export type Branches = {
  /** Of steps that others wait for in different ways, in the order of the plan. */
  readonly steps: readonly StepBranches[];
  readonly impossible: readonly Impossible[];
  /** False when not everything could be tried: more may be impossible than is said. */
  readonly certain: boolean;
};

/** What is looked at, for one step and for all of a plan, before a search is given up. */
const workPerStepMax = 50_000;
const workPerPlanMax = 1_000_000;
/** Ways chosen one inside of another. */
const depthMax = 200;

export function branchesOf(plan: Plan): Branches {
  const graph = graphOf(plan);
  const impossible: Impossible[] = [];
  for (const step of plan.steps) {
    if (!step.included) continue;
    const never = whyNever(graph, step);
    if (never !== null) impossible.push({ kind: "step", step: step.name, because: never });
    else impossible.push(...deadOutcomes(graph, step));
  }
  const steps = plan.steps.flatMap((step) => stepBranches(graph, step));
  return { steps, impossible, certain: graph.search.certain };
}

type Graph = {
  readonly byName: ReadonlyMap<string, Node>;
  readonly search: { work: number; certain: boolean };
};

type Node = {
  readonly step: PlannedStep;
  /** Position in the plan. */
  readonly at: number;
  /** Its own ways to end, should it run. */
  readonly ends: readonly string[];
  readonly dependents: { readonly step: PlannedStep; readonly outcomes: readonly string[] }[];
  canRun: boolean;
  /** With which outcomes it can end at all. */
  possible: readonly string[];
  /** Whether it runs when every step that runs passes. */
  runsWhenAllPass: boolean;
  /** False where a condition decided, its own or that of a step before it: with other facts it is otherwise. */
  isAlways: boolean;
};

function graphOf(plan: Plan): Graph {
  const byName = new Map<string, Node>();
  const graph: Graph = { byName, search: { work: 0, certain: true } };
  for (const [at, step] of plan.steps.entries()) {
    const node: Node = {
      step,
      at,
      ends: endsOf(step),
      dependents: [],
      canRun: false,
      possible: ["skipped"],
      runsWhenAllPass: false,
      isAlways:
        step.reason === "always" && step.needs.every((need) => byName.get(need.step)?.isAlways === true),
    };
    byName.set(step.name, node);
    for (const { step: name, outcomes } of step.needs) byName.get(name)?.dependents.push({ step, outcomes });
    if (!step.included) continue;
    node.runsWhenAllPass = step.needs.every(({ step: name, outcomes }) =>
      outcomes.includes(byName.get(name)?.runsWhenAllPass === true ? "passed" : "skipped"),
    );
    node.canRun = node.runsWhenAllPass || canRun(graph, step.needs);
    const canSkip = step.needs.some((need) =>
      possible(graph, need.step).some((end) => !need.outcomes.includes(end)),
    );
    node.possible = [...(node.canRun ? node.ends : []), ...(canSkip ? ["skipped"] : [])];
  }
  return graph;
}

/** What a worker, people or the outside can make of it. A cancelled run cancels every step that runs. */
function endsOf({ action, outcomes = [] }: PlannedStep): readonly string[] {
  const canFail = action?.kind !== "wait" || action.callback !== null || action.poll?.fails != null;
  return ["passed", ...outcomes, ...(canFail ? ["failed"] : []), "timed-out", "cancelled"];
}

function possible({ byName }: Graph, name: string): readonly string[] {
  return byName.get(name)?.possible ?? [];
}

/** Needs that hang together only through one step are exact without a search. */
function canRun(graph: Graph, needs: readonly Need[]): boolean {
  const each = needs.every((need) => possible(graph, need.step).some((end) => need.outcomes.includes(end)));
  if (!each || needs.length < 2) return each;
  return canHold(graph, needs) ?? true;
}

/** Whether needs can hold together; null when that was not found out within the bound. */
function canHold(graph: Graph, needs: readonly Need[]): boolean | null {
  const { search } = graph;
  const workMax = Math.min(search.work + workPerStepMax, workPerPlanMax);
  const asked = narrowed(graph, new Map(), needs);
  const found = asked === null ? false : tryOut(graph, asked, { workMax, depth: 0 });
  if (found === null) search.certain = false;
  return found;
}

/** What is asked of steps: the outcomes that are left for them. A step that is not here may end as it can. */
type Asked = ReadonlyMap<string, readonly string[]>;

/** Null when nothing is left for one of them. */
function narrowed(graph: Graph, asked: Asked, needs: readonly Need[]): Asked | null {
  const next = new Map(asked);
  for (const { step, outcomes } of needs) {
    const ends = next.get(step) ?? possible(graph, step);
    const left = ends.filter((end) => outcomes.includes(end));
    if (left.length === 0) return null;
    if (left.length < ends.length) next.set(step, left);
  }
  return next;
}

/**
 * Takes the last step of the plan that something is asked of, and lets it run, or not run for each of its needs in turn;
 * either asks something of earlier steps alone, so that no step is decided twice on one way.
 */
function tryOut(
  graph: Graph,
  asked: Asked,
  bounds: { readonly workMax: number; readonly depth: number },
): boolean | null {
  let [ways, depth] = [waysOn(graph, asked), bounds.depth];
  while (ways !== null) {
    const [first, ...others] = ways;
    if (first === undefined) return false;
    graph.search.work += ways.reduce((sum, way) => sum + way.size + 1, 0);
    if (graph.search.work > bounds.workMax || depth > depthMax) return null;
    if (others.length === 0) ways = waysOn(graph, first);
    else {
      depth += 1;
      let isUnsure = false;
      for (const way of ways) {
        const result = tryOut(graph, way, { ...bounds, depth });
        if (result === true) return true;
        isUnsure ||= result === null;
      }
      return isUnsure ? null : false;
    }
  }
  return true;
}

/** What is then asked of the others, for each way in which the last step can do what is asked; null: nothing is asked. */
function waysOn(graph: Graph, asked: Asked): readonly Asked[] | null {
  let last: Node | null = null;
  for (const name of asked.keys()) {
    const node = graph.byName.get(name);
    if (node !== undefined && (last === null || node.at > last.at)) last = node;
  }
  if (last === null) return null;
  const { name, needs, included } = last.step;
  const left = asked.get(name) ?? [];
  const rest = new Map(asked);
  rest.delete(name);
  const ways: (Asked | null)[] = [];
  if (left.some((end) => end !== "skipped")) ways.push(narrowed(graph, rest, needs));
  if (left.includes("skipped")) {
    if (included) ways.push(...needs.map((need) => narrowed(graph, rest, [except(graph, need)])));
    else ways.push(rest);
  }
  return ways.filter((way) => way !== null);
}

/** The need turned around. */
function except(graph: Graph, { step, outcomes }: Need): Need {
  return { step, outcomes: possible(graph, step).filter((end) => !outcomes.includes(end)) };
}

/** Why a step that is in the plan can never run; null when it can, or when that is not certain. */
function whyNever(graph: Graph, { name, needs }: PlannedStep): string | null {
  const node = graph.byName.get(name);
  if (node === undefined || node.canRun) return null;
  const single = needs.find((need) => !possible(graph, need.step).some((end) => need.outcomes.includes(end)));
  if (single !== undefined) return neverEnds(graph, single.step, single.outcomes);
  for (const [index, left] of needs.entries()) {
    for (const right of needs.slice(0, index)) {
      if (canHold(graph, [left, right]) !== false) continue;
      return `${right.step} ${endedWords(right.outcomes)} and ${left.step} ${endedWords(left.outcomes)} exclude each other`;
    }
  }
  return "its needs exclude each other";
}

/** Outcomes that a need names besides others that can come, and that cannot come with other facts either. */
function deadOutcomes(graph: Graph, { name, needs }: PlannedStep): readonly Impossible[] {
  return needs.flatMap(({ step, outcomes }): Impossible[] => {
    const ends = possible(graph, step);
    const dead = outcomes.filter((outcome) => !ends.includes(outcome));
    if (dead.length === 0 || graph.byName.get(step)?.isAlways !== true) return [];
    const because = neverEnds(graph, step, dead);
    return [{ kind: "outcomes", step: name, need: step, outcomes: dead, because }];
  });
}

function neverEnds(graph: Graph, name: string, outcomes: readonly string[]): string {
  const node = graph.byName.get(name);
  if (node?.step.included === false) return `${name} is left out`;
  if (node?.canRun === false) return `${name} can never run`;
  if (outcomes.length === 1 && outcomes[0] === "skipped")
    return node?.isAlways === true ? `${name} always runs` : `${name} is in, and always runs`;
  return `${name} never ends as ${outcomes.join(" or ")}`;
}

function endedWords(outcomes: readonly string[]): string {
  return `ending as ${outcomes.join(" or ")}`;
}

/** Nothing for a step that all others wait for in the same usual way. */
function stepBranches(graph: Graph, { name }: PlannedStep): readonly StepBranches[] {
  const node = graph.byName.get(name);
  const isUsual = ({ outcomes }: Pick<Need, "outcomes">): boolean =>
    outcomes.length === 1 && outcomes[0] === "passed";
  if (node === undefined || !node.step.included || node.dependents.every(isUsual)) return [];
  const groups = new Map<string, { readonly outcomes: string[]; readonly next: readonly string[] }>();
  for (const outcome of possible(graph, name)) {
    const next = node.dependents
      .filter(
        ({ step, outcomes }) => outcomes.includes(outcome) && graph.byName.get(step.name)?.canRun === true,
      )
      .map(({ step }) => step.name);
    const key = JSON.stringify(next);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, { outcomes: [outcome], next });
    else known.outcomes.push(outcome);
  }
  return [{ step: name, branches: [...groups.values()] }];
}
