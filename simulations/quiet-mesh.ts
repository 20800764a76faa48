/**
 * A world in which nothing goes wrong: so many workers around three control peers, runs of many short steps, and every
 * message that travels between peers counted by its kind, from the first submission until all runs are closed everywhere.
 */

import { limits } from "../protocol/limits.ts";
import type { Plan, PlannedStep } from "../protocol/plan.ts";
import type { Schedule, ScheduledPeer } from "./schedule.ts";
import { runWorld } from "./world.ts";

export type QuietMesh = {
  readonly workers: number;
  readonly slots: number;
  readonly runs: number;
  readonly stepsPerRun: number;
  /** Steps take between 1 ms and this. */
  readonly stepMsMax: number;
};

const submitUs = 3_000_000;

/** @returns messages by kind, between different peers. */
export async function messagesIn(mesh: QuietMesh): Promise<ReadonlyMap<string, number>> {
  const messages = new Map<string, number>();
  const { verdict, violation } = await runWorld({
    schedule: scheduleOf(mesh),
    checkers: [],
    encoded: false,
    happeningsMax: 20_000_000,
    trace: (seen) => {
      if (seen.kind !== "sent" || seen.to === seen.peer || seen.atUs < submitUs) return;
      messages.set(seen.message.kind, (messages.get(seen.message.kind) ?? 0) + 1);
    },
  });
  if (verdict !== "passed")
    throw new Error(`Bug: where nothing goes wrong something did: ${verdict} ${violation?.message ?? ""}`);
  return messages;
}

function scheduleOf({ workers, slots, runs, stepsPerRun, stepMsMax }: QuietMesh): Schedule {
  const peer = (role: ScheduledPeer["role"], index: number): ScheduledPeer => ({
    name: `${role}${index}`,
    role,
    labels: [],
    slots,
    fastPpm: 0,
    startUs: index * 1_000,
  });
  return {
    otto: "schedule/1",
    seed: 1,
    peers: [
      ...Array.from({ length: 3 }, (_, index) => peer("control", index)),
      ...Array.from({ length: workers }, (_, index) => peer("worker", index)),
    ],
    leaseMs: limits.leaseMsDefault,
    delayUs: [100, 900],
    links: [],
    clocksAreSet: false,
    steps: { failed: 0, timedOut: 0, durationMsMax: stepMsMax },
    runs: Array.from({ length: runs }, (_, run) => ({
      nonce: `quiet${run}`,
      plan: planOf(stepsPerRun),
      at: `control${run % 3}`,
      submitUs,
      cancelUs: null,
      answers: [],
    })),
    orders: null,
    faults: [],
    fates: [],
    overUs: submitUs,
    lost: [],
  };
}

function planOf(steps: number): Plan {
  return {
    otto: 1,
    pipeline: "checks",
    origin: { kind: "file", path: "otto.yaml" },
    context: { branch: "main", tag: null, commit: null, trigger: "manual", parameters: {} },
    environments: {},
    steps: Array.from({ length: steps }, (_, index) => stepOf(`step${index}`)),
  };
}

function stepOf(name: string): PlannedStep {
  return {
    name,
    from: name,
    cell: {},
    included: true,
    reason: "always",
    commands: ["make"],
    needs: [],
    environment: null,
    variables: {},
    inputs: [],
    outputs: [],
    timeoutMs: 60_000,
    retry: { attemptsMax: 3, on: ["lost"] },
    effect: false,
    labels: [],
  };
}
