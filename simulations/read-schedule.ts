/**
 * A schedule from a file: nothing of it is believed before it has been checked, so a file that somebody else wrote, or
 * changed by hand, is either a schedule or one sentence about the first thing that is wrong.
 */

import en from "zod/v4/locales/en.js";
import * as z from "zod/mini";
import { failure, type Result, success } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { parsePlan } from "../protocol/plan-check.ts";
import { policySchema } from "../protocol/policy.ts";
import { isStandingOrder } from "../protocol/standing-order.ts";
import type { Fault } from "./faults.ts";
import { permitActs } from "./permit-liars.ts";
import { controlActs, rulingActs, workerActs } from "./liars.ts";
import { isRuledFalsely, type Schedule } from "./schedule.ts";

/** What is wrong in words, for this file alone: elsewhere messages come from peers, and nobody reads them. */
const english = en().localeError;

/** More than anything that was ever simulated. */
const peersMax = 10_000;
const listMax = 100_000;

const count = z.int().check(z.nonnegative());
const percent = z.int().check(z.nonnegative(), z.maximum(100));
const name = z.string().check(z.regex(/^[a-z][a-z0-9-]{0,62}$/));
const text = z.string().check(z.maxLength(200));
const pair = z.tuple([name, name]);
const delayUs = z
  .tuple([count, count])
  .check(z.refine(([least, most]) => least <= most, "the least is above the most"));

function listOf<Item extends z.core.$ZodType>(item: Item) {
  return z.array(item).check(z.maxLength(listMax));
}

const acts = [...workerActs, ...controlActs, ...rulingActs, ...permitActs];

const plan = z.unknown().check((checked) => {
  const parsed = parsePlan(checked.value);
  if (!parsed.ok) checked.issues.push({ code: "custom", message: parsed.problem, input: checked.value });
});

/** What each kind of fault says besides when it begins and how long it lasts. */
const faultFields = {
  partition: { side: listOf(name) },
  "link-down": { between: pair },
  "one-way": { from: name, to: name },
  crash: { peer: name },
  fuse: { peer: name, effects: count },
  pause: { peer: name },
  stop: { peer: name },
  flap: { peer: name, everyUs: count },
  loss: { between: pair, percent },
  clog: { from: name, to: name, messageUs: count },
  late: { between: pair },
  "slow-network": {},
  gossip: { lostPercent: percent, copiesMax: count, lateUsMax: count, garbledPercent: percent },
  calls: { failedPercent: percent, garbledPercent: percent },
  herd: { peers: listOf(name) },
  newer: { peer: name },
  unruly: { peer: name },
  "clock-jump": { peer: name, byMs: z.int() },
  suspend: { peer: name },
  "slow-disk": { peer: name },
  "disk-full": { peer: name },
  rot: { peer: name },
  amnesia: { peer: name },
  recharter: { controls: listOf(name).check(z.minLength(1), z.maxLength(limits.controlPeersMax)) },
  wipe: { peer: name },
  revoke: { whom: name },
  liar: { peer: name, acts: listOf(z.enum(acts)), everyUs: count },
  "false-home": { peer: name, how: z.enum(["invents", "ignores"]), everyUs: count },
} as const satisfies Record<Fault["kind"], Record<string, z.core.$ZodType>>;

export const faultKinds: readonly string[] = Object.keys(faultFields);

const faultShapes = Object.entries(faultFields).map(([kind, fields]) =>
  z.strictObject({ kind: z.literal(kind), atUs: count, lastsUs: count, ...fields }),
);
type Shape = (typeof faultShapes)[number];

const fault = z.discriminatedUnion("kind", faultShapes as [Shape, ...Shape[]]);

const one = { from: name, to: name, count };
const fate = z.discriminatedUnion("fate", [
  z.strictObject({ ...one, fate: z.literal("drop") }),
  z.strictObject({ ...one, fate: z.literal("delay"), delayUs: count }),
]);

const peer = z.strictObject({
  name,
  role: z.enum(["control", "worker"]),
  labels: listOf(text),
  slots: z.int().check(z.minimum(1), z.maximum(1_000)),
  fastPpm: z.int().check(z.minimum(-100_000), z.maximum(100_000)),
  startUs: count,
  slowness: z.optional(z.number().check(z.minimum(0.01), z.maximum(1_000))),
});

const run = z.strictObject({
  nonce: text,
  plan,
  at: name,
  submitUs: count,
  validForMs: z.optional(count),
  cancelUs: z.nullable(count),
  answers: listOf(z.strictObject({ step: text, atUs: count, passes: z.optional(z.boolean()) })),
});

const order = z
  .strictObject({
    nonce: text,
    plan,
    at: name,
    giveUs: count,
    revision: count,
    slots: z.array(z.strictObject({ cron: text, missed: z.enum(["latest", "none"]) })),
  })
  .check(z.refine(({ revision, slots }) => isStandingOrder({ revision, slots }), "not a standing order"));

