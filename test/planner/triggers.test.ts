/** Events as files say them, and which of them start a pipeline. */

import { describe, expect, it } from "vitest";
import { parseTriggerEvent, type TriggerEvent, triggerEventSchema } from "../../planner/trigger-event.ts";
import { firesFor, whyNotStarted } from "../../planner/triggers.ts";
import type { PlannedTrigger } from "../../protocol/plan.ts";
import { problemsBy } from "./json-schema-check.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";

const examples: Readonly<Record<TriggerEvent["trigger"], object>> = {
  push: { trigger: "push", branch: "main", commit },
  "pull-request": { trigger: "pull-request", branch: "fix/typo", base: "main", commit },
  tag: { trigger: "tag", tag: "v1.2.3", parameters: { channel: "beta", count: 3, dry: true } },
  run: { trigger: "run", pipeline: "build", outcome: "passed" },
  webhook: { trigger: "webhook", name: "deploy" },
  schedule: { trigger: "schedule" },
  manual: { trigger: "manual", branch: null },
};

function event(value: object): TriggerEvent {
  const parsed = parseTriggerEvent(JSON.stringify(value));
  if (!parsed.ok) throw new Error(parsed.problem.join("\n"));
  return parsed.value;
}

function mistakes(value: unknown): readonly string[] {
  const parsed = parseTriggerEvent(typeof value === "string" ? value : JSON.stringify(value));
  return parsed.ok ? [] : parsed.problem;
}

describe("an event", () => {
  it.each(Object.entries(examples))("of a %s is read as it is written, as its schema says", (_, value) => {
    expect(event(value)).toMatchObject(value);
    expect(problemsBy(triggerEventSchema(), value, { closed: true })).toEqual([]);
  });

  it("that is not one is refused by the reader and by the schema alike, with all of its mistakes", () => {
    const wrong: readonly (readonly [object, readonly string[]])[] = [
      [{ branch: "main" }, ['"trigger" is missing: write one of `push`']],
      [{ trigger: "pusch", branch: "main" }, ['"pusch" is no trigger: did you mean `push`?']],
      [{ trigger: "push" }, ['"branch" is missing']],
      [
        { trigger: "push", brunch: "main", commit: "abc" },
        [
          'an event of a push has no "brunch": did you mean `branch`?',
          '"branch" is missing',
          '"abc" is no commit',
        ],
      ],
      [{ trigger: "run", pipeline: "build", outcome: "pased" }, ["did you mean `passed`?"]],
      [{ trigger: "webhook", name: 3 }, ['"name": 3 is no text']],
      [{ trigger: "tag", tag: null }, ['"tag": null is no text']],
      [
        { trigger: "schedule", parameters: { channel: ["beta"] } },
        ['the parameter "channel": ["beta"] is no text'],
      ],
      [{ trigger: "schedule", tag: "" }, ['"tag": "" is no text']],
    ];
    for (const [value, words] of wrong) {
      const found = mistakes(value);
      expect(found.length, JSON.stringify(value)).toBe(words.length);
      for (const [index, part] of words.entries()) expect(found[index]).toContain(part);
      expect(problemsBy(triggerEventSchema(), value, { closed: true }), JSON.stringify(value)).not.toEqual(
        [],
      );
    }
  });

  it("that is no JSON, or no map, is refused in one sentence", () => {
    expect(mistakes("{")).toEqual([expect.stringContaining("it is no JSON")]);
    expect(mistakes([])).toEqual([expect.stringContaining("it is no map")]);
    expect(mistakes("null")).toEqual([expect.stringContaining("it is no map")]);
  });

  it("names branches and tags as git does, without refs/", () => {
    for (const branch of [
      "refs/heads/main",
      "a..b",
      "-x",
      "a b",
      "a\nb",
      "x.lock",
      "a//b",
      "@",
      ".a",
      "a/",
      "a*",
    ])
      expect(mistakes({ trigger: "push", branch }), branch).toHaveLength(1);
    for (const branch of ["main", "release/1.2", "dépôt", "a@b"])
      expect(event({ trigger: "push", branch }).branch).toBe(branch);
  });

  it("may name a parameter like anything that every object has", () => {
    expect(mistakes('{"trigger":"schedule","parameters":{"__proto__":"x"}}')).toHaveLength(1);
    expect(event({ trigger: "schedule", parameters: { constructor: "x" } }).parameters).toEqual({
      constructor: "x",
    });
  });
});

