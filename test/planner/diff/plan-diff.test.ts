/** What `otto explain --diff` finds between two plans, and the cause of each change. */

import { describe, expect, it } from "vitest";
import { diffText } from "../../../planner/diff/diff-words.ts";
import { changesBetween } from "../../../planner/diff/values.ts";
import { type Change, diffPlans, type PlanDiff, type Side } from "../../../planner/diff/plan-diff.ts";
import { readWritten } from "../../../planner/written.ts";
import { planOf } from "../planning.ts";

const file = `otto: 1
parameters:
  channel: { type: string, default: beta }
env: { A: "1" }
environments:
  production: { settings: { HOSTNAME: www.example.org } }
steps:
  build: { run: [one, two], outputs: { assets: public/** } }
  test:
    needs: build
    matrix: { ruby: ["3.3", "3.4"] }
    run: rspec
    timeout: 20m
  production:
    needs: test
    when: parameters.channel == "stable"
    environment: production
    inputs: { assets: build.assets }
    run: ./deploy
  tell: { needs: production, run: ./tell }
`;

async function sideOf(text: string, name: string): Promise<Side> {
  return { plan: await planOf(text), written: readWritten(text, name) };
}

async function diffOf(before: string, after: string): Promise<PlanDiff> {
  return diffPlans(await sideOf(before, "main:otto.yaml"), await sideOf(after, "otto.yaml"));
}

/** The changes of one step after replacing a part of the file. */
async function changesOf(
  step: string,
  [from, to]: readonly [string, string],
  text = file,
): Promise<readonly Change[]> {
  expect(text).toContain(from);
  const { steps } = await diffOf(text, text.replace(from, to));
  const found = steps.find((change) => change.name === step);
  return found?.kind === "changed" ? found.changes : [];
}

const at = (line: number, name = "otto.yaml") => ({ file: name, line, endLine: line });

it("is nothing between equal plans, however the file is written", async () => {
  const diff = await diffOf(
    file,
    `# said
${file.replace("[one, two]", '["one", "two"]')}`,
  );
  expect(diff).toEqual({ plan: [], steps: [], unchanged: 5 });
});

it("is told word for word", async () => {
  const after = file
    .replace("default: beta", "default: stable")
    .replace('["3.3", "3.4"]', '["3.4", "3.5"]')
    .replace("[one, two]", "[one, three, four]")
    .replace("20m", "30m");
  const diff = await diffOf(file, `${after}  docs: { run: x, when: trigger == "x" }\n`);
  const ids = { base: "main", basePlanId: "old-id", planId: "new-id" };
  expect(`\n${diffText(diff, ids)}`).toMatchInlineSnapshot(`
    "
    what changed since main

    parameters.channel: "beta" -> "stable"; written (otto.yaml:3)

    ~ build
        commands; written (otto.yaml:8)
            - two
            + three
            + four
        variables.OTTO_PARAMETER_CHANNEL: "beta" -> "stable"; the parameter \`channel\` (otto.yaml:3)
    + docs: written (otto.yaml:21)
        left out: when trigger == "x" is false
    ~ test (ruby=3.4)
        timeout: 20m -> 30m; written (otto.yaml:13)
        variables.OTTO_PARAMETER_CHANNEL: "beta" -> "stable"; the parameter \`channel\` (otto.yaml:3)
    + test (ruby=3.5): a cell of its matrix (otto.yaml:11)
    ~ production
        in the plan; its condition reads parameters.channel, which was "beta" and is "stable", its default (otto.yaml:3)
            - left out: when parameters.channel == "stable" is false
            + in: when parameters.channel == "stable" is true
        needs.test (ruby=3.3): passed -> nothing; the step is gone
        needs.test (ruby=3.5): nothing -> passed; the step is new
        variables.OTTO_PARAMETER_CHANNEL: "beta" -> "stable"; the parameter \`channel\` (otto.yaml:3)
    ~ tell
        in the plan; production was left out, and is not any more
            - left out: needs production, which is left out: when parameters.channel == "stable" is false
            + in: always
        variables.OTTO_PARAMETER_CHANNEL: "beta" -> "stable"; the parameter \`channel\` (otto.yaml:3)
    - test (ruby=3.3): was a cell of its matrix (main:otto.yaml:11)

    steps: 2 added, 1 removed, 4 changed, 0 as they were; 1 of the plan as a whole
    plan old-id -> new-id
    "
  `);
});

