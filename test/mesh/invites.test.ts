/** Invites: good once, for a while, whole, and for the domain that made them. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openIdentity } from "../../node/edge/identity.ts";
import { inviteCode, inviteOfCode } from "../../node/edge/invite-code.ts";
import { type Invite, sealInvite } from "../../protocol/invite.ts";
import { freeAddress } from "../ports.ts";
import { Mesh, type MeshNode } from "./mesh.ts";
import type { Ended } from "./program.ts";

let mesh: Mesh;
let control: MeshNode;

beforeAll(async () => {
  mesh = await Mesh.found({ controls: 1, workers: [] });
  const [only] = mesh.controls;
  if (only === undefined) throw new Error("The mesh has no control peer.");
  control = only;
});
afterAll(() => mesh?.end());

let joined = 0;

/** Joins without starting a node, in a new folder. */
async function joinNowhere(code: string): Promise<Ended & { readonly data: string }> {
  const data = join(mesh.folder, `joined-${(joined += 1)}`);
  return { ...(await mesh.otto(["join", code, "--no-start", "--data", data])), data };
}

async function expectRefused(code: string, why: string): Promise<void> {
  const { data, ...ended } = await joinNowhere(code);
  expect(ended).toMatchObject({ code: 3, stdout: "" });
  expect(ended.stderr).toContain(why);
  expect(ended.stderr).toMatch(/Nobody joined\.\nNext: .*\nCode: OTTO_INVITE_INVALID\n$/u);
  expect(existsSync(data)).toBe(false);
}

function changed(code: string, change: (invite: Invite) => Invite, file: string): string {
  const { invite, domain, key } = inviteOfCode(code);
  return inviteCode(sealInvite(domain, change(invite), { keys: openIdentity(file), certificate: null }), key);
}

it("lets one peer in, once, and no second one", async () => {
  const code = await mesh.invite(control);
  const first = await joinNowhere(code);
  expect(first, first.stderr).toMatchObject({ code: 0 });
  expect(first.stdout).toMatch(/^Joined domain dev as worker worker-/u);
  expect(existsSync(join(first.data, "certificate"))).toBe(true);
  await expectRefused(code, "used before");
});

it("refuses an invite that has expired", async () => {
  const file = join(control.folder, "owner.key");
  const old = changed(
    await mesh.invite(control),
    (invite) => ({ ...invite, expiresMs: Date.now() - 1 }),
    file,
  );
  await expectRefused(old, "it has expired");
});

it("refuses one that is damaged, or that a stranger wrote", async () => {
  const code = await mesh.invite(control);
  const other = code[60] === "A" ? "B" : "A";
  await expectRefused(`${code.slice(0, 60)}${other}${code.slice(61)}`, "damaged");
  await expectRefused(code.slice(0, -20), "damaged");
  const forged = changed(code, (invite) => ({ ...invite, role: "control" }), join(mesh.folder, "forger.key"));
  await expectRefused(forged, "no person of this domain made it");
  expect((await joinNowhere(code)).code).toBe(0);
});

it("does not join as a control peer that the others cannot reach", async () => {
  const far = changed(
    await mesh.invite(control),
    (invite) => ({ ...invite, role: "control", addresses: ["/ip4/192.0.2.7/tcp/4105"] }),
    join(mesh.folder, "far.key"),
  );
  const ended = await joinNowhere(far);
  expect(ended).toMatchObject({ code: 2, stdout: "" });
  expect(ended.stderr).toContain("--listen HOST:4105");
});

it("refuses one of another domain, which leads here", async () => {
  const other = await Mesh.found({ controls: 1, workers: [] });
  try {
    const [founder] = other.controls;
    if (founder === undefined) throw new Error("The other mesh has no control peer.");
    const foreign = changed(
      await other.invite(founder),
      (invite) => ({ ...invite, addresses: [control.address] }),
      join(founder.folder, "owner.key"),
    );
    await expectRefused(foreign, "it is for another domain");
  } finally {
    await other.end();
  }
});

it("makes a person a member, who then asks over the network with a key of their own", async () => {
  const code = await mesh.invite(control, ["--role", "person"]);
  const visitor = { home: "visitor" };
  const before = await mesh.otto(["status", "--peer", control.address], visitor);
  expect(before).toMatchObject({ code: 3, stdout: "" });
  expect(before.stderr).toContain("Code: OTTO_NOT_A_MEMBER");
  expect((await mesh.succeed(["join", code], visitor)).stdout).toContain("Joined domain dev.");
  const repository = mesh.repository("visited", "  one:\n    run: echo visited\n");
  const words = ["submit", "--watch", "--plain", "--peer", control.address];
  const program = mesh.start(words, { ...visitor, folder: repository });
  await program.said(/1 step/u);
  program.signal("SIGINT");
  expect(await program.ended).toMatchObject({ code: 130 });
});

it("does not join with a folder of another domain's node, and says which one it is; a person needs no folder", async () => {
  const other = await mesh.up("other", ["--control", "--name", "other", "--listen", await freeAddress()]);
  const code = await mesh.invite(control);
  const refused = await mesh.otto(["join", code, "--data", other.folder]);
  expect(refused).toMatchObject({ code: 2, stdout: "" });
  expect(refused.stderr).toMatch(
    /already holds a node: control peer other of domain dev \(\w{4}…\w{4}\), and the code is of another domain \(\w{4}…\w{4}\)\.\nNobody joined; the code is still good\.\nNext: Join with another folder/u,
  );
  await other.kill();
  const person = await mesh.invite(control, ["--role", "person"]);
  await mesh.succeed(["join", person, "--data", other.folder], { home: "mia" });
  expect(await joinNowhere(code)).toMatchObject({ code: 0 });
});
