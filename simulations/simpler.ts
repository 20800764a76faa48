/**
 * Schedules that are a little simpler than one: each has one thing less, or one thing calmer. The coarse come first, so
 * that a search which takes the first that still fails has little left by the time that it tries the fine.
 */

import { parsePlan } from "../protocol/plan-check.ts";
import type { Plan, PlannedStep } from "../protocol/plan.ts";
import type { Fault } from "./faults.ts";
import type { PeerName } from "./observation.ts";
import { peersOf } from "./read-schedule.ts";
import { isRuledFalsely, type Schedule, type ScheduledPeer, type ScheduledRun } from "./schedule.ts";

export function simplerSchedules(schedule: Schedule): Schedule[] {
  return [
    ...schedule.runs.map((_, index) => ({ ...schedule, runs: without(schedule.runs, index) })),
    ...fewerOrders(schedule),
    ...fewerGates(schedule),
    ...schedule.peers.flatMap(({ name }) => withoutPeer(schedule, name)),
    ...schedule.runs.flatMap((run, index) =>
      simplerRuns(run).map((simpler) => ({ ...schedule, runs: schedule.runs.with(index, simpler) })),
    ),
    ...calmer(schedule),
    ...schedule.peers.flatMap((peer, index) =>
      calmerPeers(peer).map((calm) => ({ ...schedule, peers: schedule.peers.with(index, calm) })),
    ),
    ...shorterFaults(schedule),
  ];
}

function without<Item>(items: readonly Item[], index: number): Item[] {
  return items.toSpliced(index, 1);
}

function fewerOrders(schedule: Schedule): Schedule[] {
  const { orders } = schedule;
  if (orders === null) return [];
  const { given, removed } = orders;
  return [
    { ...schedule, orders: null },
    ...given.map((_, index) => ({ ...schedule, orders: { given: without(given, index), removed } })),
    ...removed.map((_, index) => ({ ...schedule, orders: { given, removed: without(removed, index) } })),
  ];
}

/** Fewer people, and fewer versions of what is demanded. */
function fewerGates(schedule: Schedule): Schedule[] {
  const { gates } = schedule;
  if (gates === undefined) return [];
  const { people, policies } = gates;
  const { gates: _, ...unguarded } = schedule;
  return [
    unguarded,
    ...(policies.length > 1 ? [{ ...schedule, gates: { people, policies: policies.slice(0, -1) } }] : []),
    ...people.map((_, index) => ({ ...schedule, gates: { people: without(people, index), policies } })),
  ];
}

/** Nothing is left that is about the peer; what was submitted there is submitted at the first control peer. */
function withoutPeer(schedule: Schedule, name: PeerName): Schedule[] {
  const peers = schedule.peers.filter((peer) => peer.name !== name);
  const first = peers.find(({ role }) => role === "control")?.name;
  if (first === undefined || !peers.some(({ role }) => role === "worker")) return [];
  const controls = peers.filter(({ role }) => role === "control");
  const lost = schedule.lost.filter((each) => each !== name);
  if (lost.filter((each) => controls.some((control) => control.name === each)).length * 2 >= controls.length)
    return [];
  const isAbout = (names: readonly PeerName[]): boolean => names.includes(name);
  const moved = <Placed extends { readonly at: PeerName }>(placed: Placed): Placed =>
    placed.at === name ? { ...placed, at: first } : placed;
  const { orders } = schedule;
  const fewer = {
    ...schedule,
    peers,
    lost,
    runs: schedule.runs.map(moved),
    orders: orders === null ? null : { ...orders, given: orders.given.map(moved) },
    links: schedule.links.filter(({ between }) => !isAbout(between)),
    fates: schedule.fates.filter(({ from, to }) => !isAbout([from, to])),
    faults: schedule.faults.flatMap((fault) => withoutIn(fault, name)),
  };
  return isRuledFalsely(fewer) ? [] : [fewer];
}

function withoutIn(fault: Fault, name: PeerName): Fault[] {
  if (fault.kind === "partition") {
    const side = fault.side.filter((each) => each !== name);
    return side.length === 0 ? [] : [{ ...fault, side }];
  }
  return peersOf(fault).includes(name) ? [] : [fault];
}

