/**
 * A domain of three control peers guards its production: a deploy waits until two people have approved exactly what it is given,
 * each control peer judges for itself, and `otto explain` says beforehand what will be demanded.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openIdentity } from "../../node/edge/identity.ts";
import { Mesh, type MeshNode } from "./mesh.ts";

let mesh: Mesh;
let policy: string;
let repository: string;

/** The key of somebody who has a home of their own. */
const keyOf = (home: string): string => openIdentity(join(mesh.folder, home, "person.key")).peer;

/** Somebody else joins as a person. */
async function personJoins(home: string): Promise<void> {
  const [control] = mesh.controls;
  if (control === undefined) throw new Error("The mesh has no control peer.");
  const code = await mesh.invite(control, ["--role", "person"]);
  await mesh.succeed(["join", code], { home });
}

beforeAll(async () => {
  mesh = await Mesh.found({ controls: 3, workers: [["--slots", "2"]] });
  for (const home of ["mia", "tom", "eve"]) await personJoins(home);
  policy = join(mesh.folder, "policy.yaml");
  writeFileSync(
    policy,
    `otto-policy: 1
people: { mia: ${keyOf("mia")}, tom: ${keyOf("tom")} }
teams: { release: [mia, tom] }
admit:
  - { when: '"production" in environments', require: trigger == "manual", because: people deploy }
environments:
  production: { approve: { count: 2, by: [team/release] }, checks: [build] }
`,
  );
  repository = mesh.repository(
    "guarded",
    `  build:
    run: echo one > out
    outputs: { out: out }
  deploy:
    environment: production
    inputs: { out: build.out }
    run: cat out
environments: { production: {} }
`,
  );
});
afterAll(() => mesh?.end());

function first(): MeshNode {
  const [control] = mesh.controls;
  if (control === undefined) throw new Error("The mesh has no control peer.");
  return control;
}

const approve = (home: string, run: string) =>
  mesh.otto(["approve", run, "deploy", "--node", first().folder], { home });

describe("a guarded production", () => {
  it("is explained beforehand, refused to nobody, and its policy is shown as it was written", async () => {
    const set = await mesh.succeed(["policy", "set", policy, "--node", first().folder]);
    expect(set.stdout).toBe("Policy of domain dev, version 1: 1 environment, 1 rule, 2 people.\n");
    const shown = await mesh.succeed(["policy", "show", "--node", mesh.workers[0]?.folder ?? ""]);
    expect(shown.stdout).toContain("otto-policy: 1");
    const explained = await mesh.succeed(["explain", "-C", repository, "--policy", "--node", first().folder]);
    expect(explained.stdout).toContain(
      "gate of domain dev before deploy (production):\n  2 approvals of team/release\n  build has passed\n",
    );
  });

  it("lets a deploy begin after two of those who may have approved what it is given", async () => {
    const run = await mesh.submit(repository, first());
    const watch = first().watch(run);
    await watch.event("step-waiting");
    const why = await mesh.succeed(["gate", "why", run, "--node", first().folder]);
    expect(why.stdout).toMatch(
      /missing: 0 of 2 approvals of team\/release[^]*it is given out: [0-9a-f]{64}/u,
    );
    const stranger = await approve("eve", run);
    expect(stranger).toMatchObject({ code: 3, stderr: expect.stringContaining("does not name") as string });
    await expect(approve("mia", run)).resolves.toMatchObject({ code: 0 });
    await expect(approve("mia", run)).resolves.toMatchObject({ code: 3 });
    await expect(approve("tom", run)).resolves.toMatchObject({ code: 0 });
    expect(await watch.closed()).toBe("passed");
    expect(watch.output("deploy")).toBe("one\n");
    const verified = await mesh.succeed(["verify", run, "--node", first().folder]);
    expect(verified.stdout).toContain("kept to its plan");
    expect((await mesh.succeed(["gate", "ls", "--node", first().folder])).stdout).toBe(
      "No step waits at a gate.\n",
    );
  });

  it("opens by the next home, too, with the approvals that it had", async () => {
    const home = await mesh.home();
    const others = mesh.controls.filter((control) => control !== home);
    const [near] = others;
    if (near === undefined) throw new Error("The mesh has no other control peer.");
    const run = await mesh.submit(repository, home);
    const watch = near.watch(run);
    await watch.event("step-waiting");
    await mesh.succeed(["approve", run, "--node", near.folder], { home: "mia" });
    await home.kill();
    await mesh.home(others);
    await mesh.succeed(["approve", run, "--node", near.folder], { home: "tom" });
    expect(await watch.closed()).toBe("passed");
    await home.restart();
  });
});