it("adds every step where there was no pipeline", async () => {
  const { steps, plan } = diffPlans(null, await sideOf(file, "otto.yaml"));
  expect(plan).toEqual([]);
  expect(steps.map(({ kind }) => kind)).toEqual(["added", "added", "added", "added", "added"]);
});

describe("the cause of a change", () => {
  it("is the line that says it now", async () => {
    expect(await changesOf("test (ruby=3.3)", ["run: rspec", "run: rake"])).toEqual([
      { field: "commands", before: ["rspec"], after: ["rake"], because: "written", place: at(12) },
    ]);
  });

  it("is the line that said it before, when a default takes its place", async () => {
    expect(await changesOf("test (ruby=3.3)", ["    timeout: 20m\n", ""])).toEqual([
      {
        field: "timeoutMs",
        before: 20 * 60_000,
        after: 60 * 60_000,
        because: "was written; now the default",
        place: at(13, "main:otto.yaml"),
      },
    ]);
  });

  it("is the setting that a variable comes from", async () => {
    expect(await changesOf("production", ["www.", "web."])).toMatchObject([
      { field: "variables.HOSTNAME", because: "a setting of production", place: at(6) },
    ]);
  });

  it("is the fact that a condition read, when only that changed", async () => {
    expect(await changesOf("production", ["default: beta", "default: stable"])).toEqual([
      {
        field: "included",
        before: 'left out: when parameters.channel == "stable" is false',
        after: 'in: when parameters.channel == "stable" is true',
        because: 'its condition reads parameters.channel, which was "beta" and is "stable", its default',
        place: at(3),
      },
      {
        field: "variables.OTTO_PARAMETER_CHANNEL",
        before: "beta",
        after: "stable",
        because: "the parameter `channel`",
        place: at(3),
      },
    ]);
  });

  it("is the step that was left out, for those that wait for it", async () => {
    expect(await changesOf("tell", ["default: beta", "default: stable"])).toMatchObject([
      { field: "included", because: "production was left out, and is not any more", place: null },
      { field: "variables.OTTO_PARAMETER_CHANNEL" },
    ]);
    const stable = file.replace("default: beta", "default: stable");
    expect(await changesOf("tell", ["default: stable", "default: beta"], stable)).toMatchObject([
      { field: "included", because: "production is left out", place: null },
      { field: "variables.OTTO_PARAMETER_CHANNEL" },
    ]);
  });

  it("is a condition that was written, rewritten or removed", async () => {
    const when = '    when: parameters.channel == "stable"\n';
    expect(await changesOf("production", [when, ""])).toMatchObject([
      { field: "included", because: "its condition was removed", place: at(16, "main:otto.yaml") },
    ]);
    expect(await changesOf("production", ['"stable"', '"other"'])).toMatchObject([
      { field: "reason", because: "its condition was rewritten", place: at(16) },
    ]);
    expect(await changesOf("build", ["two],", 'two], when: trigger == "manual",'])).toMatchObject([
      { field: "reason", because: "its condition is new", place: at(8) },
    ]);
  });

  it("is the environment, for everything that follows from being in one", async () => {
    const changes = await changesOf("tell", ["run: ./tell", "environment: production, run: ./tell"]);
    expect(changes.map(({ field, because }) => [field, because])).toEqual([
      ["effect", "it is in an environment"],
      ["environment", "written"],
      ["retry.attemptsMax", "the default of a step that reaches outside: a person decides, not a retry"],
      ["retry.on", "the default of a step that reaches outside: a person decides, not a retry"],
      ["variables.HOSTNAME", "a setting of production"],
    ]);
  });

  it("is the matrix, for a cell that came or went", async () => {
    const { steps } = await diffOf(file, file.replace('"3.3", "3.4"', '"3.4"'));
    expect(steps.find(({ kind }) => kind === "removed")).toMatchObject({
      name: "test (ruby=3.3)",
      because: "was a cell of its matrix",
      place: at(11, "main:otto.yaml"),
    });
    expect(steps.find(({ name }) => name === "production")).toMatchObject({
      changes: [{ field: "needs.test (ruby=3.3)", after: null, because: "the step is gone" }],
    });
  });
});

it("compares what is of no step: parameters, environments, the name", async () => {
  const after = file
    .replace("default: beta", "default: other")
    .replace("{ HOSTNAME: www.example.org }", "{}")
    .replace("otto: 1\n", "otto: 1\npipeline: webapp\n");
  const { plan } = await diffOf(file, after);
  expect(plan.map(({ field, before, after: now, place }) => [field, before, now, place?.line])).toEqual([
    ["parameters.channel", "beta", "other", 4],
    ["environments.production.settings.HOSTNAME", "www.example.org", null, 7],
    ["pipeline", "main", "webapp", 2],
  ]);
});

