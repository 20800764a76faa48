/** Certificates that end: they are renewed before that by themselves, and whoever was away for too long is told how to come back. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DataFolder } from "../../node/edge/data-folder.ts";
import { openIdentity } from "../../node/edge/identity.ts";
import { limits } from "../../protocol/limits.ts";
import { type Certificate, openCertificate, sealCertificate } from "../../protocol/certificate.ts";
import { type Charter, openCharter } from "../../protocol/membership.ts";
import { Mesh, type MeshNode } from "./mesh.ts";
import { eventually } from "./program.ts";

let mesh: Mesh;

beforeAll(async () => {
  mesh = await Mesh.found({ controls: 1, workers: [[]] });
});
afterAll(() => mesh?.end());

function one(nodes: readonly MeshNode[]): MeshNode {
  const [first] = nodes;
  if (first === undefined) throw new Error("The mesh has no such node.");
  return first;
}

const control = (): MeshNode => one(mesh.controls);
const owner = () => openIdentity(new DataFolder(control().folder).ownerKey);

function charter(): Charter {
  const opened = openCharter(new DataFolder(control().folder).need("charter"), null, owner());
  if (!opened.ok) throw new Error(opened.problem);
  return opened.value;
}

function certificateIn(path: string): Certificate {
  const opened = openCertificate(readFileSync(path), charter(), 0, owner());
  if (!opened.ok) throw new Error(opened.problem);
  return opened.value;
}

/** In place of the certificate: the same one, that ends so long from now. */
function endsIn(path: string, ms: number): void {
  const changed = { ...certificateIn(path), expiresMs: Date.now() + ms };
  writeFileSync(path, sealCertificate(charter().domain, changed, owner()));
}

const hour = 60 * limits.minuteMs;

describe("a certificate of which a third is left", () => {
  it("of a worker is renewed for a week, and its link stays", async () => {
    const worker = one(mesh.workers);
    const path = join(worker.folder, "certificate");
    expect(certificateIn(path).expiresMs - Date.now()).toBeLessThanOrEqual(7 * limits.dayMs);
    await worker.kill();
    endsIn(path, hour);
    await worker.restart();
    await eventually(
      "it has a new certificate",
      () => certificateIn(path).expiresMs - Date.now(),
      (leftMs) => leftMs > 6 * limits.dayMs,
    );
    expect(certificateIn(path)).toMatchObject({ peer: worker.peer, role: "worker", name: worker.name });
    await eventually(
      "the control peer was shown it",
      async () => (await control().peers()).peers.find(({ peer }) => peer === worker.peer)?.untilMs ?? 0,
      (untilMs) => untilMs - Date.now() > 6 * limits.dayMs,
    );
    await mesh.submit(mesh.repository("after", "  a:\n    run: 'true'\n"), worker);
    expect(await control().refused("stranger")).toBe(0);
  });

  it("of a person is renewed by the next command", async () => {
    const code = await mesh.invite(control(), ["--role", "person"]);
    await mesh.succeed(["join", code], { home: "mia" });
    const path = join(mesh.folder, "mia", "domains", charter().domain, "certificate");
    expect(certificateIn(path).expiresMs - Date.now()).toBeLessThanOrEqual(30 * limits.dayMs);
    endsIn(path, hour);
    await mesh.succeed(["status", "--peer", control().address], { home: "mia" });
    expect(certificateIn(path).expiresMs - Date.now()).toBeGreaterThan(29 * limits.dayMs);
    endsIn(path, -hour);
    const late = await mesh.otto(["status", "--peer", control().address], { home: "mia" });
    expect(late.code).toBe(3);
    expect(late.stderr).toMatch(/certificate in domain dev ended on .*\n?.*\n?.*otto join CODE/u);
  });

  it("of a control peer that the charter names, it signs itself, however long it was away", async () => {
    const path = join(control().folder, "certificate");
    await control().kill();
    endsIn(path, -hour);
    await control().restart();
    expect(certificateIn(path)).toMatchObject({ role: "control", peer: control().peer });
    expect(certificateIn(path).expiresMs - Date.now()).toBeGreaterThan(29 * limits.dayMs);
  });
});

it("a worker that was away for too long is told so, and joins anew with its folder", async () => {
  const worker = one(mesh.workers);
  await worker.kill();
  endsIn(join(worker.folder, "certificate"), -hour);
  const refused = await mesh.otto(["up", "--data", worker.folder]);
  expect(refused.code).toBe(3);
  expect(refused.stderr).toContain("it was away for longer than the 7 days that one is good");
  expect(refused.stderr).toContain(`otto join CODE --data ${worker.folder}`);
  const again = await mesh.join(worker.name, await mesh.invite(control()), ["--name", "again"]);
  expect(again.peer).toBe(worker.peer);
  await eventually(
    "it is linked",
    async () => (await control().peers()).peers.find(({ peer }) => peer === again.peer)?.state,
    (state) => state === "linked",
  );
});