describe("a production that is watched after each deploy", () => {
  it("lets a deploy count once people have approved what it made, rolls back when they do not, and shows both", async () => {
    writeFileSync(
      policy,
      `otto-policy: 1
people: { mia: ${keyOf("mia")}, tom: ${keyOf("tom")} }
environments: { production: { after: { approve: { count: 1, by: [mia, tom] } } } }
`,
    );
    await mesh.succeed(["policy", "set", policy, "--node", first().folder]);
    const watched = mesh.repository(
      "watched",
      `  deploy:
    environment: production
    run: mkdir out && echo two > out/text
    outputs: { out: out }
  next:
    inputs: { out: deploy.out }
    run: cat out/text
  undo:
    needs: { deploy: [failed, timed-out] }
    run: echo undone
environments: { production: {} }
`,
    );
    const explained = await mesh.succeed(["explain", "-C", watched, "--policy", "--node", first().folder]);
    expect(explained.stdout).toContain(
      "gate of domain dev after deploy (production):\n  1 approval of mia, tom\n",
    );
    const ended = async (home: string, ...how: readonly string[]) => {
      const run = await mesh.submit(watched, first());
      const watch = first().watch(run);
      await watch.event("step-waiting");
      const why = await mesh.succeed(["gate", "why", run, "--node", first().folder]);
      expect(why.stdout).toMatch(/ended as passed, which counts once[^]*it made out: [0-9a-f]{64}/u);
      const [, given = ""] = /--given ([0-9a-f]{16}) /u.exec(why.stdout) ?? [];
      const approving = ["approve", run, "deploy", ...how, "--node", first().folder];
      const other = await mesh.otto(
        [...approving, "--given", given.replace(/^./u, (digit) => (digit === "0" ? "1" : "0"))],
        { home },
      );
      expect(other).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("for something else by now") as string,
      });
      const said = await mesh.succeed([...approving, "--given", given], { home });
      expect(said.stdout).toMatch(/deploy of run \w+:\n  it made out: [0-9a-f]{64}\n/u);
      const outcome = await watch.closed();
      const verified = await mesh.succeed(["verify", run, "--node", first().folder]);
      expect(verified.stdout).toContain("kept to its plan");
      const made = join(mesh.folder, `${run}.jsonl`);
      const { code } = await mesh.otto([
        "provenance",
        run,
        "deploy",
        "out",
        "-o",
        made,
        "--node",
        first().folder,
      ]);
      return { outcome, next: watch.output("next"), undo: watch.output("undo"), hasProvenance: code === 0 };
    };
    expect(await ended("mia")).toEqual({ outcome: "passed", next: "two\n", undo: "", hasProvenance: true });
    expect(await ended("tom", "--reject")).toEqual({
      outcome: "failed",
      next: "",
      undo: "undone\n",
      hasProvenance: false,
    });
  });
});

describe("a production that takes only what a pipeline of its own has built", () => {
  it("says what the files of a deploy are, and takes them with the provenance of equal ones", async () => {
    const demand = "{ inputs: [out], domains: [dev], pipelines: [maker] }";
    writeFileSync(policy, `otto-policy: 1\nenvironments: { production: { provenance: [${demand}] } }\n`);
    await mesh.succeed(["policy", "set", policy, "--node", first().folder]);
    const explained = await mesh.succeed(["explain", "-C", repository, "--policy", "--node", first().folder]);
    expect(explained.stdout).toContain(
      "  the input out was made at Build L1 by the domain dev, the pipeline maker\n",
    );
    const maker = mesh.repository("maker", "  build:\n    run: echo one > out\n    outputs: { out: out }\n");
    const made = await mesh.submit(maker, first());
    expect(await first().watch(made).closed()).toBe("passed");
    const file = join(mesh.folder, "out.jsonl");
    await mesh.succeed(["provenance", made, "build", "out", "-o", file, "--node", first().folder]);

    const run = await mesh.submit(repository, first());
    const watch = first().watch(run);
    await watch.event("step-waiting");
    const why = await mesh.succeed(["gate", "why", run, "--node", first().folder]);
    expect(why.stdout).toContain("missing: the input out was made by the pipeline guarded, not by maker");
    await mesh.succeed(["approve", run, "deploy", "--provenance", file, "--node", first().folder], {
      home: "eve",
    });
    expect(await watch.closed()).toBe("passed");
    const verified = await mesh.succeed(["verify", run, "--node", first().folder]);
    expect(verified.stdout).toContain("kept to its plan");
  });
});
