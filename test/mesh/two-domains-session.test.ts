/**
 * The session that the README tells: dev and ops on one machine, a pipeline of dev's, the gate of ops, two approvals, a deploy that
 * uses a token which it never sees, against a real server; then the same with one approval too few, with an approval of another
 * artifact, with an artifact that was changed on the way, and with all of dev's keys stolen.
 */

import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { askFor } from "../../node/edge/client.ts";
import { DataFolder } from "../../node/edge/data-folder.ts";
import { dialForCalls } from "../../node/edge/dial-call.ts";
import { type Identity, openIdentity } from "../../node/edge/identity.ts";
import { connectLocally } from "../../node/edge/local-socket.ts";
import { sealAnswer } from "../../protocol/answers.ts";
import type { GateSeen } from "../../protocol/calls.ts";
import { sealEnvelope } from "../../protocol/envelope.ts";
import { bundleOfRelease } from "../../protocol/manifest.ts";
import { openCharter } from "../../protocol/membership.ts";
import { sealQuorum } from "../../protocol/quorum.ts";
import type { Release } from "../../protocol/release.ts";
import { canary, Upstream } from "../security/brokered.ts";
import { Mesh, type MeshNode } from "./mesh.ts";
import { eventually } from "./program.ts";

let dev: Mesh;
let ops: Mesh;
let shop: Upstream;

const first = (mesh: Mesh): MeshNode => {
  const [control] = mesh.controls;
  if (control === undefined) throw new Error("The mesh has no control peer.");
  return control;
};
const node = (mesh: Mesh): readonly string[] => ["--node", first(mesh).folder];
const keyIn = (folder: string): Identity => openIdentity(new DataFolder(folder).key);
const personIn = (home: string): Identity => openIdentity(join(ops.folder, home, "person.key"));

async function joins(home: string): Promise<void> {
  const code = await ops.invite(first(ops), ["--role", "person"]);
  await ops.succeed(["join", code], { home });
}

beforeAll(async () => {
  shop = await Upstream.start();
  [dev, ops] = await Promise.all([
    Mesh.found({ controls: 3, workers: [[]] }),
    Mesh.found({ controls: 3, workers: [[]], domain: "ops" }),
  ]);
  for (const home of ["mia", "tom"]) await joins(home);
  const policy = join(ops.folder, "policy.yaml");
  writeFileSync(
    policy,
    `otto-policy: 1
people: { mia: ${personIn("mia").peer}, tom: ${personIn("tom").peer} }
teams: { release: [mia, tom] }
environments:
  production: { approve: { count: 2, by: [team/release] }, checks: [test] }
`,
  );
  await ops.succeed(["policy", "set", policy, ...node(ops)]);
  for (const [mesh, other] of [
    [dev, ops],
    [ops, dev],
  ] as const) {
    const { stdout: card } = await other.succeed(["domain", "card", ...node(other)]);
    await mesh.succeed(["domain", "trust", card.trim(), ...node(mesh)]);
  }
  const value = join(ops.folder, "value");
  writeFileSync(value, `${canary}\n`);
  const to = ["--to", `https://localhost:${shop.port}`, "--method", "PUT", "--path", "/releases/{}"];
  const trusted = ["--network", "127.0.0.0/8", "--authority", join(shop.folder, "ca.pem")];
  await ops.succeed(["secret", "set", "shop", "--from", value, ...to, ...trusted, ...node(ops)]);
});
afterAll(async () => {
  await dev?.end();
  await ops?.end();
  await shop?.stop();
});

/** A pipeline whose deploy puts what was built to the shop, with a token of ops's. */
function pipeline(name: string, built: string): string {
  return dev.repository(
    name,
    `  build:
    run: echo ${built} > out
    outputs: { out: out }
  test:
    inputs: { out: build.out }
    run: grep ${built} out
  deploy:
    environment: production
    needs: test
    inputs: { out: build.out }
    credentials: { shop: { http: "https://localhost:${shop.port}" } }
    run: curl -sSf -T out "$OTTO_CREDENTIAL_SHOP_URL/releases/${built}"
environments: { production: { domain: ops } }
`,
  );
}

/** The gate of the newest run, once what it lacks is known. */
async function gateOf(but: readonly string[] = []): Promise<GateSeen> {
  const look = async (): Promise<GateSeen | undefined> => {
    const { stdout } = await ops.succeed(["gate", "ls", "--json", ...node(ops)]);
    const gates = stdout.split("\n").filter((line) => line.startsWith("{"));
    return gates.map((line) => JSON.parse(line) as GateSeen).find(({ run }) => !but.includes(run));
  };
  const found = await eventually("the gate of ops waits", look, (gate) => (gate?.missing.length ?? 0) > 0);
  if (found === undefined) throw new Error("no gate");
  return found;
}

const approve = (gate: GateSeen, home: string) =>
  ops.otto(["approve", gate.run, "deploy", ...node(ops)], { home });

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