function simplerRuns(run: ScheduledRun): ScheduledRun[] {
  const { plan, answers } = run;
  const { validForMs, ...lasting } = run;
  return [
    ...(validForMs === undefined ? [] : [lasting]),
    ...(run.cancelUs === null ? [] : [{ ...run, cancelUs: null }]),
    ...plan.steps.flatMap(({ name }) => {
      const fewer = planWithout(plan, name);
      return fewer === null
        ? []
        : [{ ...run, plan: fewer, answers: answers.filter(({ step }) => step !== name) }];
    }),
    ...answers.map((_, index) => ({ ...run, answers: without(answers, index) })),
    ...plan.steps.flatMap((step, index) =>
      simplerSteps(step).map((simpler) => ({
        ...run,
        plan: { ...plan, steps: plan.steps.with(index, simpler) },
      })),
    ),
    ...(run.submitUs === 0 ? [] : [{ ...run, submitUs: 0 }]),
  ].filter((simpler) => parsePlan(simpler.plan).ok);
}

/** Null when there would be no step left. */
function planWithout(plan: Plan, name: string): Plan | null {
  const isOther = (of: { readonly step: string }): boolean => of.step !== name;
  const steps = plan.steps
    .filter((step) => step.name !== name)
    .map((step): PlannedStep => {
      const { valueInputs, action, ...rest } = step;
      const values = valueInputs?.filter(isOther) ?? [];
      return {
        ...rest,
        needs: step.needs.filter(isOther),
        inputs: step.inputs.filter(isOther),
        ...(values.length > 0 ? { valueInputs: values } : {}),
        ...(action === undefined ? {} : { action: actionWithout(action, name) }),
      };
    });
  return steps.length === 0 ? null : { ...plan, steps };
}

function actionWithout(action: NonNullable<PlannedStep["action"]>, name: string): typeof action {
  if (action.kind !== "pipeline") return action;
  return { ...action, members: action.members.filter((member) => member !== name) };
}

function simplerSteps(step: PlannedStep): PlannedStep[] {
  const { values, outcomes, valueInputs, ...plain } = step;
  const says = values !== undefined || outcomes !== undefined || valueInputs !== undefined;
  return [
    ...(says ? [plain] : []),
    ...(step.labels.length > 0 ? [{ ...step, labels: [] }] : []),
    ...(step.inputs.length > 0 ? [{ ...step, inputs: [] }] : []),
    ...step.needs.map((_, index) => ({ ...step, needs: without(step.needs, index) })),
    ...(step.retry.attemptsMax > 1 ? [{ ...step, retry: { ...step.retry, attemptsMax: 1 } }] : []),
  ];
}

/** Machines and steps that do as they are told. */
function calmer(schedule: Schedule): Schedule[] {
  const { steps, overUs, faults, clocksAreSet } = schedule;
  const lastUs = Math.max(1_000_000, ...faults.map(({ atUs, lastsUs }) => atUs + lastsUs));
  return [
    ...(steps.failed > 0 ? [{ ...schedule, steps: { ...steps, failed: 0 } }] : []),
    ...(steps.timedOut > 0 ? [{ ...schedule, steps: { ...steps, timedOut: 0 } }] : []),
    ...(clocksAreSet ? [{ ...schedule, clocksAreSet: false }] : []),
    ...(overUs > lastUs ? [{ ...schedule, overUs: lastUs }] : []),
  ];
}

function calmerPeers(peer: ScheduledPeer): ScheduledPeer[] {
  return [
    ...(peer.fastPpm === 0 ? [] : [{ ...peer, fastPpm: 0 }]),
    ...(peer.startUs === 0 ? [] : [{ ...peer, startUs: 0 }]),
    ...(peer.slots === 1 ? [] : [{ ...peer, slots: 1 }]),
  ];
}

/** Half as long, of fewer peers, and in whole tenths of a second. */
function shorterFaults(schedule: Schedule): Schedule[] {
  return schedule.faults.flatMap((fault, index) =>
    shorter(fault).map((other) => ({ ...schedule, faults: schedule.faults.with(index, other) })),
  );
}

function shorter(fault: Fault): Fault[] {
  const tenths = (us: number): number => Math.round(us / 100_000) * 100_000;
  const round = { ...fault, atUs: tenths(fault.atUs), lastsUs: Math.max(100_000, tenths(fault.lastsUs)) };
  const isRound = round.atUs === fault.atUs && round.lastsUs === fault.lastsUs;
  return [
    ...(isRound ? [] : [round]),
    ...(fault.lastsUs >= 400_000 ? [{ ...fault, lastsUs: tenths(fault.lastsUs / 2) }] : []),
    ...(fault.kind === "partition" && fault.side.length > 1
      ? fault.side.map((_, index) => ({ ...fault, side: without(fault.side, index) }))
      : []),
  ];
}
