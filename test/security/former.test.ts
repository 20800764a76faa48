/** As a control peer that the domain has taken out, and that still has its key and certificate: it lets nobody in, and stays nothing itself. */

import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { askFor } from "../../node/edge/client.ts";
import { DataFolder } from "../../node/edge/data-folder.ts";
import { dialForCalls } from "../../node/edge/dial-call.ts";
import { openIdentity } from "../../node/edge/identity.ts";
import { type InviteCode, inviteCode, inviteOfCode } from "../../node/edge/invite-code.ts";
import { limits } from "../../protocol/limits.ts";
import { sealApplication, sealInvite } from "../../protocol/invite.ts";
import { sealRenewal } from "../../protocol/renewal.ts";
import type { Request } from "../../protocol/requests.ts";
import { Mesh, type MeshNode } from "../mesh/mesh.ts";
import { newIdentity } from "../protocol/domain.ts";

let mesh: Mesh;
let founder: MeshNode;
let bad: MeshNode;
let invited: InviteCode;

beforeAll(async () => {
  mesh = await Mesh.found({ controls: 3, workers: [] });
  const [first, , third] = mesh.controls;
  if (first === undefined || third === undefined) throw new Error("The mesh has no such control peer.");
  [founder, bad] = [first, third];
  invited = inviteOfCode(await mesh.invite(founder, ["--role", "person"]));
  await mesh.succeed(["control", "remove", bad.name, "--node", founder.folder]);
  await bad.kill();
});
afterAll(() => mesh?.end());

const keys = () => openIdentity(join(bad.folder, "key"));
const certificate = () => new DataFolder(bad.folder).need("certificate");

async function asked(request: Request): Promise<string> {
  const remote = await dialForCalls(keys(), [founder.address]);
  try {
    return (await askFor(await remote.open(), request, request.call === "peers" ? "peers" : "certificate"))
      .kind;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await remote.close();
  }
}

it("makes no invite that is taken", async () => {
  const { invite, domain, key } = invited;
  const forged = { ...invite, expiresMs: Date.now() + limits.dayMs };
  const by = { keys: keys(), certificate: certificate() };
  const code = inviteCode(sealInvite(domain, forged, by), key);
  const joined = await mesh.otto(["join", code], { home: "eve" });
  expect(joined).toMatchObject({
    code: 3,
    stdout: "",
    stderr: expect.stringContaining("no person of this domain made it") as string,
  });
});

it("is a member until its certificate ends, and is given none after that", async () => {
  const shown = { keys: keys(), certificate: certificate() };
  expect(await asked({ call: "peers", certificate: shown.certificate })).toBe("peers");
  const renewal = sealRenewal(Date.now(), invited.domain, shown);
  expect(await asked({ call: "renew", certificate: shown.certificate, renewal })).toContain(
    "the charter lists it as none",
  );
});

it("has no invite used up, and nothing signed by those that are left", async () => {
  const { bytes: invite, domain, key } = invited;
  const { peer } = newIdentity();
  const application = sealApplication(
    domain,
    { otto: "application/1", peer, person: peer, name: "eve" },
    key,
  );
  const claim = { kind: "invite", invite, application } as const;
  const unlisted = "for a control peer that the charter lists";
  const shown = { certificate: certificate() };
  expect(await asked({ call: "certify", ...shown, fromMs: Date.now(), claim })).toContain(unlisted);
  expect(await asked({ call: "use-invite", ...shown, nonce: key.peer, peer })).toContain(unlisted);
});

it("is the one that is revoked by its id, and no worker that is called so", async () => {
  const code = await mesh.invite(founder);
  const liar = await mesh.join("liar", code, ["--name", bad.peer]);
  mesh.workers.push(liar);
  const { stdout } = await mesh.succeed(["revoke", bad.peer, "--node", founder.folder]);
  expect(stdout).toBe(`${bad.peer} is none of domain dev any more.\n`);
  expect(await asked({ call: "peers", certificate: certificate() })).not.toBe("peers");
});