describe("what stands behind a change that no line says", () => {
  const detected = async (command: string, version: number): Promise<Side> => {
    const plan = await planOf(`otto: 1\nsteps: { test: { run: ${command} } }\n`);
    return { plan: { ...plan, origin: { kind: "conventions", version, found: ["go.mod"] } }, written: null };
  };

  it("is the detector, when another version of it looked", async () => {
    const diff = diffPlans(await detected("go test", 1), await detected("go test ./...", 2));
    expect(diff.plan).toMatchObject([{ field: "origin.version", because: "detector version 1 -> 2" }]);
    expect(diff.steps).toMatchObject([
      { changes: [{ field: "commands", because: "detector version 1 -> 2" }] },
    ]);
    const same = diffPlans(await detected("go test", 2), await detected("go test ./...", 2));
    expect(same.steps).toMatchObject([{ changes: [{ because: "detected" }] }]);
  });

  it("is a template that is pinned to something else", async () => {
    const side = async (command: string, commit: string, digest: string): Promise<Side> => {
      const plan = await planOf(`otto: 1\nsteps: { test: { run: ${command} }, own: { run: ${command} } }\n`);
      const steps = plan.steps.map((step) =>
        step.name === "test" ? { ...step, name: "ci/test", from: "ci/test" } : step,
      );
      const use = { name: "shared", source: "git+https://a/b@v1", kind: "template" } as const;
      return { plan: { ...plan, steps, uses: [{ ...use, commit, digest }] }, written: null };
    };
    const before = await side("x", "1".repeat(40), "a".repeat(64));
    const diff = diffPlans(before, await side("y", "2".repeat(40), "b".repeat(64)));
    expect(
      diff.steps.map((step) => (step.kind === "changed" ? [step.name, step.changes[0]?.because] : [])),
    ).toEqual([
      ["own", "planned"],
      ["ci/test", "the template shared: commit 111111111111 -> commit 222222222222"],
    ]);
    expect(diff.plan).toMatchObject([{ because: "the template changed" }]);
  });
});

describe("a base that comes without its file", () => {
  const when = (condition: string): string => `otto: 1\nsteps:\n  a: { run: x, when: '${condition}' }\n`;
  const inclusion = async (before: string, branch: string, after: string): Promise<Change | undefined> => {
    const base = { plan: await planOf(before, { branch }), written: null };
    const [step] = diffPlans(base, await sideOf(after, "otto.yaml")).steps;
    return step?.kind === "changed" ? step.changes[0] : undefined;
  };

  it("says in its reasons which condition it had, so that the fact that differs is found", async () => {
    const text = when('git.branch == "main"');
    expect(await inclusion(text, "topic", text)).toMatchObject({
      field: "included",
      because: 'its condition reads git.branch, which was "topic" and is "main", as git says',
    });
  });

  it("says also that the condition was another one, or none", async () => {
    const now = when('git.branch == "main"');
    expect(await inclusion(when("false"), "main", now)).toMatchObject({
      because: "its condition was rewritten",
      place: at(3),
    });
    const plain = "otto: 1\nsteps:\n  a: { run: x }\n";
    expect(await inclusion(plain, "main", now)).toMatchObject({ because: "its condition is new" });
    expect(await inclusion(now, "main", plain)).toMatchObject({ because: "its condition was removed" });
  });

  it("has facts of its own, which are causes", async () => {
    const text = "otto: 1\nsteps:\n  a: { run: x }\n  b: { run: y }\n";
    const base = { plan: await planOf(text, { branch: "topic", trigger: "push" }), written: null };
    const diff = diffPlans(base, await sideOf("otto: 1\nsteps:\n  a: { run: x }\n", "otto.yaml"));
    expect(diff.plan.map(({ field, because }) => [field, because])).toEqual([
      ["branch", "as git says"],
      ["trigger", "what made the plan"],
    ]);
    expect(diff.steps).toMatchObject([{ kind: "removed", name: "b", because: "was in that plan" }]);
  });
});

it("does not see the order of keys, which a plan that came from a peer has otherwise", () => {
  const reports = { reports: [{ format: "junit", files: ["a.xml"] }] };
  expect(changesBetween(reports, { reports: [{ files: ["a.xml"], format: "junit" }] })).toEqual([]);
});
