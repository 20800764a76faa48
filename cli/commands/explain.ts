/**
 * `otto explain`: everything that a run of this pipeline can do, before anything runs. Reads, and changes nothing.
 */

import { writeFile } from "node:fs/promises";
import { styleText } from "node:util";
import { exposedLabel } from "../../planner/action-words.ts";
import type { Side } from "../../planner/diff/plan-diff.ts";
import { explainJson, explainPlan } from "../../planner/explain.ts";
import type { Imports } from "../../planner/imports.ts";
import { suggestion } from "../../planner/suggestions.ts";
import type { Written } from "../../planner/written.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import type { Plan } from "../../protocol/plan.ts";
import type { TargetOptions } from "../target.ts";
import { wantsColor } from "../render/renderer.ts";
import { type LoadedPlan, loadPlan, type LoadOptions, PipelineError } from "../load-plan.ts";

export type ExplainOptions = LoadOptions &
  TargetOptions & {
    readonly json?: boolean;
    /** A step or a cell by its name, or a step with a matrix for all its cells. */
    readonly step?: string;
    /** "mermaid" or "svg", as typed. */
    readonly graph?: string;
    /** A commit, by any name that git knows, or a plan that ran: only what differs from it. */
    readonly diff?: string;
    /** With `diff`: end with 1 when there is a difference. */
    readonly exitCode?: boolean;
    /** A file for what would go to standard output. */
    readonly output?: string;
    /** A policy file; `true`: the policy of the domain of the asked node. */
    readonly policy?: string | true;
    /** A file that says what happened, or `-`: what starts nothing is not explained, but for programs. */
    readonly event?: string;
  };

/** Writes the explanation to standard output; what cannot be explained is an error, with `--json` a value too. */
export async function explain(options: ExplainOptions): Promise<ExitCode> {
  const json = options.json === true;
  checkWords(options);
  try {
    const loaded = await loadPlan(options);
    // Beside a picture or a JSON value there is no room for a sentence.
    const isText = !json && options.graph === undefined;
    if (loaded.notStarted !== null && isText) await write(`${loaded.notStarted}\n`, options.output);
    if (loaded.notStarted !== null && isText) return exitCodes.passed;
    if (options.diff === undefined) {
      await write(await textOf(loaded, options), options.output);
      return exitCodes.passed;
    }
    const { isSame, text } = await diffOf(loaded, options.diff, options);
    await write(text, options.output);
    return isSame || options.exitCode !== true ? exitCodes.passed : exitCodes.failed;
  } catch (error) {
    if (!json || !(error instanceof OttoError)) throw error;
    const { code, state = null, next } = error;
    const diagnostics = error instanceof PipelineError ? error.diagnostics : [];
    // The mistakes one by one are in `diagnostics`; what they come to is the first line.
    const message = error.message.split("\n", 1)[0] ?? "";
    await write(jsonText({ otto: "explain/1", code, message, state, next, diagnostics }), options.output);
    return error.exitCode;
  }
}

function checkWords({ graph, step, json, diff, exitCode }: ExplainOptions): void {
  if (diff !== undefined && (graph !== undefined || step !== undefined)) {
    throw usage(
      "A difference is of whole plans, and no picture.",
      "Leave out --step and --graph, or --diff.",
    );
  }
  if (exitCode === true && diff === undefined) {
    throw usage("--exit-code says whether plans differ, and no other plan is named.", "Add --diff BASE");
  }
  if (graph !== undefined && graph !== "mermaid" && graph !== "svg") {
    throw usage(`"${graph}" is no kind of graph.`, "Write --graph mermaid or --graph svg");
  }
  if (graph !== undefined && (step !== undefined || json === true)) {
    throw usage("A graph shows the whole plan, as a picture.", "Leave out --step and --json, or --graph.");
  }
}

function usage(what: string, next: string): OttoError {
  return new OttoError("OTTO_USAGE", { what, state: "Nothing was explained.", next });
}

async function textOf(loaded: LoadedPlan, options: ExplainOptions): Promise<string> {
  const { step, graph, json = false } = options;
  if (step !== undefined) return stepText(loaded, step, json);
  if (graph === "svg") return (await import("../../planner/graph/svg.ts")).svgOf(loaded.plan, loaded.planId);
  if (graph === "mermaid") {
    return (await import("../../planner/graph/mermaid.ts")).mermaidOf(loaded.plan, loaded.planId);
  }
  return wholeText(loaded, options, json);
}