it("deploys what two people approved, with a token that the step never sees, and both domains can prove it", async () => {
  const run = await dev.submit(pipeline("shop-one", "one"), first(dev));
  const watch = first(dev).watch(run);
  const gate = await gateOf();
  expect(gate.missing).toEqual(["0 of 2 approvals of team/release"]);
  expect(shop.seen).toEqual([]);
  for (const home of ["mia", "tom"]) expect(await approve(gate, home)).toMatchObject({ code: 0 });
  expect(await watch.closed()).toBe("passed");
  expect(shop.seen).toMatchObject([
    { method: "PUT", url: "/releases/one", body: "one\n", headers: { authorization: `Bearer ${canary}` } },
  ]);
  for (const [mesh, id] of [
    [dev, run],
    [ops, gate.run],
  ] as const) {
    const verified = await mesh.succeed(["verify", id, ...node(mesh)]);
    expect(verified.stdout).toContain("kept to its plan");
  }
  const holding = [dev, ops]
    .flatMap(({ folder }) => filesIn(folder))
    .filter((file) => {
      const isSmall = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
      return isSmall > 0 && readFileSync(file).includes(canary);
    });
  expect(holding).toEqual([join(ops.folder, "value")]);
});

it("does nothing with one approval too few, nor with one person's twice", async () => {
  const run = await dev.submit(pipeline("shop-two", "two"), first(dev));
  const gate = await gateOf();
  await expect(approve(gate, "mia")).resolves.toMatchObject({ code: 0 });
  const twice = await approve(gate, "mia");
  expect(twice).toMatchObject({ code: 3, stderr: expect.stringContaining("has answered before") as string });
  const why = await ops.succeed(["gate", "why", gate.run, ...node(ops)]);
  expect(why.stdout).toContain("missing: 1 of 2 approvals of team/release");
  expect(shop.seen.some(({ url }) => url === "/releases/two")).toBe(false);
  await ops.succeed(["cancel", gate.run, ...node(ops)]);
  await expect(first(dev).watch(run).closed()).resolves.toBe("failed");
});

it("does not take an approval that was given for another artifact", async () => {
  const run = await dev.submit(pipeline("shop-three", "three"), first(dev));
  const gate = await gateOf();
  const tom = personIn("tom");
  const folder = join(ops.folder, "tom", "domains", openOps().domain);
  const certificate = readFileSync(join(folder, "certificate"));
  const said = {
    otto: "answer/1",
    run: gate.run,
    manifest: gate.manifest,
    step: "deploy",
    verdict: "passed",
    detail: "",
  } as const;
  const answer = sealAnswer({ ...said, given: "0".repeat(64) }, openOps().domain, { keys: tom, certificate });
  const channel = await connectLocally(new DataFolder(first(ops).folder).socket);
  await expect(
    askFor(channel, { call: "answer", certificate: null, answer, said: null }, "done"),
  ).rejects.toThrow("other files or values than the step is given");
  await ops.succeed(["cancel", gate.run, ...node(ops)]);
  await first(dev).watch(run).closed();
});

it("does not open for whoever has stolen the keys of all of dev's control peers", async () => {
  const run = await dev.submit(pipeline("shop-four", "four"), first(dev));
  const gate = await gateOf();
  const [thief, ...others] = dev.controls.map(({ folder }) => keyIn(folder)) as [Identity, ...Identity[]];
  const devNode = new DataFolder(first(dev).folder);
  const { bytes: bundle } = await askFor(
    await connectLocally(devNode.socket),
    { call: "bundle", certificate: null, run },
    "bundle",
  );
  const release: Release = {
    otto: "release/1",
    run: "stolen",
    manifest: gate.manifest,
    index: 2,
    step: "deploy",
    inputs: [{ name: "out", tree: "e".repeat(64) }],
    values: [],
    outcomes: { build: "passed", test: "passed" },
    fromMs: Date.now(),
    untilMs: Date.now() + 60_000,
  };
  const charter = devNode.need("charter");
  const { domain } = openDev();
  const signed = sealQuorum([thief, ...others].map((keys) => sealEnvelope("release", domain, release, keys)));
  const forged = bundleOfRelease(bundle ?? new Uint8Array(), { release: signed, charter });
  const remote = await dialForCalls(
    thief,
    openOps().controls.flatMap(({ peer, addresses }) => addresses.map((one) => `${one}/p2p/${peer}`)),
  );
  const request = { call: "release", certificate: null, bundle: forged } as const;
  await expect(askFor(await remote.open(), request, "released")).resolves.toMatchObject({ state: "running" });
  await remote.close();
  // Nothing of it begins: its files are nowhere, and were they, ops's own people would have to approve them.
  expect(shop.seen.some(({ body }) => body !== "one\n")).toBe(false);
  const permit = sealQuorum(
    [thief, ...others].map((keys) => sealEnvelope("permit", openOps().domain, {}, keys)),
  );
  expect(permit.length).toBeGreaterThan(0);
  await ops.succeed(["cancel", gate.run, ...node(ops)]);
  await first(dev).watch(run).closed();
});

function openOps() {
  return opened(ops);
}

function openDev() {
  return opened(dev);
}

function opened(mesh: Mesh) {
  const folder = new DataFolder(first(mesh).folder);
  const charter = openCharter(folder.need("charter"), null, openIdentity(folder.key));
  if (!charter.ok) throw new Error(charter.problem);
  return charter.value;
}
