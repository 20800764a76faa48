/**
 * `otto schedule`: pipelines that the mesh starts by itself at the slots of their schedules.
 *
 * Plan and files are fixed when it is registered, so the plan's id is known ahead. A pipeline is registered again, by its
 * name, to have it run as it is now.
 */

import { userInfo } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { askFor } from "../../node/edge/client.ts";
import type { ScheduleSeen } from "../../protocol/calls.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { nextSlot } from "../../protocol/registers/schedule.ts";
import { isStandingOrder, type OrderedSlots, type StandingOrder } from "../../protocol/standing-order.ts";
import { type LoadedPlan, loadPlan, type LoadOptions } from "../load-plan.ts";
import { wantsColor } from "../render/renderer.ts";
import { missedLines, schedulesTable } from "../render/schedules.ts";
import { type SourceOptions, submitRun } from "../submit-run.ts";
import { findTarget, type Target, type TargetOptions, targetWords } from "../target.ts";
import { momentWords } from "../words.ts";

type JsonOption = { readonly json?: boolean };
export type AddOptions = LoadOptions & SourceOptions & TargetOptions & JsonOption;
export type ListOptions = TargetOptions & JsonOption;

export async function addSchedule(options: AddOptions): Promise<ExitCode> {
  const loaded = await loadPlan({ ...options, trigger: "schedule" });
  const slots = slotsOf(loaded);
  const target = await findTarget(options);
  try {
    const { pipeline } = loaded.plan;
    const before = (await schedulesOf(target)).find((schedule) => schedule.pipeline === pipeline);
    // Above what is there, whatever the clock of this machine says.
    const order: StandingOrder = { revision: Math.max(Date.now(), (before?.revision ?? 0) + 1), slots };
    if (!isStandingOrder(order)) throw tooMany();
    const { run: id, notices } = await submitRun(loaded, target, { ...options, order });
    for (const notice of notices) process.stderr.write(`otto: ${notice}\n`);
    const seen = await untilSet(target, pipeline, order);
    process.stdout.write(
      options.json === true
        ? `${JSON.stringify({ otto: "scheduled/1", order: id, plan: loaded.planId, isSet: seen?.order?.id === id })}\n`
        : addedText(loaded, id, seen, options),
    );
    return exitCodes.passed;
  } finally {
    await target.close();
  }
}

export async function listSchedules(options: ListOptions): Promise<ExitCode> {
  const target = await findTarget(options);
  try {
    const known = await schedulesOf(target);
    const schedules = known.filter(({ order }) => order !== null);
    const { stdout } = process;
    const style = {
      nowMs: Date.now(),
      color: wantsColor(stdout),
      columns: stdout.isTTY ? stdout.columns : null,
    };
    const lines =
      options.json === true
        ? schedules.map((schedule) => JSON.stringify({ ...schedule, nextMs: nextOf(schedule, style.nowMs) }))
        : [...schedulesTable(schedules, style), ...missedLines(known, style)];
    stdout.write(lines.map((line) => `${line}\n`).join(""));
    return exitCodes.passed;
  } finally {
    await target.close();
  }
}

export async function removeSchedule(pipeline: string, options: TargetOptions): Promise<ExitCode> {
  const target = await findTarget(options);
  try {
    const { certificate } = target;
    const by = userInfo().username;
    await askFor(await target.open(), { call: "remove-schedule", certificate, pipeline, by }, "done");
    process.stdout.write(`The schedule of ${pipeline} is removed; what it has started goes on.\n`);
    return exitCodes.passed;
  } finally {
    await target.close();
  }
}

/** Every schedule that the domain knows, those that were removed among them. */
export async function schedulesOf(target: Target): Promise<readonly ScheduleSeen[]> {
  const { certificate } = target;
  return (await askFor(await target.open(), { call: "schedules", certificate }, "schedules")).schedules;
}

function nextOf({ order, settledMs }: ScheduleSeen, nowMs: number): number | null {
  return nextSlot({ order, settledMs: Math.max(settledMs, nowMs) });
}

function slotsOf({ plan }: LoadedPlan): readonly OrderedSlots[] {
  const slots = (plan.triggers ?? []).flatMap((trigger) =>
    trigger.kind === "schedule" ? [{ cron: trigger.cron, missed: trigger.missed }] : [],
  );
  if (slots.length > 0) return slots;
  throw new OttoError("OTTO_USAGE", {
    what: `The pipeline ${plan.pipeline} has no schedule.`,
    state: "Nothing was registered.",
    next: 'Write one into the pipeline file: triggers: [{ schedule: "0 3 * * *" }]',
  });
}

function tooMany(): OttoError {
  return new OttoError("OTTO_USAGE", {
    what: `A pipeline has at most ${limits.schedulesPerOrderMax} schedules, each of ${limits.cronCharactersMax} characters.`,
    state: "Nothing was registered.",
    next: "Use ranges and steps: `0 8-18/2 * * 1-5` stands for thirty slots.",
  });
}

/** The domain decides once a majority of its control peers hold the files: asked for until it has, or for a while. */
async function untilSet(
  target: Target,
  pipeline: string,
  { revision }: StandingOrder,
): Promise<ScheduleSeen | null> {
  const deadlineMs = Date.now() + limits.questionMsMax;
  for (;;) {
    const seen = (await schedulesOf(target)).find((schedule) => schedule.pipeline === pipeline);
    if (seen !== undefined && seen.revision >= revision) return seen;
    if (Date.now() >= deadlineMs) return null;
    await sleep(limits.tickMs);
  }
}

function addedText(
  { plan: { pipeline }, planId }: LoadedPlan,
  id: string,
  seen: ScheduleSeen | null,
  options: TargetOptions,
): string {
  const look = `Look at it with: otto schedule ls${targetWords(options)}\n`;
  if (seen === null)
    return `The schedule of ${pipeline} is kept here, and is set as soon as a majority of the control peers hold its files.\n${look}`;
  if (seen.order?.id !== id)
    return `The schedule of ${pipeline} was registered anew or removed by somebody else at the same time.\n${look}`;
  const nextMs = nextOf(seen, Date.now());
  const next = nextMs === null ? "" : ` The next slot is ${momentWords(nextMs)}.`;
  return `The schedule of ${pipeline} is set: ${seen.order.slots.map(({ cron }) => cron).join("; ")} (UTC).${next}\nEach slot runs plan ${planId} with the files of now; register it again after a change.\n`;
}
