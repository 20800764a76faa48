/** `otto gate`: steps that wait for what the domain's policy demands before they begin, or before how they ended counts, and what each of them lacks. */

import { askFor } from "../../node/edge/client.ts";
import { whatIsJudged } from "../../protocol/attempt-content.ts";
import type { GateSeen } from "../../protocol/calls.ts";
import { type ExitCode, OttoError } from "../../protocol/errors.ts";
import { visible } from "../render/sanitize.ts";
import { type Target, type TargetOptions, targetWords, withTarget } from "../target.ts";
import { momentWords, shellWord, shortId } from "../words.ts";

/** Of a digest, for a person to hand on: nobody finds another one that begins so. */
export const givenDigits = 16;

export type GateOptions = TargetOptions & { readonly json?: boolean };

/** Gates of the domain that are closed now. Throws when the node shows something else than what an approval would be for. */
export async function gatesOf(target: Target): Promise<readonly GateSeen[]> {
  const { certificate } = target;
  const { gates } = await askFor(await target.open(), { call: "gates", certificate }, "gates");
  for (const gate of gates) if (whatIsJudged(gate) !== gate.given) throw shownOtherwise(gate);
  return gates;
}

function shownOtherwise({ run, step }: GateSeen): OttoError {
  return new OttoError("OTTO_MESSAGE_INVALID", {
    what: `What the node shows of ${step} of run ${run} is not what an approval would be for.`,
    state: "Nothing was said.",
    next: "Ask another control peer, with --peer or --node, and tell the owner of the domain whom you asked.",
  });
}

export async function listGates(options: GateOptions): Promise<ExitCode> {
  return tell(options, async (target) => {
    const gates = await gatesOf(target);
    if (options.json === true) return gates.map((gate) => JSON.stringify(gate));
    if (gates.length === 0) return ["No step waits at a gate."];
    const lines = gates.flatMap(({ run, step, environment, missing, untilMs, ended }) => [
      `${run}  ${step}  gate ${ended === undefined ? "of" : "after it of"} ${environment}, until ${momentWords(untilMs)} UTC`,
      ...(missing.length === 0 ? ["  control peers are asked to sign"] : missing.map((one) => `  ${one}`)),
    ]);
    return lines.map(visible);
  });
}

export async function whyGate(
  run: string,
  step: string | undefined,
  options: GateOptions,
): Promise<ExitCode> {
  return tell(options, async (target) => {
    const gates = (await gatesOf(target)).filter((gate) => gate.run.startsWith(run) || gate.run === run);
    const gate = step === undefined && gates.length === 1 ? gates[0] : gates.find((one) => one.step === step);
    if (gate === undefined) throw noGate(run, step, gates);
    if (options.json === true) return [JSON.stringify(gate)];
    return whyLines(gate, options).map(visible);
  });
}

function whyLines(gate: GateSeen, options: TargetOptions): string[] {
  const { run, step, environment, missing, refusals, approvedBy, untilMs, given, ended } = gate;
  const until = `until ${momentWords(untilMs)} UTC`;
  const lines = [
    ended === undefined
      ? `${step} of run ${run} waits at the gate of ${environment} ${until}.`
      : `${step} of run ${run} ended as ${ended.outcome}, which counts once the gate after it of ${environment} is open, ${until} at most.`,
  ];
  for (const one of missing) lines.push(`  missing: ${one}`);
  for (const by of approvedBy) lines.push(`  approved by ${by}`);
  for (const [peer, why] of Object.entries(refusals)) lines.push(`  ${shortId(peer)} does not sign: ${why}`);
  if (missing.length === 0 && Object.keys(refusals).length === 0)
    lines.push("  nothing is missing: a majority of the control peers is asked to sign");
  lines.push(...shownLines(gate));
  lines.push(`An approval is for exactly this: ${given}`);
  const only = ` --given ${given.slice(0, givenDigits)}`;
  lines.push(`Approve it with: otto approve ${run} ${shellWord(step)}${only}${targetWords(options)}`);
  return lines;
}

/** What the step is given, and what it has made, each a line. */
export function shownLines({ inputs, values = [], ended }: GateSeen): string[] {
  const told = ended === undefined ? "is" : "was";
  return [
    ...inputs.map(({ name, tree }) => `  it ${told} given ${name}: ${tree}`),
    ...values.map(({ name, value }) => `  it ${told} given ${name} = ${String(value)}`),
    ...(ended?.outputs ?? []).map(({ name, tree }) => `  it made ${name}: ${tree}`),
    ...Object.entries(ended?.values ?? {}).map(([name, value]) => `  it said ${name} = ${String(value)}`),
  ];
}

function noGate(run: string, step: string | undefined, gates: readonly GateSeen[]): OttoError {
  const named = step === undefined ? "No step" : `Step ${step}`;
  const several = step === undefined && gates.length > 1;
  return new OttoError("OTTO_NO_SUCH_STEP", {
    what: several
      ? `Several steps of run ${run} wait at gates.`
      : `${named} of run ${run} does not wait at a gate now.`,
    state: "Nothing was said.",
    next: several
      ? `Name one: ${gates.map((gate) => shellWord(gate.step)).join(", ")}`
      : `See what it does with \`otto status ${run}\`, and all gates with \`otto gate ls\`.`,
  });
}

function tell(
  options: TargetOptions,
  lines: (target: Target) => Promise<readonly string[]>,
): Promise<ExitCode> {
  return withTarget(options, async (target) => {
    process.stdout.write((await lines(target)).map((line) => `${line}\n`).join(""));
  });
}
