/** Control peers that take each other's places while the domain works, and a domain from a backup when all are lost. */

import { readdirSync, renameSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { sha256Hex } from "../../protocol/values.ts";
import { freeAddress } from "../ports.ts";
import { Mesh, type MeshNode } from "./mesh.ts";
import { eventually } from "./program.ts";

let mesh: Mesh;
let founder: MeshNode;
let chain: string;
let ownerKey: string;
/** The run that ended while the founder was alone. */
let before: string;
/** Control peers by their names, as they join. */
const nodes = new Map<string, MeshNode>();

beforeAll(async () => {
  mesh = await Mesh.found({ controls: 1, workers: [["--slots", "2"]] });
  const [only] = mesh.controls;
  if (only === undefined) throw new Error("The mesh has no control peer.");
  founder = only;
  nodes.set("control-1", founder);
  ownerKey = join(founder.folder, "owner.key");
  // More is printed than a report takes in, and a file is handed on.
  const printed = "seq 5000 | tee numbers";
  chain = mesh.repository(
    "chain",
    `  a:\n    run: ${printed}\n    outputs: { numbers: numbers }\n  b:\n    needs: a\n    run: 'true'\n`,
  );
});
afterAll(() => mesh?.end());

type Listed = {
  readonly configuration: number;
  readonly controls: readonly { readonly name: string; readonly standing: string }[];
};

function node(name: string): MeshNode {
  const found = nodes.get(name);
  if (found === undefined) throw new Error(`There is no ${name}.`);
  return found;
}

async function listed(through: MeshNode): Promise<Listed> {
  const { stdout } = await mesh.succeed(["control", "ls", "--json", "--node", through.folder]);
  return JSON.parse(stdout) as Listed;
}

async function standings(through: MeshNode): Promise<Record<string, string>> {
  const { controls } = await listed(through);
  return Object.fromEntries(
    controls.map(({ name, standing }) => [name, standing === "home" ? "member" : standing]),
  );
}

async function joinAsControl(name: string, through: MeshNode): Promise<void> {
  const code = await mesh.invite(through, ["--role", "control"]);
  const joined = await mesh.join(name, code, ["--listen", await freeAddress(), "--name", name]);
  nodes.set(name, joined);
  mesh.controls.push(joined);
  const isSpare = (all: Record<string, string>): boolean => all[name] === "spare";
  await eventually(`${name} is linked`, () => standings(through), isSpare);
}

function control(words: readonly string[], through: MeshNode): Promise<{ readonly stdout: string }> {
  return mesh.succeed(["control", ...words, "--node", through.folder, "--owner-key", ownerKey]);
}

async function runPasses(through: MeshNode): Promise<string> {
  const run = await mesh.submit(chain, through);
  const isOver = (state: string): boolean => state !== "running" && state !== "waiting";
  const state = await eventually(
    "the run is over",
    async () => (await mesh.status(run, through)).state,
    isOver,
  );
  expect(state).toBe("passed");
  return run;
}

it("a domain of one becomes one of three, and each of them knows every run", async () => {
  before = await runPasses(founder);
  for (const name of ["control-2", "control-3"]) {
    await joinAsControl(name, founder);
    const { stdout } = await control(["add", name], founder);
    expect(stdout).toContain(name);
  }
  expect(await listed(founder)).toMatchObject({ configuration: 3 });
  const all = { "control-1": "member", "control-2": "member", "control-3": "member" };
  await eventually(
    "all are members",
    () => standings(node("control-3")),
    (now) =>
      JSON.stringify(now) === JSON.stringify({ ...all }) ||
      Object.values(now).every((one) => one === "member"),
  );
  await runPasses(node("control-2"));
  const known = (state: string | undefined): boolean => state === "passed";
  await eventually(
    "a member that came later knows what ran before",
    async () => (await mesh.status(before, node("control-3"))).state,
    known,
  );
});

it("a peer whose database is gone does not vote until the owner lets it in again", async () => {
  const wiped = node("control-3");
  await wiped.kill();
  await eventually(
    "it is away, under the name that it had",
    () => standings(founder),
    (now) => now["control-3"] === "unlinked",
  );
  const peers = await mesh.succeed(["peers", "--node", founder.folder]);
  expect(peers.stdout).toMatch(/control-3 +control +unlinked/u);
  const again = await mesh.otto(["control", "replace", "control-3", "--node", founder.folder]);
  expect(again).toMatchObject({ code: 5, stderr: expect.stringContaining("control-3 cannot be") as string });
  rmSync(join(wiped.folder, "db"), { recursive: true });
  rmSync(join(wiped.folder, "acknowledged"), { force: true });
  await wiped.restart();
  await eventually(
    "it is seen with another database",
    () => standings(founder),
    (now) => now["control-3"] === "other database",
  );
  await control(["replace", "control-3"], founder);
  await eventually(
    "it votes again",
    () => standings(founder),
    (now) => now["control-3"] === "member",
  );
});

it("the home gives its place to another in the middle of a run, which goes on", async () => {
  const home = await mesh.home();
  await joinAsControl("control-4", home);
  const gate = mesh.gate();
  const held = mesh.repository(
    "held",
    `  a:\n    run: "read -r _ < ${gate.path}"\n  b:\n    needs: a\n    run: 'true'\n`,
  );
  const run = await mesh.submit(held, home);
  await eventually(
    "its first step runs",
    async () => (await mesh.status(run, home)).steps[0]?.state,
    (state) => state === "running",
  );
  await control(["replace", home.name, "control-4"], home);
  await home.kill();
  nodes.delete(home.name);
  mesh.controls.splice(mesh.controls.indexOf(home), 1);
  await mesh.home();
  gate.open(1);
  await eventually(
    "the run has passed",
    async () => (await mesh.status(run, node("control-4"))).state,
    (state) => state === "passed",
  );
  expect((await mesh.succeed(["verify", run, "--node", node("control-4").folder])).code).toBe(0);
});

it("what a run printed and handed on is kept by those that came later, when the founder and the worker are gone", async () => {
  const [worker] = mesh.workers;
  if (worker === undefined) throw new Error("The mesh has no worker.");
  await worker.kill();
  for (const through of nodes.values()) {
    const numbers = Array.from({ length: 5_000 }, (_, index) => `${index + 1}\n`).join("");
    const printed = async (): Promise<string> =>
      (await mesh.otto(["logs", before, "a", "--node", through.folder])).stdout;
    await eventually("all that it printed is here", printed, (text) => text.includes(numbers));
    const files = (): string[] => readdirSync(join(through.folder, "blobs"), { recursive: true }).map(String);
    const digest = sha256Hex(Buffer.from(numbers));
    await eventually("the file is here", files, (all) => all.some((file) => file.endsWith(digest)));
  }
  await worker.restart();
});

it("nobody but the owner changes who votes, and nothing that would stop the domain", async () => {
  const [through] = nodes.values();
  if (through === undefined) throw new Error("Nobody is left.");
  const stranger = join(mesh.folder, "stranger.key");
  const words = ["control", "remove", "control-4", "--node", through.folder, "--owner-key"];
  expect(await mesh.otto([...words, stranger])).toMatchObject({ code: 3 });
  const other = join(through.folder, "key");
  const refused = await mesh.otto([...words, other]);
  expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining("does not own") as string });
});

