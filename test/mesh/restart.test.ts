/** A node and its data folder: what was acknowledged is known after kill -9, and a damaged folder is never used in silence. */

import { appendFileSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freeAddress } from "../ports.ts";
import { Mesh, type MeshNode } from "./mesh.ts";
import { eventually } from "./program.ts";

let mesh: Mesh;
let control: MeshNode;

beforeAll(async () => {
  mesh = await Mesh.found({ controls: 1, workers: [[]], leaseSeconds: 30 });
  const [only] = mesh.controls;
  if (only === undefined) throw new Error("The mesh has no control peer.");
  control = only;
});
afterAll(() => mesh?.end());

function journal(): string {
  const folder = join(control.folder, "db");
  const [name = ""] = readdirSync(folder).filter((file) => file.endsWith(".log"));
  return join(folder, name);
}

async function tells(run: string): Promise<{ status: string; logs: string }> {
  const status = await mesh.otto(["status", run, "--node", control.folder]);
  const logs = await mesh.succeed(["logs", run, "--node", control.folder]);
  return { status: status.stdout, logs: logs.stdout };
}

let run: string;

it("knows runs, logs and who holds which step after kill -9", async () => {
  const gate = mesh.gate();
  const mailbox = mesh.mailbox();
  const open = `  wait:\n    run: "echo here > ${mailbox.path}; read -r _ < ${gate.path}"\n`;
  run = await mesh.submit(
    mesh.repository("kept", "  one:\n    run: seq 2000\n  two:\n    run: exit 3\n"),
    control,
  );
  expect(await control.watch(run).closed()).toBe("failed");
  const told = await tells(run);
  expect(told.logs).toContain("\n2000\n");
  const waiting = await mesh.submit(mesh.repository("open", open), control);
  await mailbox.line(/here/u);
  await control.kill();
  await control.restart();
  expect(await tells(run)).toEqual(told);
  // The lease is in the register: the worker's result counts, and nobody was given the step again.
  gate.open();
  const watch = control.watch(waiting);
  expect(await watch.closed()).toBe("passed");
  expect(watch.events.filter(({ kind }) => kind === "attempt-ended")).toMatchObject([
    { attempt: 1, cause: "finished" },
  ]);
});

it("refuses its folder to a second process, whether or not the first says that it is there", async () => {
  const said = await mesh.otto(["up", "--data", control.folder]);
  expect(said).toMatchObject({ code: 4, stdout: "" });
  expect(said.stderr).toContain(`runs already, as process ${control.program.pid}`);
  expect(said.stderr).toContain("Code: OTTO_DATA_FOLDER_IN_USE");
  const file = join(control.folder, "running.json");
  const running = readFileSync(file);
  rmSync(file);
  const silent = await mesh.otto(["up", "--data", control.folder]);
  writeFileSync(file, running);
  expect(silent).toMatchObject({ code: 4, stdout: "" });
  expect(silent.stderr).toContain("Code: OTTO_DATA_FOLDER_IN_USE");
  expect((await control.peers()).node.formed).toBe(true);
});

it("repairs a torn last write and says so", async () => {
  const told = await tells(run);
  await control.kill();
  appendFileSync(journal(), Buffer.from("the head of a record whose rest the crash has eaten"));
  await control.restart();
  expect(control.program.stderr).toMatch(/The last write in \S+\.log was torn: 51 bytes were dropped/u);
  expect(await tells(run)).toEqual(told);
});

it("shows the charter that it votes by when it was killed before that was written into its folder", async () => {
  const shown = async (): Promise<Record<string, unknown>> => {
    const { stdout } = await mesh.succeed(["control", "ls", "--json", "--node", control.folder]);
    const { configuration, controls } = JSON.parse(stdout) as { configuration: number; controls: unknown[] };
    return { configuration, controls: controls.length };
  };
  const owner = ["--node", control.folder, "--owner-key", join(control.folder, "owner.key")];
  const code = await mesh.invite(control, ["--role", "control"]);
  const spare = await mesh.join("spare", code, ["--listen", await freeAddress(), "--name", "spare"]);
  await eventually("it is linked", shown, ({ controls }) => controls === 2);
  await mesh.succeed(["control", "add", "spare", ...owner]);
  const charter = join(control.folder, "charter");
  const before = readFileSync(charter);
  await mesh.succeed(["control", "remove", "spare", ...owner]);
  // As if it had told nobody: whoever heard of it would say so.
  for (const other of [spare, ...mesh.workers]) await other.kill();
  await control.kill();
  writeFileSync(charter, before);
  await control.restart();
  await eventually("it is shown", shown, (now) => now["configuration"] === 3 && now["controls"] === 1);
  expect(readFileSync(charter)).not.toEqual(before);
  for (const worker of mesh.workers) await worker.restart();
});

it("refuses to run on a folder that lost what it had acknowledged", async () => {
  const again = await mesh.submit(mesh.repository("again", "  one:\n    run: 'true'\n"), control);
  await control.watch(again).closed();
  await control.kill();
  const whole = readFileSync(journal());
  truncateSync(journal(), whole.length - 200);
  const cut = await mesh.otto(["up", "--data", control.folder]);
  expect(cut).toMatchObject({ code: 4, stdout: "" });
  expect(cut.stderr).toMatch(/lost \d+ writes? that it had acknowledged/u);
  expect(cut.stderr).toContain("Code: OTTO_STORAGE_LOST");
  const damaged = Buffer.from(whole);
  damaged.fill(0xff, 300, 310);
  writeFileSync(journal(), damaged);
  const middle = await mesh.otto(["up", "--data", control.folder]);
  expect(middle).toMatchObject({ code: 4, stdout: "" });
  expect(middle.stderr).toContain("Code: OTTO_STORAGE_LOST");
  writeFileSync(journal(), whole);
  await control.restart();
  expect((await tells(run)).status).toContain("kept failed");
});
