/**
 * The plan of a run as the base of a difference: `otto explain --diff last`, `--diff environment:NAME`, or the beginning
 * of a plan's id. A node is asked for it; the file that it was made from is not at hand.
 */

import { commitNamed } from "../node/edge/snapshot.ts";
import { askFor } from "../node/edge/client.ts";
import { OttoError } from "../protocol/errors.ts";
import type { Plan } from "../protocol/plan.ts";
import type { WantedPlan } from "../protocol/requests.ts";
import type { BasePlan } from "./load-base.ts";
import { findTarget, type TargetOptions } from "./target.ts";

const environmentPrefix = "environment:";
/** Every plan's id begins with the same seven characters, which tell nothing. */
const idBeginning = /^bafyrei[a-z2-7]+$/;

/** Null when the words name a commit. A commit by a name that could be an id's beginning comes first. */
export async function wantedRunPlan(words: string, plan: Plan, root: string): Promise<WantedPlan | null> {
  const { pipeline, context } = plan;
  if (words === "last") {
    const { branch, tag } = context;
    if (branch !== null || tag !== null) return { by: "ref", pipeline, branch, tag };
    throw new OttoError("OTTO_USAGE", {
      what: "What is checked out is no branch and no tag, so none of its runs can be the last.",
      state: "Nothing was compared.",
      next: "Check out a branch, or name a commit or a plan: otto explain --diff REVISION",
    });
  }
  if (words.startsWith(environmentPrefix)) {
    const environment = words.slice(environmentPrefix.length);
    if (Object.hasOwn(plan.environments, environment)) return { by: "environment", pipeline, environment };
    const names = Object.keys(plan.environments);
    throw new OttoError("OTTO_USAGE", {
      what: `The pipeline has no environment called "${environment}".`,
      state: "Nothing was compared.",
      next: names.length === 0 ? "Name a commit or a plan." : `It has: ${names.join(", ")}`,
    });
  }
  if (!idBeginning.test(words) || (await isCommit(root, words))) return null;
  return { by: "id", id: words };
}

export async function loadRunPlan(wanted: WantedPlan, options: TargetOptions): Promise<BasePlan> {
  const target = await findTarget(options);
  try {
    const request = { call: "find-plan", certificate: target.certificate, wanted } as const;
    const { run, plan, planId } = await askFor(await target.open(), request, "found-plan");
    return { commit: plan.context.commit, run, plan, planId, written: null };
  } finally {
    await target.close();
  }
}

async function isCommit(root: string, name: string): Promise<boolean> {
  try {
    await commitNamed(root, name);
    return true;
  } catch (error) {
    if (error instanceof OttoError && (error.code === "OTTO_USAGE" || error.code === "OTTO_NO_REPOSITORY"))
      return false;
    throw error;
  }
}
