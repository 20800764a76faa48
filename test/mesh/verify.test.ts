/** What a mesh of real processes records of a run convinces a stranger, who has a file and no node. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Verification } from "../../node/verify/verify.ts";
import { decodeExport, encodeExport } from "../../protocol/run-export.ts";
import { Mesh } from "./mesh.ts";

let mesh: Mesh;
let repository: string;

beforeAll(async () => {
  mesh = await Mesh.found({ controls: 3, workers: [[]] });
  repository = mesh.repository(
    "shop",
    `  build:
    run: mkdir out && echo built > out/file
    outputs: { files: out/** }
  test:
    inputs: { files: build.files }
    run: cat out/file
  release:
    needs: test
    when: git.branch == "no-such-branch"
    run: ./release
  tell:
    needs: { test: [failed] }
    run: echo failed
`,
  );
});
afterAll(() => mesh?.end());

it("verifies a run at any peer, and its export where there is no node, no key and no network", async () => {
  const run = await mesh.submit(repository, mesh.workers[0] ?? []);
  for (const node of mesh.controls) expect(await node.watch(run).closed()).toBe("passed");
  for (const node of [...mesh.controls, ...mesh.workers]) {
    const { stdout } = await mesh.succeed(["verify", run, "--node", node.folder]);
    expect(stdout).toMatch(new RegExp(`^Run ${run} kept to its plan bafy\\w+; it ended as passed\\.`, "u"));
    expect(stdout).toContain("4 steps, 2 attempts on 1 worker; ");
    expect(stdout).not.toContain("Not shown");
  }
  const file = join(mesh.folder, "run.otto-run");
  await mesh.succeed(["export", run, "-o", file, "--node", mesh.workers[0]?.folder ?? ""]);
  const offline = { home: "a-stranger" };
  const { stdout } = await mesh.succeed(["verify", file, "--json"], offline);
  const verification = JSON.parse(stdout) as Verification;
  expect(verification).toMatchObject({ verdict: "kept", state: "passed", findings: [], uncertified: [] });
  const { id = "" } = verification.domain ?? {};
  await mesh.succeed(["verify", file, "--domain", id], offline);
  expect(await mesh.otto(["verify", file, "--domain", "another"], offline)).toMatchObject({ code: 1 });

  const decoded = decodeExport(readFileSync(file));
  if (!decoded.ok) throw new Error(decoded.problem);
  const [, ...withoutFirst] = decoded.value.entries;
  const less = join(mesh.folder, "less.otto-run");
  writeFileSync(less, encodeExport({ ...decoded.value, entries: withoutFirst }));
  const told = await mesh.otto(["verify", less], offline);
  expect(told).toMatchObject({ code: 1, stderr: "" });
  expect(told.stdout).toContain("the run (entry-missing)\n  allowed:  The entries of ");

  writeFileSync(less, readFileSync(file).subarray(0, -1));
  expect(await mesh.otto(["verify", less], offline)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("Code: OTTO_EXPORT_INVALID") as string,
  });
});

it("says of a run that goes on that it has not ended, and keeps to its plan so far", async () => {
  const gate = mesh.gate();
  const waiting = mesh.repository("waiting", `  wait:\n    run: "read -r _ < ${gate.path}"\n`);
  const [node] = mesh.controls;
  const run = await mesh.submit(waiting, node ?? []);
  const watch = node?.watch(run);
  await watch?.event("attempt-started", (event) => event.step === "wait");
  const told = await mesh.otto(["verify", run, "--node", node?.folder ?? ""]);
  expect(told).toMatchObject({ code: 8 });
  expect(told.stdout).toContain(`Run ${run} has not ended. So far it keeps to its plan `);
  gate.open(1);
  expect(await watch?.closed()).toBe("passed");
});

it("tells what no run and no file is", async () => {
  const folder = mesh.controls[0]?.folder ?? "";
  expect(await mesh.otto(["verify", "aaaaaaaaaaaa", "--node", folder])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("Code: OTTO_NO_SUCH_RUN") as string,
  });
  expect(await mesh.otto(["verify", "./nothing"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("Code: OTTO_FILE_UNREADABLE") as string,
  });
});
