/**
 * Where a guarded step's files come from, held against what a policy demands: which domain made them, by which pipeline and
 * step, from which ref and source, at which level. A control peer knows it from its own records, or from a provenance that
 * it was shown and has checked itself.
 */

import { isTrusted, type Plan, type PlannedStep } from "../../protocol/plan.ts";
import type { ProvenanceDemand } from "../../protocol/policy.ts";
import { buildLevel } from "../../protocol/provenance/level.ts";
import { foreignDomainOf } from "../../protocol/release.ts";
import { fitsOne } from "../name-patterns.ts";

/** How the files of one input came to be. */
export type Origin = {
  /** The name of the input. */
  readonly input: string;
  /** The domain by its name, and by its id where that is known. */
  readonly domain: readonly string[];
  readonly pipeline: string;
  readonly step: string;
  /** As a policy's `refs` name it; "": of none that is known. */
  readonly ref: string;
  /** `git+URL`; "": files of whoever submitted them. */
  readonly source: string;
  readonly level: number;
};

export type OriginContext = {
  /** The domain whose run it is. */
  readonly domain: { readonly name: string; readonly id: string };
  /** Where the commit of the run is fetched from; null: its files came with the submission. */
  readonly repository: string | null;
};

/** By the plan alone: which step of the run makes what, and how. */
export function originsOf(
  plan: Plan,
  step: PlannedStep,
  { domain, repository }: OriginContext,
): readonly Origin[] {
  return step.inputs.flatMap(({ name: input, step: from }) => {
    const maker = plan.steps.find(({ name }) => name === from);
    if (maker === undefined) return [];
    const foreign = foreignDomainOf(plan, maker, domain.name);
    return {
      input,
      domain: foreign === null ? [domain.name, domain.id] : [foreign],
      pipeline: plan.pipeline,
      step: maker.from,
      ref: refOf(plan),
      source: sourceOf(repository),
      level: buildLevel(maker, foreign ?? domain.name),
    };
  });
}

/** A branch, `tag:` and a tag, or `pull-request:` and a branch; "" when none is known. */
export function refOf(plan: Plan): string {
  const { branch, tag } = plan.context;
  if (!isTrusted(plan)) return `pull-request:${branch ?? ""}`;
  return tag === null ? (branch ?? "") : `tag:${tag}`;
}

/** @param repository null: the files came with the submission. */
export function sourceOf(repository: string | null): string {
  // A password in a URL is nobody's to read.
  return repository === null ? "" : `git+${repository.replace(/\/\/[^/@]*@/u, "//")}`;
}

/** What is demanded of the inputs that a step has and does not hold for any origin that is known of each, in sentences. */
export function missingOrigins(
  demands: readonly ProvenanceDemand[],
  inputs: readonly string[],
  origins: readonly Origin[],
): readonly string[] {
  return demands.flatMap((demand) => {
    const { inputs: patterns } = demand;
    const named = inputs.filter((name) => patterns === undefined || fitsOne(patterns, name));
    if (named.length === 0 && patterns !== undefined)
      return [`it is given no input that is called ${patterns.join(", ")}`];
    return named.flatMap((name) => {
      const why = origins.filter(({ input }) => input === name).map((origin) => whyNot(demand, origin));
      if (why.includes(null)) return [];
      return [`the input ${name} ${why.length === 0 ? "has no provenance" : why.join("; ")}`];
    });
  });
}

function whyNot(demand: ProvenanceDemand, origin: Origin): string | null {
  const { domains, pipelines, steps, refs, sources, level = 1 } = demand;
  const { domain, pipeline, step, ref, source } = origin;
  if (domains !== undefined && !domain.some((name) => fitsOne(domains, name)))
    return `was made by the domain ${domain[0] ?? ""}, not by ${domains.join(", ")}`;
  if (pipelines !== undefined && !fitsOne(pipelines, pipeline))
    return `was made by the pipeline ${pipeline}, not by ${pipelines.join(", ")}`;
  if (steps !== undefined && !fitsOne(steps, step))
    return `was made by the step ${step}, not by ${steps.join(", ")}`;
  if (refs !== undefined && !fitsRef(refs, ref))
    return `was made from ${ref === "" ? "no ref that is known" : ref}, not from ${refs.join(", ")}`;
  if (sources !== undefined && !fitsOne(sources, source))
    return `was made from ${source === "" ? "files of whoever submitted them" : source}, not from ${sources.join(", ")}`;
  return origin.level >= level
    ? null
    : `was made by ${step} at Build L${origin.level}, and L${level} is demanded`;
}

/** What comes by a pull request may call its branch as it likes: it fits only where pull requests are named. */
export function fitsRef(refs: readonly string[], ref: string): boolean {
  const byPullRequest = "pull-request:";
  const named = refs.filter((one) => one.startsWith(byPullRequest) === ref.startsWith(byPullRequest));
  return fitsOne(named, ref);
}

/** A demand in words, for `otto explain`. */
export function originWords(demand: ProvenanceDemand): string {
  const { inputs, domains, pipelines, steps, refs, sources, level = 1 } = demand;
  const parts = [
    ["the domain", domains],
    ["the pipeline", pipelines],
    ["the step", steps],
  ] as const;
  const by = parts.flatMap(([what, names]) => (names === undefined ? [] : [`${what} ${names.join(" or ")}`]));
  const from = [...(refs ?? []), ...(sources ?? [])];
  const what = inputs === undefined ? "every input" : `the input ${inputs.join(", ")}`;
  return `${what} was made at Build L${level}${by.length === 0 ? "" : ` by ${by.join(", ")}`}${from.length === 0 ? "" : ` from ${from.join(", ")}`}`;
}
