/** As a worker, and whoever sits at it, that was let in for some labels and for the machine alone, and wants more. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openIdentity } from "../../node/edge/identity.ts";
import { allowedLabels, isAllowed } from "../../protocol/allowed.ts";
import { limits } from "../../protocol/limits.ts";
import { type Certificate, openCertificate, sealCertificate } from "../../protocol/certificate.ts";
import { openCharter } from "../../protocol/membership.ts";
import { Mesh, type MeshNode } from "../mesh/mesh.ts";
import { eventually } from "../mesh/program.ts";

const allowed = { labels: ["gpu", "zone=a"], sandbox: "S1" } as const;

describe("labels of a worker", () => {
  it.each<[string, string[], string[]]>([
    ["that its invite names count", ["gpu", "zone=a"], ["gpu", "zone=a"]],
    ["that it does not name do not", ["deploy", "zone=b", "gpu=1", "GPU"], []],
    [
      "of its machine count",
      ["os=linux", "arch=x64", "cores=2", "memory=100"],
      ["os=linux", "arch=x64", "cores=2", "memory=100"],
    ],
    ["that only look like its machine's do not", ["os", "os-deploy=1"], []],
    [
      "of levels up to the highest count",
      ["sandbox=S1", "sandbox=S2", "sandbox=S9", "sandbox"],
      ["sandbox=S1"],
    ],
  ])("%s", (_, said, counting) => {
    expect(allowedLabels(allowed, said)).toEqual(counting);
    expect(allowedLabels(null, said)).toEqual(said);
  });

  it("are bounded by nothing that is not well formed", () => {
    expect(isAllowed(allowed)).toBe(true);
    for (const wrong of [
      null,
      {},
      { labels: "gpu", sandbox: "S1" },
      { labels: [1], sandbox: "S1" },
      { labels: [], sandbox: "S9" },
    ])
      expect(isAllowed(wrong)).toBe(false);
    expect(isAllowed({ labels: Array.from({ length: 1_000 }, String), sandbox: "S1" })).toBe(false);
  });
});

describe("a worker that was let in for a label, and as a machine alone", () => {
  let mesh: Mesh;
  let control: MeshNode;
  let worker: MeshNode;

  beforeAll(async () => {
    mesh = await Mesh.found({ controls: 1, workers: [] });
    control = mesh.controls[0] as MeshNode;
    const code = await mesh.invite(control, ["--label", "gpu", "--sandbox", "S0", "--machine-only"]);
    const words = [
      "--data",
      join(mesh.folder, "thief-node"),
      "--sandbox",
      "S0",
      "--label",
      "gpu",
      "--label",
      "deploy",
    ];
    await mesh.succeed(["join", code, "--no-start", "--name", "thief", ...words], { home: "thief" });
    worker = await mesh.up("thief-node", [], { home: "thief" });
  });
  afterAll(() => mesh?.end());

  it("gets no step by another one, whatever it says", async () => {
    await eventually(
      "it was told so",
      async () => worker.program.stderr,
      (said) => said.includes("does not let it have deploy"),
    );
    const steps = (label: string): string => `  one:\n    run: 'true'\n    labels: [${label}]\n`;
    const wanted = await mesh.submit(mesh.repository("wanted", steps("deploy")), control);
    const mine = await mesh.submit(mesh.repository("mine", steps("gpu")), control);
    expect(await control.watch(mine).closed()).toBe("passed");
    const [step] = (await mesh.status(wanted, control)).steps;
    expect(step?.state).toBe("ready");
    await mesh.succeed(["cancel", wanted, "--node", control.folder]);
  });

  it("has made nobody at it a person of the domain", async () => {
    const repository = mesh.repository("thieves", "  one:\n    run: 'true'\n");
    for (const target of [
      ["--node", worker.folder],
      ["--peer", control.address],
    ]) {
      const submitted = await mesh.otto(["submit", ...target], { folder: repository, home: "thief" });
      expect(submitted).toMatchObject({ code: 3, stdout: "" });
      expect(submitted.stderr).toContain("otto join");
    }
  });

  it("has the same bounds in its next certificate", async () => {
    const path = join(worker.folder, "certificate");
    const owner = openIdentity(join(control.folder, "owner.key"));
    const charter = openCharter(readFileSync(join(worker.folder, "charter")), null, owner);
    if (!charter.ok) throw new Error(charter.problem);
    const own = (): Certificate => {
      const opened = openCertificate(readFileSync(path), charter.value, 0, owner);
      if (!opened.ok) throw new Error(opened.problem);
      return opened.value;
    };
    await worker.kill();
    const expiresMs = Date.now() + 60 * limits.minuteMs;
    writeFileSync(path, sealCertificate(charter.value.domain, { ...own(), expiresMs }, owner));
    await worker.restart({ home: "thief" });
    await eventually(
      "it has a new certificate",
      async () => own().expiresMs,
      (newMs) => newMs > expiresMs,
    );
    expect(own().allowed).toEqual({ labels: ["gpu"], sandbox: "S0" });
  });

  it.each([
    ["a person with labels", ["--role", "person", "--label", "gpu"]],
    ["a control peer with a level", ["--role", "control", "--sandbox", "S1"]],
    ["a person as a machine", ["--role", "person", "--machine-only"]],
    ["a level that there is not", ["--sandbox", "S9"]],
  ])("is not invited: %s", async (_, words) => {
    const made = await mesh.otto(["invite", ...words, "--node", control.folder]);
    expect(made).toMatchObject({ code: 2, stdout: "" });
    expect(made.stderr).toContain("OTTO_USAGE");
  });
});
