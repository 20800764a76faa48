/**
 * Conditions of a policy: CEL over a plan and whoever submits it, checked when the policy is read.
 *
 * What cannot be evaluated for a plan does not hold: a rule that is not understood lets nobody through.
 */

import { Environment } from "@marcbachmann/cel-js";
import { leastSandboxOf, type Plan } from "../../protocol/plan.ts";
import { type Problem, refusedIn, syntaxProblem } from "../conditions.ts";

export type Submitter = {
  /** The key that signed the submission. */
  readonly peer: string;
  /** What the policy calls the person with that key; "" when it knows none. */
  readonly name: string;
  readonly teams: readonly string[];
};

export type AdmissionCondition = (plan: Plan, submitter: Submitter) => boolean;

const text = "string";
const environment = new Environment({
  unlistedVariablesAreDyn: false,
  limits: { maxAstNodes: 1_000, maxDepth: 50, maxListElements: 500, maxCallArguments: 8 },
})
  .registerVariable({ name: "submitter", schema: { name: text, peer: text, teams: "list<string>" } })
  .registerVariable({ name: "git", schema: { branch: text, tag: text, commit: text } })
  .registerVariable("trigger", text)
  .registerVariable("pipeline", text)
  .registerVariable("environments", "list<string>")
  .registerVariable("uses", "list<string>")
  .registerVariable("steps", "list<dyn>");

/** The condition, or what is wrong with it. */
export function admissionCondition(
  written: string,
):
  | { readonly ok: true; readonly holds: AdmissionCondition }
  | { readonly ok: false; readonly problem: Pick<Problem, "message" | "help"> } {
  let parsed: ReturnType<Environment["parse"]>;
  try {
    parsed = environment.parse(written);
  } catch (error) {
    return { ok: false, problem: syntaxProblem(error, written) };
  }
  const refused = refusedIn(parsed.ast);
  if (refused !== null) return { ok: false, problem: refused };
  const checked = parsed.check();
  if (!checked.valid || (checked.type !== "bool" && checked.type !== "dyn")) {
    const why = checked.valid ? `it is ${checked.type}` : checked.error?.message.split("\n")[0];
    const help = "ask `submitter`, `git`, `trigger`, `pipeline`, `environments`, `uses` or `steps`";
    return { ok: false, problem: { message: `this is no condition over a plan: ${why}`, help } };
  }
  return {
    ok: true,
    holds: (plan, submitter) => {
      try {
        return parsed(contextOf(plan, submitter)) === true;
      } catch {
        return false;
      }
    },
  };
}

function contextOf(plan: Plan, submitter: Submitter): Record<string, unknown> {
  const { branch, tag, commit, trigger } = plan.context;
  const included = plan.steps.filter((step) => step.included);
  const named = included.flatMap((step) => (step.environment === null ? [] : [step.environment]));
  return {
    submitter: { ...submitter },
    git: { branch: branch ?? "", tag: tag ?? "", commit: commit ?? "" },
    trigger,
    pipeline: plan.pipeline,
    environments: [...new Set(named)],
    uses: (plan.uses ?? []).map(({ source }) => source),
    steps: included.map((step) => ({
      name: step.name,
      environment: step.environment ?? "",
      effect: step.effect,
      sandbox: leastSandboxOf(step),
      image: step.image?.name ?? "",
      credentials: (step.credentials ?? []).map(({ name }) => name),
    })),
  };
}
