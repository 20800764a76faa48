/** As a control peer that the domain has taken out, and that still has its key: it lets nobody in. */

import { join } from "node:path";
import { expect, it } from "vitest";
import { openIdentity } from "../../node/edge/identity.ts";
import { inviteCode, inviteOfCode } from "../../node/edge/joining.ts";
import { limits } from "../../protocol/limits.ts";
import { openInvite, sealInvite } from "../../protocol/membership.ts";
import { Mesh } from "../mesh/mesh.ts";

it("makes no invite that is taken", async () => {
  const mesh = await Mesh.found({ controls: 3, workers: [] });
  try {
    const [founder, , bad] = mesh.controls;
    if (founder === undefined || bad === undefined) throw new Error("The mesh has no such control peer.");
    const node = ["--node", founder.folder];
    const opened = openInvite(
      inviteOfCode(await mesh.invite(founder, ["--role", "person"])),
      openIdentity(join(founder.folder, "key")),
    );
    if (!opened.ok) throw new Error(opened.problem);
    await mesh.succeed(["control", "remove", bad.name, ...node]);
    await bad.kill();
    const { invite, domain } = opened.value;
    const forged = { ...invite, nonce: "forged", expiresMs: Date.now() + limits.dayMs };
    const code = inviteCode(sealInvite(domain, forged, openIdentity(join(bad.folder, "key"))));
    const joined = await mesh.otto(["join", code], { home: "eve" });
    expect(joined).toMatchObject({
      code: 3,
      stdout: "",
      stderr: expect.stringContaining("nobody of this domain made it") as string,
    });
  } finally {
    await mesh.end();
  }
});
