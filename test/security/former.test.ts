/** As a control peer that the domain has taken out, and that still has its key: it lets nobody in. */

import { join } from "node:path";
import { expect, it } from "vitest";
import { DataFolder } from "../../node/edge/data-folder.ts";
import { openIdentity } from "../../node/edge/identity.ts";
import { inviteCode, inviteOfCode } from "../../node/edge/invite-code.ts";
import { limits } from "../../protocol/limits.ts";
import { sealInvite } from "../../protocol/invite.ts";
import { Mesh } from "../mesh/mesh.ts";

it("makes no invite that is taken", async () => {
  const mesh = await Mesh.found({ controls: 3, workers: [] });
  try {
    const [founder, , bad] = mesh.controls;
    if (founder === undefined || bad === undefined) throw new Error("The mesh has no such control peer.");
    const node = ["--node", founder.folder];
    const { invite, domain, key } = inviteOfCode(await mesh.invite(founder, ["--role", "person"]));
    await mesh.succeed(["control", "remove", bad.name, ...node]);
    await bad.kill();
    const forged = { ...invite, expiresMs: Date.now() + limits.dayMs };
    const by = {
      keys: openIdentity(join(bad.folder, "key")),
      certificate: new DataFolder(bad.folder).need("certificate"),
    };
    const code = inviteCode(sealInvite(domain, forged, by), key);
    const joined = await mesh.otto(["join", code], { home: "eve" });
    expect(joined).toMatchObject({
      code: 3,
      stdout: "",
      stderr: expect.stringContaining("no person of this domain made it") as string,
    });
  } finally {
    await mesh.end();
  }
});
