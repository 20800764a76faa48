/**
 * The domain's policy, as its owner signed it last and this peer has heard: what it says to a plan that is submitted, and what
 * must be true before a step begins, and before how it ended counts.
 */

import { gateOf, type Gate, mayExpose, whyNotAdmitted } from "../../planner/policy/judge.ts";
import { approversMissing, keysOf, mayAnswer } from "../../planner/policy/people.ts";
import { openDocument } from "../../protocol/documents.ts";
import type { Verifier } from "../../protocol/envelope.ts";
import type { Submission } from "../../protocol/manifest.ts";
import type { Charter } from "../../protocol/membership.ts";
import { mayBeGated } from "../../protocol/plan.ts";
import type { GatePhase } from "../../protocol/permits.ts";
import { type Policy, policyDocument, policyIn } from "../../protocol/policy.ts";
import { foreignDomainOf } from "../../protocol/release.ts";
import type { DocumentValue } from "../../protocol/registers/document.ts";

type PoliciesContext = {
  document(name: string): DocumentValue | undefined;
  charter(): Charter;
  readonly keys: Verifier;
};

const place = `${policyDocument.topic}/${policyDocument.name}`;
const none: Policy = { "otto-policy": 1 };

export class Policies {
  readonly #context: PoliciesContext;
  #bytes: Uint8Array | null = null;
  #policy = none;
  /** What the policy has said to a submission: most are asked about again and again until there is room for them. */
  #said = new WeakMap<Submission, { readonly by: Policy; readonly why: string | null }>();
  readonly #reaching = new WeakMap<Submission, ReadonlySet<number>>();
  /** Places of a plan's steps that a gate holds back behind them: asked about at each grant of the run. */
  #held = new WeakMap<Submission, { readonly by: Policy; readonly places: ReadonlySet<number> }>();

  constructor(context: PoliciesContext) {
    this.#context = context;
  }

  /** As its owner signed it last. */
  get kept(): DocumentValue | undefined {
    return this.#context.document(place);
  }

  /** Why it may not be run, in one sentence; null: it may. */
  whyNotAdmitted(submission: Submission): string | null {
    const by = this.#newest();
    const known = this.#said.get(submission);
    if (known?.by === by) return known.why;
    const { manifest, submitter, released } = submission;
    const { name: domain } = this.#context.charter();
    const plan = released?.plan ?? manifest.plan;
    // Who may answer steps is said by the domain in which they wait.
    const unanswered = released === undefined ? approversMissing(by, plan) : [];
    const all = [...whyNotAdmitted(by, plan, { peer: submitter.peer, domain }), ...unanswered];
    const why = all.length === 0 ? null : all.join("; ");
    this.#said.set(submission, { by, why });
    return why;
  }

  /** True when this person is one of those who may answer a step that names these. */
  mayAnswer(by: readonly string[], person: { readonly peer: string; readonly name: string }): boolean {
    return mayAnswer(this.#newest(), by, person);
  }

  /** True when the owner lets this key revoke peers and people of the domain. */
  mayRevoke(key: string): boolean {
    const policy = this.#newest();
    return keysOf(policy, policy.revoke ?? []).has(key);
  }

  /** True when the owner lets steps have this secret itself. */
  mayExpose(secret: string): boolean {
    return mayExpose(this.#newest(), secret);
  }

  /** Null: the step begins as soon as what it needs has ended, or counts as soon as it has. */
  gateOf(submission: Submission, index: number, phase: GatePhase): Gate | null {
    return gateBy(this.#newest(), submission, index, { phase, domain: this.#context.charter().name });
  }

  /** Places of the steps that a gate holds back once they have ended well. */
  heldBack(submission: Submission): ReadonlySet<number> {
    const by = this.#newest();
    const known = this.#held.get(submission);
    if (known?.by === by) return known.places;
    const all = [...submission.manifest.plan.steps.keys()];
    const places = new Set(all.filter((index) => this.gateOf(submission, index, "after") !== null));
    this.#held.set(submission, { by, places });
    return places;
  }

  /** Places of the steps that reach an environment of this domain, of which a policy may demand something. */
  reaching(submission: Submission): ReadonlySet<number> {
    const known = this.#reaching.get(submission);
    if (known !== undefined) return known;
    const { environments, steps } = submission.manifest.plan;
    const { name: domain } = this.#context.charter();
    const all = [...steps.entries()].filter(
      ([, step]) => mayBeGated(step) && foreignDomainOf({ environments }, step, domain) === null,
    );
    const places = new Set(all.map(([index]) => index));
    this.#reaching.set(submission, places);
    return places;
  }

  #newest(): Policy {
    const context = this.#context;
    const { kept } = this;
    if (kept === undefined || kept.bytes === this.#bytes) return this.#policy;
    this.#bytes = kept.bytes;
    const opened = openDocument(kept.bytes, context.charter(), context.keys);
    const found = opened.ok ? policyIn(opened.value.document.body) : null;
    // What this version of Otto cannot read stays as it was: nothing opens by not being understood.
    if (found !== null) this.#policy = found.policy;
    return this.#policy;
  }
}

/** What a domain's policy demands of the step at this place; null: nothing. @param at `domain`: its name. */
export function gateBy(
  policy: Policy,
  { manifest, released }: Submission,
  index: number,
  at: { readonly phase: GatePhase; readonly domain: string },
): Gate | null {
  // A released step is the only one of its run, and is judged by the whole plan that it is of.
  const plan = released?.plan ?? manifest.plan;
  const step = plan.steps[released?.release.index ?? index];
  // Nothing is demanded of what people or other steps settle, wherever that is.
  if (step === undefined || !mayBeGated(step) || foreignDomainOf(plan, step, at.domain) !== null) return null;
  return gateOf(policy, plan, step, at.phase);
}