async function wholeText(
  { plan, planId, detection, notStarted }: LoadedPlan,
  { policy, ...target }: ExplainOptions,
  json: boolean,
): Promise<string> {
  const asked =
    policy === undefined ? null : await (await import("../demands.ts")).demands(policy, plan, target);
  if (!json) return explainPlan(plan, planId, detection) + (asked?.text ?? "");
  const explanation = explainJson(plan, planId, detection);
  const policyJson = asked === null ? {} : { policy: asked.demands };
  return jsonText({ ...explanation, ...policyJson, ...(notStarted === null ? {} : { notStarted }) });
}

async function stepText(loaded: LoadedPlan, name: string, json: boolean): Promise<string> {
  const { plan, planId } = loaded;
  const [{ explainSteps, stepsNamed }, { stepsText }, { readWritten }] = await Promise.all([
    import("../../planner/step-reasons.ts"),
    import("../../planner/step-words.ts"),
    import("../../planner/written.ts"),
  ]);
  const steps = stepsNamed(plan, name);
  if (steps.length === 0) throw noSuchStep(plan, name);
  const { written, changed } = await sideOf(loaded, readWritten);
  const reasons = explainSteps(plan, steps, written, changed);
  const explanation = { otto: "explain-step/1", planId, steps: reasons } as const;
  return json ? jsonText(explanation) : stepsText(explanation);
}

async function diffOf(
  loaded: LoadedPlan,
  base: string,
  options: ExplainOptions,
): Promise<{ readonly isSame: boolean; readonly text: string }> {
  const [{ loadBase }, { diffPlans }, { diffText }, { readWritten }] = await Promise.all([
    import("../load-base.ts"),
    import("../../planner/diff/plan-diff.ts"),
    import("../../planner/diff/diff-words.ts"),
    import("../../planner/written.ts"),
  ]);
  const { planId } = loaded;
  const { wantedRunPlan, loadRunPlan } = await import("../run-base.ts");
  const wanted = await wantedRunPlan(base, loaded.plan, loaded.root);
  const old = wanted === null ? await loadBase(loaded, base, options) : await loadRunPlan(wanted, options);
  const current = await sideOf(loaded, readWritten);
  // The plan of a commit is made with the same changes; those of a run are not at hand.
  const changed = wanted === null ? current.changed : null;
  const before = old.plan === null ? null : { plan: old.plan, written: old.written, changed };
  const diff = diffPlans(before, current);
  const isSame = old.planId === planId;
  const { commit, run } = old;
  const json = {
    otto: "explain-diff/1",
    same: isSame,
    base: { name: base, commit, run, planId: old.planId },
    planId,
  };
  const ids = { base: run === null ? base : `${base} (run ${run})`, basePlanId: old.planId, planId };
  return { isSame, text: options.json === true ? jsonText({ ...json, ...diff }) : diffText(diff, ids) };
}

async function sideOf(
  { plan, text, changed, brought }: LoadedPlan,
  read: (text: string, path: string, imports: Imports) => Written | null,
): Promise<Required<Side>> {
  const written =
    text === null || plan.origin.kind !== "file" ? null : read(text, plan.origin.path, brought.imports);
  return { plan, written, changed: plan.context.changes === undefined ? null : await changed() };
}

function noSuchStep(plan: Plan, name: string): OttoError {
  const names = new Set(plan.steps.flatMap((step) => [step.name, step.from]));
  const hint = suggestion(name, [...names], "step");
  return new OttoError("OTTO_NO_SUCH_STEP", {
    what: `The plan has no step called "${name}".`,
    state: "Nothing was explained.",
    next: `${hint.charAt(0).toUpperCase()}${hint.slice(1)}`,
  });
}

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** To a file, whatever was in it; else to standard output. */
async function write(text: string, path: string | undefined): Promise<void> {
  if (path === undefined) return print(text);
  try {
    await writeFile(path, text);
  } catch (error) {
    throw new OttoError("OTTO_FILE_UNREADABLE", {
      what: `${path} cannot be written: ${error instanceof Error ? error.message : String(error)}.`,
      state: "Nothing was written there, or not all of it.",
      next: "Name a file that you may write, or leave --output out.",
      cause: error,
    });
  }
}

/** Ends when the text has left this process, or when nobody reads any further (`otto explain | head`). */
function print(text: string): Promise<void> {
  const { stdout } = process;
  const shown = wantsColor(stdout) ? reddened(text) : text;
  return new Promise((resolve, reject) => {
    stdout.write(shown, (error) => {
      if (error === null || error === undefined || ("code" in error && error.code === "EPIPE")) resolve();
      else reject(error);
    });
  });
}

/** The lines that nobody should miss. */
function reddened(text: string): string {
  const lines = text.split("\n");
  return lines
    .map((line) =>
      line.trimStart().startsWith(exposedLabel) ? styleText("red", line, { validateStream: false }) : line,
    )
    .join("\n");
}
