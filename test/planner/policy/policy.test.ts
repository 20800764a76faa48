/** A policy is refused whole when a part of it cannot mean anything, and says the same of a plan to whoever asks. */

import { describe, expect, it } from "vitest";
import { demandsText, demandsOf } from "../../../planner/policy/demands.ts";
import { type GateEvidence, gateOf, missingFor, whyNotAdmitted } from "../../../planner/policy/judge.ts";
import { readPolicy } from "../../../planner/policy/read-policy.ts";
import type { Plan, PlannedStep } from "../../../protocol/plan.ts";
import type { Policy } from "../../../protocol/policy.ts";

const mia = "12D3KooWMiaMiaMiaMiaMiaMiaMiaMiaMiaMiaMiaMiaMiaMiaMi";
const tom = "12D3KooWTomTomTomTomTomTomTomTomTomTomTomTomTomTomTo";

const written = `
otto-policy: 1
people: { mia: ${mia}, tom: ${tom} }
teams: { release: [mia, tom] }
uses: ["./**", "git+https://git.example.org/acme/**"]
admit:
  - when: '"production" in environments'
    require: git.branch == "main"
    because: production is deployed from main
environments:
  production:
    submit: [team/release]
    approve: { count: 2, by: [team/release] }
    open: ["mon-fri 08:00-16:00"]
    freeze: [{ from: 2026-12-20T00:00Z, until: 2027-01-04T00:00Z, because: holidays }]
    checks: ["test*"]
    waitMinutes: 60
  "*":
    verdicts: [{ name: calendar, url: https://change.example.org/open, until: "response.json.open == true" }]
`;

function policyOf(text: string): Policy {
  const read = readPolicy(text);
  if (!read.ok) throw new Error(JSON.stringify(read.mistakes));
  return read.policy;
}

function mistakesOf(text: string): readonly string[] {
  const read = readPolicy(text);
  return read.ok ? [] : read.mistakes.map(({ line, message }) => `${line}: ${message}`);
}

function step(name: string, more: Partial<PlannedStep> = {}): PlannedStep {
  return {
    name,
    from: name,
    cell: {},
    included: true,
    reason: "always",
    commands: ["true"],
    needs: [],
    environment: null,
    variables: {},
    inputs: [],
    outputs: [],
    timeoutMs: 60_000,
    retry: { attemptsMax: 1, on: [] },
    effect: false,
    labels: [],
    ...more,
  };
}

const passed = (name: string) => ({ step: name, outcomes: ["passed"] });
const test = step("test");
const deploy = step("deploy", { environment: "production", effect: true, needs: [passed("test")] });

function planOf(steps: readonly PlannedStep[], more: Partial<Plan> = {}): Plan {
  return {
    otto: 1,
    pipeline: "web",
    origin: { kind: "file", path: "otto.yaml" },
    context: { branch: "main", tag: null, commit: null, trigger: "manual", parameters: {} },
    environments: { production: { domain: "ops", settings: {} } },
    steps,
    ...more,
  };
}