it("a worker that is asked for a backup says that it is one, and who is to be asked", async () => {
  const [worker] = mesh.workers;
  if (worker === undefined) throw new Error("The mesh has no worker.");
  const file = join(mesh.folder, "of-a-worker");
  const words = ["control", "backup", "--node", worker.folder, "--output", file];
  const { code, stdout, stderr } = await mesh.otto(words);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("This node is a worker: it holds nothing that a backup is made of.\nThere is no");
  expect(stderr).toContain(
    "Next: Ask a control peer, on its own machine, with --node FOLDER: `otto control ls`",
  );
  expect(readdirSync(mesh.folder).filter((name) => name.startsWith("of-a-worker"))).toEqual([]);
});

it("one that is away is taken out by its name, and nobody is told to let it run", async () => {
  const away = node("control-3");
  await away.kill();
  nodes.delete(away.name);
  mesh.controls.splice(mesh.controls.indexOf(away), 1);
  const [through] = nodes.values();
  if (through === undefined) throw new Error("Nobody is left.");
  await eventually(
    "it is away",
    () => standings(through),
    (now) => now["control-3"] === "unlinked",
  );
  const { stdout } = await control(["remove", "control-3"], through);
  expect(stdout).toContain("control-3 has no vote any more. It signs nothing more that counts");
  await runPasses(through);
});

/** As a worker's operator does who is told that the folder is taken: puts it away, as the message says. */
async function joinWithOldFolder(restored: MeshNode): Promise<MeshNode> {
  const [old] = mesh.workers;
  if (old === undefined) throw new Error("The mesh has no worker.");
  const code = await mesh.invite(restored);
  const refused = await mesh.otto(["join", code, "--data", old.folder]);
  expect(refused).toMatchObject({ code: 2, stdout: "" });
  expect(refused.stderr).toBe(
    `otto: ${old.folder} already holds a node: worker worker-1 of domain dev.\n` +
      "Nobody joined; the code is still good.\n" +
      `Next: Start it with \`otto up --data ${old.folder}\`. Where it finds no control peer any more, as after the domain was restored from a backup: ` +
      `join with another folder (--data FOLDER), or put the old one away first: otto down --node ${old.folder} && mv ${old.folder} ${old.folder}.old\n` +
      "Code: OTTO_FILE_EXISTS\n",
  );
  await mesh.succeed(["down", "--node", old.folder]);
  renameSync(old.folder, `${old.folder}.old`);
  return mesh.join(old.name, code, ["--name", "worker-2"]);
}

it("all control peers are lost: one comes from a backup, with every run that was over, and goes on", async () => {
  const [through] = nodes.values();
  if (through === undefined) throw new Error("Nobody is left.");
  const run = await runPasses(through);
  const file = join(mesh.folder, "dev.otto-backup");
  await mesh.succeed(["control", "backup", "--node", through.folder, "--output", file]);
  const keptOwnerKey = ownerKey;
  for (const one of nodes.values()) await one.kill();
  const folder = join(mesh.folder, "restored");
  const listen = await freeAddress();
  const words = ["control", "restore", file, "--data", folder, "--listen", listen, "--name", "restored"];
  expect(await mesh.otto([...words, "--owner-key", keptOwnerKey])).toMatchObject({ code: 2 });
  await mesh.succeed([...words, "--owner-key", keptOwnerKey, "--others-are-lost"]);
  const restored = await mesh.up("restored");
  expect((await mesh.status(run, restored)).state).toBe("passed");
  const listing = await mesh.succeed(["status", "--node", restored.folder]);
  for (const over of [before, run]) expect(listing.stdout).toMatch(new RegExp(`^${over} .* passed `, "mu"));
  const worker = await joinWithOldFolder(restored);
  mesh.workers.push(worker);
  await runPasses(restored);
  truncateSync(file, statSync(file).size - 1);
  const again = [...words.slice(0, 4), join(mesh.folder, "again"), ...words.slice(5)];
  const damaged = await mesh.otto([...again, "--owner-key", keptOwnerKey, "--others-are-lost"]);
  expect(damaged).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("OTTO_BACKUP_INVALID") as string,
  });
});
