/**
 * What a step takes is what the report that counted of the other step said: in every grant, also one that is told again
 * or by the next home, and in what the executor was given.
 */

import type { GivenValue } from "../../protocol/messages.ts";
import { inputVariable } from "../../protocol/names.ts";
import type { PlannedStep, Scalar } from "../../protocol/plan.ts";
import { type Checker, type Ending, Violation } from "../observation.ts";

export function valuesChecker(): Checker {
  const grants: { readonly run: string; readonly index: number; readonly values: readonly GivenValue[] }[] =
    [];
  const started: { readonly run: string; readonly step: string; readonly variables: Variables }[] = [];
  return {
    name: "values",
    looksAt: ["sent grant", "step-started"],
    observe: (observation) => {
      if (observation.kind === "sent" && observation.message.kind === "grant")
        for (const { run, index, values = [] } of observation.message.leases)
          grants.push({ run, index, values });
      if (observation.kind !== "step-started") return;
      const { run, step, surroundings } = observation.assignment;
      started.push({ run, step, variables: inputsIn(surroundings) });
    },
    finish: (ending) => {
      if (!ending.finished) return;
      const said = saidIn(ending);
      const plans = new Map(ending.submissions.map(({ run, manifest }) => [run, manifest.plan.steps]));
      for (const { run, index, values } of grants) {
        const planned = plans.get(run)?.[index];
        if (planned !== undefined)
          compare(`${run}/${planned.name} was granted`, values, expected(run, planned, said));
      }
      for (const { run, step, variables } of started) {
        const planned = plans.get(run)?.find(({ name }) => name === step);
        if (planned === undefined) continue;
        const wanted = expected(run, planned, said).map(({ name, value }) => [
          inputVariable(name),
          String(value),
        ]);
        compare(`${run}/${step} was started with`, variables, wanted.sort());
      }
    },
  };
}

type Variables = readonly (readonly [string, string])[];

function inputsIn(surroundings: Readonly<Record<string, string>>): Variables {
  return Object.entries(surroundings)
    .filter(([name]) => name.startsWith("OTTO_INPUT_"))
    .sort();
}

/** What every step said that ended, by run and step. */
function saidIn({ controls }: Ending): ReadonlyMap<string, Readonly<Record<string, Scalar>>> {
  const said = new Map<string, Readonly<Record<string, Scalar>>>();
  const ended = new Set(
    controls.flatMap(({ events }) =>
      events.flatMap((event) => (event.kind === "step-settled" ? [`${event.run}/${event.step}`] : [])),
    ),
  );
  for (const { events } of controls)
    for (const event of events) {
      // What was held counts, unless a no or time has ended it; or nobody was given what it said.
      const isHeld = event.kind === "attempt-ended" && event.held === true;
      const isLetCount = isHeld && !ended.has(`${event.run}/${event.step}`);
      const counts = event.kind === "attempt-ended" && (event.final || isLetCount);
      if (!counts || event.report?.values === undefined) continue;
      const key = `${event.run}/${event.step}`;
      const before = said.get(key);
      if (before !== undefined) compare(`${key} is told to have said`, event.report.values, before);
      said.set(key, event.report.values);
    }
  return said;
}

function expected(
  run: string,
  planned: PlannedStep,
  said: ReadonlyMap<string, Readonly<Record<string, Scalar>>>,
): GivenValue[] {
  return (planned.valueInputs ?? []).flatMap(({ name, step, value }) => {
    const given = said.get(`${run}/${step}`)?.[value];
    return given === undefined ? [] : [{ name, value: given }];
  });
}

function compare(what: string, found: unknown, wanted: unknown): void {
  if (JSON.stringify(found) === JSON.stringify(wanted)) return;
  throw new Violation("values", `${what} ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
}