describe("a policy file", () => {
  it("is read as it is written", () => {
    expect(policyOf(written).environments?.["production"]?.approve).toEqual({
      count: 2,
      by: ["team/release"],
    });
  });

  it("is told every mistake, each with its line", () => {
    const text = written
      .replace("because: production", "becuase: production")
      .replace("count: 2", "count: two")
      .replace("mon-fri 08:00-16:00", "weekdays");
    expect(mistakesOf(text).map((one) => Number.parseInt(one, 10))).toEqual([7, 7, 13, 14]);
  });

  it.each([
    ["a team of nobody", "[mia, tom]", "[mia, tim]", "nobody here is called `tim`"],
    ["a rule for an unknown team", "by: [team/release]", "by: [team/releases]", "no team here is called"],
    ["a gate that could never open", "count: 2", "count: 3", "only 2 may"],
    ["one person under two names", `tom: ${tom}`, `tom: ${mia}`, "would count twice"],
    ["a condition that is none", 'git.branch == "main"', "git.branch", "no condition"],
    ["a condition of unknown names", 'git.branch == "main"', "user == 1", "no condition over a plan"],
    ["a verdict of unknown names", "response.json.open == true", "answer", "no condition over an answer"],
    ["a freeze that ends first", "until: 2027-01", "until: 2026-01", "ends before it begins"],
  ])("is refused for %s", (_, part, instead, message) => {
    expect(written).toContain(part);
    expect(mistakesOf(written.replace(part, instead)).join("\n")).toContain(message);
  });

  it("has no anchors that multiply, and no key twice", () => {
    expect(mistakesOf(`otto-policy: 1\npeople: &a { mia: ${mia} }\nteams: *a\n`)).not.toEqual([]);
    expect(mistakesOf("otto-policy: 1\nadmit: []\nadmit: []\n")).not.toEqual([]);
  });
});

describe("admission", () => {
  const policy = policyOf(written);

  it("takes a plan that keeps to the policy", () => {
    expect(whyNotAdmitted(policy, planOf([test, deploy]), { peer: mia, domain: "ops" })).toEqual([]);
  });

  it("refuses a branch, a submitter, a source and a missing check, all at once", () => {
    const plan = planOf(
      [step("lint"), step("deploy", { environment: "production", needs: [passed("lint")] })],
      {
        context: { branch: "feature", tag: null, commit: null, trigger: "manual", parameters: {} },
        uses: [
          {
            name: "x",
            source: "git+https://evil.example.org/x",
            commit: null,
            digest: "d",
            kind: "template",
          },
        ],
      },
    );
    const why = whyNotAdmitted(policy, plan, { peer: "12D3KooWsomebodyelse", domain: "ops" });
    expect(why.join("\n")).toMatch(/from main[^]*not blessed[^]*only team\/release[^]*called test\*/u);
    expect(why).toHaveLength(4);
  });

  it("lets a plan alone that reaches nothing it speaks of", () => {
    const plan = planOf([test], {
      context: { branch: "x", tag: null, commit: null, trigger: "t", parameters: {} },
    });
    expect(whyNotAdmitted(policy, plan, { peer: "anybody", domain: "ops" })).toEqual([]);
  });

  it("does not count a check that only stands beside the deploy", () => {
    const beside = planOf([test, step("deploy", { environment: "production" })]);
    expect(whyNotAdmitted(policy, beside, { peer: mia, domain: "ops" })).toEqual([
      "deploy reaches production, and needs no step that is called test*",
    ]);
  });

  it("refuses when a rule cannot be evaluated", () => {
    const strange = policyOf("otto-policy: 1\nadmit: [{ require: \"steps[7].name == 'x'\", because: no }]\n");
    expect(whyNotAdmitted(strange, planOf([test]), { peer: mia, domain: "ops" })).toHaveLength(1);
  });
});

