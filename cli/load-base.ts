/**
 * The plan that a commit's own files give, with the facts of now: branch, tag, commit, trigger and parameters are
 * those of the plan it is compared with, so that every difference comes from the files.
 */

import { isAbsolute, relative, resolve, sep } from "node:path";
import { type CommitFile, readCommitFile, readCommitFiles } from "../node/edge/commit-files.ts";
import { commitNamed } from "../node/edge/snapshot.ts";
import { planId, planPipeline } from "../planner/plan.ts";
import { readWritten, type Written } from "../planner/written.ts";
import { OttoError } from "../protocol/errors.ts";
import type { Plan } from "../protocol/plan.ts";
import {
  fileNames,
  type LoadedPlan,
  type LoadOptions,
  parseParameters,
  PipelineError,
  textsOf,
} from "./load-plan.ts";
import { bringUses } from "./uses/bring.ts";
import { pinsIn } from "./uses/lock.ts";
import { CommitFolder } from "./uses/repository.ts";

export type BasePlan = {
  /** Null for the plan of a run that was made outside of a repository. */
  readonly commit: string | null;
  /** The run that had the plan; null for a plan that was made from a commit. */
  readonly run: string | null;
  /** Null when the commit has no pipeline: no file, and nothing that shows how to test. */
  readonly plan: Plan | null;
  readonly planId: string | null;
  /** Its places are called `REVISION:otto.yaml`. */
  readonly written: Written | null;
};

/** @param revision any name of a commit that git knows. Throws as `loadPlan` does, and `OTTO_NO_REPOSITORY`. */
export async function loadBase(
  current: LoadedPlan,
  revision: string,
  options: LoadOptions,
): Promise<BasePlan> {
  const { root } = current;
  const commit = await commitNamed(root, revision);
  const file = await readCommitFile(root, commit, pathsFor(root, options));
  if (file !== null) return planFile({ root, file, revision, commit, current, options });
  if (options.file !== undefined) return { commit, run: null, plan: null, planId: null, written: null };
  const [{ detectPipeline }, { planDetected }] = await Promise.all([
    import("../planner/conventions/detect.ts"),
    import("../planner/conventions/plan-detected.ts"),
  ]);
  const detection = detectPipeline(await readCommitFiles(root, commit));
  if (detection.kind === "nothing") return { commit, run: null, plan: null, planId: null, written: null };
  const plan = planDetected(detection, { ...current.plan.context, parameters: {} });
  return { commit, run: null, plan, planId: planId(plan), written: null };
}

function pathsFor(root: string, { file, folder }: LoadOptions): readonly string[] {
  if (file === undefined) return fileNames;
  const inside = relative(root, resolve(folder, file));
  if (inside !== ".." && !inside.startsWith(`..${sep}`) && !isAbsolute(inside)) {
    return [inside.split(sep).join("/")];
  }
  throw new OttoError("OTTO_USAGE", {
    what: `The file ${file} is not in the repository ${root}, so no commit has it.`,
    state: "Nothing was compared.",
    next: "Name a file of the repository, or leave out --diff.",
  });
}

async function planFile(source: {
  readonly root: string;
  readonly file: CommitFile;
  readonly revision: string;
  readonly commit: string;
  readonly current: LoadedPlan;
  readonly options: LoadOptions;
}): Promise<BasePlan> {
  const { root, file, revision, commit, current, options } = source;
  const text = new TextDecoder("utf-8").decode(file.bytes);
  const name = `${revision}:${file.path}`;
  const repository = new CommitFolder(root, commit);
  const pins = await pinsIn(repository, file.path);
  const { imports, images } = await bringUses(file.bytes, { repository, pins, prefix: `${revision}:` });
  const written = readWritten(text, name, imports);
  // A parameter that was not declared yet cannot have been given.
  const given = Object.entries(parseParameters(options.parameters ?? [])).filter(
    ([parameter]) => written === null || written.pipeline.parameters.has(parameter),
  );
  const planned = await planPipeline({
    text: file.bytes,
    path: file.path,
    context: { ...current.plan.context, parameters: Object.fromEntries(given) },
    changes: current.changed,
    imports,
    images,
  });
  if (!planned.ok) {
    const named = (path: string): string => (path === file.path ? name : path);
    const diagnostics = planned.problem.map(({ related, ...diagnostic }) => ({
      ...diagnostic,
      file: named(diagnostic.file),
      ...(related === undefined
        ? {}
        : {
            related: related.map((place) =>
              place.file === undefined ? place : { ...place, file: named(place.file) },
            ),
          }),
    }));
    const texts = textsOf(name, text, imports);
    throw new PipelineError(name, diagnostics, texts, "Compare with a commit whose pipeline can be planned.");
  }
  return { commit, run: null, plan: planned.value, planId: planId(planned.value), written };
}
