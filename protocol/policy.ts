/**
 * A domain's policy as a value: who may have it run what, and what must be true before a step reaches one of its environments.
 *
 * The owner signs it as a document. The words of a file become it in `planner/policy/`, where it is judged, too: by the same
 * code for `otto explain`, for an admission and for a gate.
 */

import * as z from "zod/mini";
import { limits } from "./limits.ts";
import { momentPattern } from "./moments.ts";

const name = z.string().check(z.regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/u));
const peer = z.string().check(z.regex(/^[1-9A-HJ-NP-Za-km-z]{40,64}$/u));
const words = z.string().check(z.minLength(1), z.maxLength(limits.policyWordsMax));
const few = limits.policyEntriesMax;
/** `mia`, or `team/release`. */
const who = z.string().check(z.regex(/^(team\/)?[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/u));
const patterns = z.readonly(z.array(words).check(z.minLength(1), z.maxLength(few)));
/** In UTC, to the minute. */
const moment = z.string().check(z.regex(momentPattern));
/** `mon-fri 08:00-16:00`, in UTC. */
const days = "(mon|tue|wed|thu|fri|sat|sun)";
const window = z
  .string()
  .check(
    z.regex(new RegExp(`^${days}(-${days})? ([01]\\d|2[0-3]):[0-5]\\d-([01]\\d|2[0-4]):[0-5]\\d$`, "u")),
  );

const approvals = z.strictObject({
  count: z.int().check(z.minimum(1), z.maximum(few)),
  by: z.readonly(z.array(who).check(z.minLength(1), z.maxLength(few))),
});

const verdict = z.strictObject({
  name,
  url: z.url({ protocol: /^https?$/u }).check(z.maxLength(limits.policyWordsMax)),
  /** CEL over `response`, as in a `wait`. */
  until: words,
});

/** What must be known of the files that a step is given; what is absent may be anything. */
const provenance = z.strictObject({
  /** Names or patterns of inputs, of which one must be there; absent: every input that there is. */
  inputs: z.optional(patterns),
  /** Names or ids of the domains that made them. */
  domains: z.optional(patterns),
  pipelines: z.optional(patterns),
  steps: z.optional(patterns),
  refs: z.optional(patterns),
  /** `git+URL`. Files that come with a submission have none. */
  sources: z.optional(patterns),
  /** Of SLSA's build track. */
  level: z.optional(z.literal([1, 2])),
});

/** What must be true at one moment: before a step begins, or after it. */
const gate = {
  approve: z.optional(approvals),
  /** Only then; absent: at all times. */
  open: z.optional(z.readonly(z.array(window).check(z.minLength(1), z.maxLength(few)))),
  /** Steps, by names or patterns, that must be there, be needed by it, and have passed. */
  checks: z.optional(patterns),
  verdicts: z.optional(z.readonly(z.array(verdict).check(z.maxLength(few)))),
  /** How long the gate waits for all of it, in minutes. */
  waitMinutes: z.optional(z.int().check(z.minimum(1), z.maximum(limits.timeoutMsMax / 60_000))),
};

const environment = z.strictObject({
  /** Branches, `tag:` and `pull-request:` patterns that may come here; absent: every ref. */
  refs: z.optional(patterns),
  /** Who may submit what comes here; absent: every member. */
  submit: z.optional(z.readonly(z.array(who).check(z.minLength(1), z.maxLength(few)))),
  ...gate,
  freeze: z.optional(
    z.readonly(
      z.array(z.strictObject({ from: moment, until: moment, because: words })).check(z.maxLength(few)),
    ),
  ),
  provenance: z.optional(z.readonly(z.array(provenance).check(z.minLength(1), z.maxLength(few)))),
  /** What must be true once a step has ended well, before that counts. Its checks are steps that do not wait for it. */
  after: z.optional(z.strictObject(gate)),
});

const admission = z.strictObject({
  /** CEL over the plan and its submitter; absent: always. */
  when: z.optional(words),
  require: words,
  because: words,
});

export const policySchema = z.strictObject({
  "otto-policy": z.literal(1),
  /** Names of people for their keys: nobody counts twice under two names. */
  people: z.optional(z.record(name, peer)),
  teams: z.optional(z.record(name, z.readonly(z.array(name).check(z.maxLength(few))))),
  /** Who may revoke peers and people, besides the owner. */
  revoke: z.optional(z.readonly(z.array(who).check(z.minLength(1), z.maxLength(few)))),
  /** Secrets that steps may be given themselves, by names or patterns; absent: none. */
  expose: z.optional(patterns),
  admit: z.optional(z.readonly(z.array(admission).check(z.maxLength(few)))),
  /** Templates and step libraries that may be used: patterns of their sources; absent: all that a plan pins. */
  uses: z.optional(patterns),
  /** By names or patterns of environments; what fits several must satisfy each. */
  environments: z.optional(z.record(words, environment)),
});

export type Policy = z.infer<typeof policySchema>;
export type ProvenanceDemand = z.infer<typeof provenance>;
export type EnvironmentPolicy = z.infer<typeof environment>;

/** What the owner signs: the file as it was written, and what it says. */
export type PolicyBody = { readonly text: string; readonly policy: Policy };

/** The document that it is kept as. */
export const policyDocument = { topic: "policy", name: "domain" } as const;

/** The policy in the body of a document that its owner signed; null: there is none, or it is of a later version. */
export function policyIn(body: unknown): PolicyBody | null {
  const found = body as PolicyBody | null;
  if (typeof found?.text !== "string") return null;
  const parsed = policySchema.safeParse(found.policy);
  return parsed.success ? { text: found.text, policy: parsed.data } : null;
}
