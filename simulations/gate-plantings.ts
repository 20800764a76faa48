/** Mistakes to plant in what guards steps: policies, approvals, permits (`plantings.ts`). */

import type { Planting } from "./planted.ts";

const endorsing = "node/core/endorsing.ts";
const gates = "node/core/gates.ts";
const gating = "protocol/registers/gating.ts";
const judge = "planner/policy/judge.ts";
const policies = "node/core/policies.ts";
const reign = "node/core/reign.ts";

const caughtBy = ["gates"];

export const gatePlantings: readonly Planting[] = [
  {
    name: "one control peer's word is a permit",
    edits: [
      {
        file: "protocol/quorum.ts",
        find: "return Math.floor(size / 2) + 1;",
        replace: "return Math.min(1, size);",
      },
    ],
    caughtBy,
    firstSeed: 10,
    seedsMax: 40,
    every: 16,
  },
  {
    name: "one control peer's signature counts as often as it is shown",
    edits: [
      {
        file: "node/core/countersigning.ts",
        find: "asked.envelopes.set(from, message.envelope);",
        replace: "asked.envelopes.set(`${from}${asked.envelopes.size}`, message.envelope);",
      },
      {
        file: "protocol/quorum.ts",
        find: "const signers = new Set<string>();",
        replace:
          "const signers = Object.assign([] as string[], { add(this: string[], one: string) { this.push(one); } });",
      },
    ],
    caughtBy,
    firstSeed: 266,
    seedsMax: 60,
    every: 16,
  },
  {
    name: "what one control peer signed for another gate is a signature for this one",
    edits: [
      {
        file: "node/core/countersigning.ts",
        find: "if (!equals(opened.value.envelope.payload, asked.statement)) return;",
        replace: "",
      },
      {
        file: "protocol/quorum.ts",
        find: 'if (said !== null && !equals(said.payload, envelope.payload)) return failure("malformed");',
        replace: "",
      },
    ],
    caughtBy,
    firstSeed: 410,
    seedsMax: 200,
    every: 16,
  },
  {
    name: "a permit is signed for whatever run it names",
    edits: [
      {
        file: endorsing,
        find: 'if (manifestCid !== permit.manifest || !run.has(permit.index)) return "the run is of another submission";',
        replace: 'if (!run.has(permit.index)) return "the run is of another submission";',
      },
      {
        file: endorsing,
        find: "answer.run === submission.run &&\n        answer.manifest === submission.manifestCid &&\n",
        replace: "",
      },
    ],
    caughtBy,
    firstSeed: 2_602,
    seedsMax: 200,
    every: 16,
  },
  {
    name: "a yes to one step is a yes to another",
    edits: [
      {
        file: endorsing,
        find: "if (isForIt && answer.step === submission.manifest.plan.steps[index]?.name) said.push",
        replace: "if (isForIt) said.push",
      },
    ],
    caughtBy,
    firstSeed: 4_490,
    seedsMax: 200,
    every: 16,
  },
  {
    name: "one person's approval counts as often as it is shown",
    edits: [
      {
        file: gating,
        find: 'if (approvals.some((approval) => approval.by === by)) return "duplicate";',
        replace: "",
      },
      {
        file: endorsing,
        find: "const approvedBy = new Set(said.map(({ person }) => person.peer));",
        replace: "const approvedBy = said.map(({ person }) => person.peer);",
      },
    ],
    caughtBy,
    firstSeed: 74,
    seedsMax: 100,
    every: 16,
  },
  {
    name: "an approval of somebody counts whom the policy does not name",
    edits: [
      {
        file: judge,
        find: "const given = [...approvedBy].filter((key) => keys.has(key)).length;",
        replace: "const given = [...approvedBy].filter((key) => keys.size > 0 && key !== undefined).length;",
      },
      { file: gates, find: "if (!isEntitled && !(isShown", replace: "if (isShown && !(isShown" },
    ],
    caughtBy,
    firstSeed: 10,
    seedsMax: 60,
    every: 16,
  },
  {
    name: "a policy is never read again",
    edits: [
      {
        file: policies,
        find: "if (kept === undefined || kept.bytes === this.#bytes) return this.#policy;",
        replace: "if (kept === undefined || this.#bytes !== null) return this.#policy;",
      },
    ],
    caughtBy,
    firstSeed: 10,
    seedsMax: 200,
    every: 16,
  },
  {
    name: "the next home forgets who waits at a gate",
    edits: [
      {
        file: gates,
        find: 'if (value.state === "gated") this.#waits(run, index, value, now);\n    const gate',
        replace: "const gate",
      },
    ],
    caughtBy: ["progress"],
    firstSeed: 14,
    seedsMax: 60,
    every: 32,
  },
  {
    name: "what a gate holds back counts at once",
    edits: [
      {
        file: reign,
        find: 'const isHeld = cause === "finished" && !run.cancelled && this.gates.holds(run, lease.index);',
        replace: "const isHeld = false;",
      },
    ],
    caughtBy,
    firstSeed: 10,
    seedsMax: 40,
    every: 16,
  },
  {
    name: "what needs a step that is held back begins",
    edits: [
      {
        file: "node/core/open-run.ts",
        find: "state.held = value.ended === undefined ? null : heldEnd(value, value.ended.outcome, made);",
        replace:
          "state.held = value.ended === undefined ? null : heldEnd(value, value.ended.outcome, made);\n      if (state.held !== null) { state.made = made ?? nothing; state.outcome = state.held.outcome; for (const dependent of this.#dependents[index] ?? []) this.#release(dependent, changes); }",
      },
    ],
    caughtBy: ["gates", "ledger"],
    firstSeed: 746,
    seedsMax: 60,
    every: 16,
  },
  {
    name: "a permit is good for ever",
    edits: [
      {
        file: gates,
        find: "return !permit.ok || wallMs >= permit.value.untilMs;",
        replace: "return !permit.ok || wallMs < 0;",
      },
    ],
    caughtBy,
    firstSeed: 730,
    seedsMax: 20,
    every: 64,
  },
  {
    name: "a no is forgotten",
    edits: [
      {
        file: gating,
        find: "  const settlement: Settlement = {",
        replace:
          "  if (token >= 0) return { ...value, sinceMs: value.sinceMs + 0.5 };\n  const settlement: Settlement = {",
      },
    ],
    caughtBy,
    firstSeed: 170,
    seedsMax: 200,
    every: 16,
  },
  {
    name: "a permit is signed for other files than the step is given",
    edits: [
      {
        file: endorsing,
        find: 'if (given !== permit.given) return "the step is given other files or values, as far as it knows";',
        replace: "void given;",
      },
    ],
    caughtBy,
    firstSeed: 234,
    seedsMax: 200,
    every: 16,
  },
  {
    name: "a permit is signed whatever is missing",
    edits: [
      {
        file: endorsing,
        find: 'if (missing.length > 0) return missing.join("; ");',
        replace: "void missing;",
      },
    ],
    caughtBy,
    firstSeed: 282,
    seedsMax: 60,
    every: 16,
  },
  {
    name: "a permit names whoever its asker likes",
    edits: [
      {
        file: endorsing,
        find: "return approvedBy.join() === permit.approvedBy.join() ? null",
        replace: "return approvedBy.length >= 0 ? null",
      },
    ],
    caughtBy,
    firstSeed: 234,
    seedsMax: 200,
    every: 16,
  },
  {
    name: "a permit is signed for any time",
    edits: [
      {
        file: endorsing,
        find: "if (!isNow || permit.untilMs - permit.fromMs > limits.permitMs)",
        replace: "if (!isNow && permit.untilMs < 0)",
      },
    ],
    caughtBy,
    firstSeed: 650,
    seedsMax: 200,
    every: 16,
  },
  {
    name: "a gate opens at any time",
    edits: [{ file: judge, find: "    if (!isOpenAt(windows, nowMs))\n", replace: "    if (nowMs < 0)\n" }],
    caughtBy,
    firstSeed: 74,
    seedsMax: 100,
    every: 16,
  },
  {
    name: "a freeze stops nobody",
    edits: [
      { file: judge, find: "if (frozen !== null) missing.push", replace: "if (nowMs < 0) missing.push" },
    ],
    caughtBy,
    firstSeed: 186,
    seedsMax: 200,
    every: 16,
  },
  {
    name: "a gate waits no longer than until somebody looks",
    edits: [
      {
        file: gates,
        find: "const untilMs = value.sinceMs + (gate?.waitMs ?? limits.approvalMsDefault);",
        replace: "const untilMs = value.sinceMs + 1_500;",
      },
    ],
    caughtBy,
    firstSeed: 74,
    seedsMax: 60,
    every: 16,
  },
  {
    name: "a gate that was just closed is said to lack nothing",
    edits: [
      {
        file: gates,
        find: "    this.#judge(run, gated, now);\n    this.#gated.set(key, gated);",
        replace: "    this.#gated.set(key, gated);",
      },
    ],
    caughtBy,
    firstSeed: 10,
    seedsMax: 60,
    every: 16,
  },
  {
    name: "a run that was cancelled while its gate was being closed waits for ever",
    edits: [
      {
        file: reign,
        find: "    this.#settle(run, now);\n  }\n\n  /** Control peers have signed",
        replace: "  }\n\n  /** Control peers have signed",
      },
    ],
    caughtBy: ["progress"],
    firstSeed: 586,
    seedsMax: 60,
    every: 16,
  },
  {
    name: "what follows from the last decision of a configuration is proposed in it",
    edits: [
      {
        file: "protocol/registers/home.ts",
        find: 'if (this.#stage === "closed") return;\n    assert',
        replace: "assert",
      },
    ],
    caughtBy: ["assertion"],
    firstSeed: 10_636,
    seedsMax: 60,
    every: 32,
  },
  {
    name: "what was permitted before the domain had more control peers is no permit any more",
    edits: [
      {
        file: "protocol/permits.ts",
        find: "if (now.ok || parts === null) return now;",
        replace: "if (parts !== undefined) return now;",
      },
    ],
    caughtBy: ["verification"],
    firstSeed: 76,
    seedsMax: 60,
    every: 32,
  },
  {
    name: "a home that takes over does not tell who opened the gate of what has not ended",
    edits: [
      {
        file: "node/core/gates.ts",
        find: 'value.state === "gated" || value.state === "waiting" ? undefined : value.gate;',
        replace: 'value.state === "done" ? value.gate : undefined;',
      },
    ],
    caughtBy: ["verification"],
    firstSeed: 3_706,
    seedsMax: 200,
    every: 16,
  },
];