describe("a gate", () => {
  const policy = policyOf(written);
  const gate = gateOf(policy, planOf([test, deploy]), deploy, "before");
  if (gate === null) throw new Error("no gate");
  const monday = Date.parse("2026-11-30T09:00:00Z");
  const all: GateEvidence = {
    approvedBy: new Set([mia, tom]),
    outcomeOf: () => "passed",
    verdicts: new Set(["calendar"]),
    inputs: [],
    origins: [],
    nowMs: monday,
  };

  it("opens when everything is there", () => expect(missingFor(gate, all)).toEqual([]));

  it.each([
    ["an approval is missing", { approvedBy: new Set([mia]) }, "1 of 2 approvals"],
    ["somebody else approved", { approvedBy: new Set([mia, "stranger"]) }, "1 of 2 approvals"],
    ["it is night", { nowMs: Date.parse("2026-11-30T16:00:00Z") }, "closed until 2026-12-01T08:00Z"],
    ["it is Sunday", { nowMs: Date.parse("2026-11-29T09:00:00Z") }, "closed until 2026-11-30T08:00Z"],
    ["it is frozen", { nowMs: Date.parse("2026-12-21T09:00:00Z") }, "holidays"],
    ["a check failed", { outcomeOf: () => "failed" }, "test must pass"],
    ["a check has not ended", { outcomeOf: () => null }, "has not ended"],
    ["the calendar says no", { verdicts: new Set<string>() }, "calendar does not say yes"],
  ])("stays closed while %s", (_, lacking, words) => {
    const missing = missingFor(gate, { ...all, ...lacking });
    expect(missing.join("\n")).toContain(words);
    expect(missing).toHaveLength(1);
  });

  it("is on no step without an environment, nor on one that is left out", () => {
    expect(gateOf(policy, planOf([test]), test, "before")).toBeNull();
    expect(gateOf(policy, planOf([test]), { ...deploy, included: false }, "before")).toBeNull();
  });

  it("is shown beforehand, with what would be refused", () => {
    const text = demandsText(demandsOf(policy, planOf([test, deploy]), { peer: "x", domain: "ops" }), "ops");
    expect(text).toMatch(
      /refused by ops: only team\/release[^]*gate of ops before deploy \(production\):\n {2}2 approvals/u,
    );
  });

  it("names with those who answer a step the people of their team, and refuses one that there is not", () => {
    const asked = (by: readonly string[]) =>
      step("ok", { action: { kind: "approve", question: "Go on?", by, count: 1 } });
    const text = (by: readonly string[]) =>
      demandsText(demandsOf(policy, planOf([asked(by)]), { peer: "x", domain: "ops" }), "ops");
    expect(text(["team/release"])).toBe("team/release of ops, which answers ok: mia, tom\n");
    expect(text(["team/nobody"])).toBe(
      "refused by ops: ok is to be approved by team/nobody, which the policy does not know\n",
    );
  });

  it("goes on over midnight where a window does", () => {
    const night = policyOf('otto-policy: 1\nenvironments: { "*": { open: ["fri 22:00-02:00"] } }\n');
    const open = gateOf(night, planOf([test, deploy]), deploy, "before");
    if (open === null) throw new Error("no gate");
    const at = (moment: string) => missingFor(open, { ...all, nowMs: Date.parse(moment) }).length === 0;
    expect([
      at("2026-11-27T23:00:00Z"),
      at("2026-11-28T01:59:00Z"),
      at("2026-11-28T02:00:00Z"),
      at("2026-11-27T01:00:00Z"),
    ]).toEqual([true, true, false, false]);
  });

  it("may be behind a step, with demands of its own, and is shown beforehand", () => {
    const behind = policyOf(
      `otto-policy: 1\npeople: { mia: ${mia} }\nenvironments: { production: { after: { approve: { count: 1, by: [mia] }, checks: [smoke] } } }\n`,
    );
    const smoke = step("smoke");
    const plan = planOf([test, deploy, smoke, step("next", { needs: [passed("deploy")] })]);
    expect(gateOf(behind, plan, deploy, "before")).toBeNull();
    expect(gateOf(behind, plan, deploy, "after")).toMatchObject({ phase: "after", checks: ["smoke"] });
    const text = demandsText(demandsOf(behind, plan, { peer: mia, domain: "ops" }), "ops");
    expect(text).toBe("gate of ops after deploy (production):\n  1 approval of mia\n  smoke has passed\n");
  });

  it("behind a step takes no check that waits for the step, and says so when the plan is submitted", () => {
    const behind = policyOf("otto-policy: 1\nenvironments: { production: { after: { checks: [smoke] } } }\n");
    const waits = planOf([test, deploy, step("smoke", { needs: [passed("deploy")] })]);
    expect(whyNotAdmitted(behind, waits, { peer: mia, domain: "ops" })).toEqual([
      "deploy reaches production, and beside it is no step that is called smoke",
    ]);
  });
});