const gates = z.strictObject({
  policies: listOf(z.strictObject({ atUs: count, policy: policySchema })),
  people: listOf(
    z.strictObject({
      person: name,
      run: text,
      step: text,
      atUs: count,
      says: z.enum(["yes", "no", "something-else", "again"]),
    }),
  ),
});

const fields = {
  otto: z.literal("schedule/1"),
  seed: z.int(),
  peers: z.array(peer).check(z.minLength(1), z.maxLength(peersMax)),
  leaseMs: z.int().check(z.minimum(1)),
  delayUs,
  links: listOf(z.strictObject({ between: pair, delayUs })),
  clocksAreSet: z.boolean(),
  steps: z.strictObject({
    failed: percent,
    timedOut: percent,
    durationMsMax: z.int().check(z.minimum(1)),
    durationsMs: z.optional(z.record(text, z.tuple([count, count]))),
  }),
  runs: listOf(run),
  orders: z.nullable(
    z.strictObject({
      given: listOf(order),
      removed: listOf(z.strictObject({ pipeline: text, atUs: count })),
    }),
  ),
  gates: z.optional(gates),
  faults: listOf(fault),
  fates: listOf(fate),
  forgedUs: z.optional(listOf(count)),
  spares: z.optional(listOf(name)),
  overUs: count,
  lost: listOf(name),
};

const neighbour = z.strictObject({
  lostPercent: percent,
  liars: listOf(name),
  schedule: z.strictObject(fields),
});

const shape = z.strictObject({ ...fields, neighbour: z.optional(neighbour) });

/** @returns the schedule, or what is wrong with it first: the place, then what is not right there. */
export function readSchedule(json: string): Result<Schedule, string> {
  const parsed = parseJson(json);
  return parsed.ok ? parseSchedule(parsed.value) : parsed;
}

/** @returns what the text says, or one line on why it is not JSON: the parser shows some of the text, line breaks and all. */
export function parseJson(text: string): Result<unknown, string> {
  try {
    return success(JSON.parse(text) as unknown);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return failure(`not JSON: ${why.replaceAll(/[\p{Cc}\s]+/gu, " ")}`);
  }
}

export function parseSchedule(value: unknown): Result<Schedule, string> {
  const parsed = shape.safeParse(value, { error: english });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const place = issue?.path.join(".") ?? "";
    return failure(`${place === "" ? "the schedule" : place}: ${issue?.message ?? "not a schedule"}`);
  }
  const schedule = parsed.data as unknown as Schedule;
  const problem = problemBetween(schedule);
  return problem === null ? success(schedule) : failure(problem);
}

/** What is wrong with how its parts fit each other. */
function problemBetween(schedule: Schedule): string | null {
  const { peers, lost } = schedule;
  const names = new Set(peers.map((each) => each.name));
  if (names.size < peers.length) return "peers: two have one name";
  const controls = peers.filter(({ role }) => role === "control");
  if (controls.length === 0) return "peers: none is a control peer";
  const stranger = namesUsed(schedule).find(([, used]) => !names.has(used));
  if (stranger !== undefined) return `${stranger[0]}: there is no peer "${stranger[1]}"`;
  if (lost.filter((each) => controls.some((control) => control.name === each)).length * 2 >= controls.length)
    return "lost: half of the control peers, or more, never come back";
  if (isRuledFalsely(schedule)) return "faults: a home is false where fewer than three control peers vote";
  for (const [
    index,
    {
      answers,
      plan: { steps },
    },
  ] of schedule.runs.entries())
    for (const { step } of answers)
      if (!steps.some((planned) => planned.name === step))
        return `runs.${index}.answers: there is no step "${step}"`;
  return null;
}

/** Every place that names a peer, and whom it names. */
function namesUsed({ links, runs, orders, faults, fates, lost }: Schedule): (readonly [string, string])[] {
  return [
    ...links.flatMap(({ between }, index) => between.map((used) => [`links.${index}`, used] as const)),
    ...runs.map(({ at }, index) => [`runs.${index}.at`, at] as const),
    ...(orders?.given ?? []).map(({ at }, index) => [`orders.given.${index}.at`, at] as const),
    ...faults.flatMap((each, index) => peersOf(each).map((used) => [`faults.${index}`, used] as const)),
    ...fates.flatMap(({ from, to }, index) => [from, to].map((used) => [`fates.${index}`, used] as const)),
    ...lost.map((used) => ["lost", used] as const),
  ];
}

/** Whom a fault is about; nobody for one that is about all. */
export function peersOf(about: Fault): readonly string[] {
  const {
    peer: only,
    peers = [],
    side = [],
    between = [],
    controls = [],
    from,
    to,
  } = about as {
    readonly peer?: string;
    readonly peers?: readonly string[];
    readonly side?: readonly string[];
    readonly between?: readonly string[];
    readonly controls?: readonly string[];
    readonly from?: string;
    readonly to?: string;
  };
  return [
    ...[only, from, to].filter((used) => used !== undefined),
    ...peers,
    ...side,
    ...between,
    ...controls,
  ];
}