describe("a trigger", () => {
  const push = (...branches: string[]): PlannedTrigger => ({ kind: "push", branches });
  const pushed = (branch: string): TriggerEvent => event({ trigger: "push", branch });

  it.each([
    ["main", "main", true],
    ["main", "maint", false],
    ["main", "a/main", false],
    ["*", "main", true],
    ["*", "a/b", false],
    ["**", "a/b/c", true],
    ["release/*", "release/1.2", true],
    ["release/*", "release/1/2", false],
    ["release/**", "release/1/2", true],
    ["release/**", "release", false],
    ["**/fix", "a/b/fix", true],
    ["**fix", "fix", true],
    ["v*.*", "v1.2", true],
    ["v*.*", "v12", false],
    ["v*", "v1/2", false],
    ["a.c", "abc", false],
    ["*a*b*c*", `${"a".repeat(200)}b`, false],
  ])("on pushes to %s: a push to %s starts it: %s", (pattern, branch, starts) => {
    expect(firesFor(push(pattern), pushed(branch))).toBe(starts);
  });

  it("without patterns stands for every branch, with several for any of them", () => {
    expect(firesFor(push(), pushed("a/b"))).toBe(true);
    expect(firesFor(push("main", "release/*"), pushed("release/1"))).toBe(true);
  });

  it("is about the branch that a pull request goes into, not the one that it comes from", () => {
    const trigger: PlannedTrigger = { kind: "pull-request", branches: ["main"] };
    expect(firesFor(trigger, event({ trigger: "pull-request", branch: "x", base: "main" }))).toBe(true);
    expect(firesFor(trigger, event({ trigger: "pull-request", branch: "main", base: "x" }))).toBe(false);
  });

  it("of each kind fires for its own kind of event and for no other", () => {
    const triggers: readonly PlannedTrigger[] = [
      push("main"),
      { kind: "pull-request", branches: ["main"] },
      { kind: "tag", tags: ["v*"] },
      { kind: "run", pipeline: "build", outcomes: ["passed"] },
      { kind: "webhook", name: "deploy" },
      { kind: "schedule", cron: "0 3 * * *", missed: "latest" },
    ];
    for (const trigger of triggers) {
      const fitting = Object.values(examples).filter((value) => firesFor(trigger, event(value)));
      expect(fitting).toEqual([examples[trigger.kind]]);
    }
    const run = triggers[3];
    if (run === undefined) throw new Error("no trigger");
    expect(firesFor(run, event({ trigger: "run", pipeline: "build", outcome: "failed" }))).toBe(false);
    expect(firesFor(run, event({ trigger: "run", pipeline: "other", outcome: "passed" }))).toBe(false);
  });
});

describe("a pipeline with triggers", () => {
  const plan = { pipeline: "webapp", triggers: [{ kind: "tag", tags: ["v*"] } as const] };

  it("says why an event does not start it: what would, and what this is", () => {
    expect(whyNotStarted(plan, event({ trigger: "push", branch: "main" }))).toBe(
      "webapp is not started: what starts it is a tag: v*, and this is a push to main.",
    );
  });

  it("is started by an event that fits, and always by hand", () => {
    expect(whyNotStarted(plan, event({ trigger: "tag", tag: "v1" }))).toBeNull();
    expect(whyNotStarted(plan, event({ trigger: "manual" }))).toBeNull();
    expect(whyNotStarted({ pipeline: "webapp" }, event({ trigger: "push", branch: "main" }))).toBeNull();
  });
});
