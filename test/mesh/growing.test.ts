/** A domain grows from one control peer to two: who was certified by the founder alone stays a member, and is certified by both. */

import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { askFor } from "../../node/edge/client.ts";
import { DataFolder } from "../../node/edge/data-folder.ts";
import { dialForCalls } from "../../node/edge/dial-call.ts";
import { openIdentity, verifySignature } from "../../node/edge/identity.ts";
import { inviteOfCode } from "../../node/edge/invite-code.ts";
import { certifiersOf } from "../../protocol/certificate.ts";
import { sealApplication } from "../../protocol/invite.ts";
import { openCharter } from "../../protocol/membership.ts";
import { freeAddress } from "../ports.ts";
import { Mesh, type MeshNode } from "./mesh.ts";
import { eventually } from "./program.ts";

let mesh: Mesh;
beforeAll(async () => {
  mesh = await Mesh.found({ controls: 1, workers: [[]] });
});
afterAll(() => mesh?.end());

/** Who signed the certificate that a node has now, by the charter that it has. */
function certifiers(node: MeshNode): readonly string[] {
  const folder = new DataFolder(node.folder);
  const keys = { verify: verifySignature };
  const charter = openCharter(folder.need("charter"), null, keys);
  return charter.ok ? (certifiersOf(folder.need("certificate"), charter.value, keys) ?? []) : [];
}

/** What is asked of a control peer that has joined and is not listed yet goes to one that is. */
async function letsNobodyInYet(spare: MeshNode, founder: MeshNode): Promise<void> {
  const code = inviteOfCode(await mesh.invite(spare));
  expect(code.invite.addresses.every((address) => address.endsWith(founder.peer))).toBe(true);
  const identity = openIdentity(join(mesh.folder, "late.key"));
  const { peer } = identity;
  const application = { otto: "application/1", peer, person: peer, name: "late" } as const;
  const remote = await dialForCalls(identity, [spare.address]);
  try {
    const sealed = sealApplication(code.domain, application, code.key);
    const own = { certificate: null, invite: code.bytes, application: sealed, addresses: [], store: "" };
    const joined = askFor(await remote.open(), { call: "join", ...own }, "joined");
    await expect(joined).rejects.toThrow("not one of those that the charter lists");
  } finally {
    await remote.close();
  }
}

it("certifies its members anew, who go on meanwhile", async () => {
  const [founder] = mesh.controls;
  const [worker] = mesh.workers;
  if (founder === undefined || worker === undefined) throw new Error("The mesh is not whole.");
  expect(certifiers(worker)).toEqual([founder.peer]);
  const code = await mesh.invite(founder, ["--role", "control"]);
  const second = await mesh.join("second", code, ["--listen", await freeAddress(), "--name", "second"]);
  mesh.controls.push(second);
  const isSpare = async (): Promise<boolean> => {
    const { stdout } = await mesh.succeed(["control", "ls", "--json", "--node", founder.folder]);
    const { controls } = JSON.parse(stdout) as { controls: { name: string; standing: string }[] };
    return controls.some(({ name, standing }) => name === "second" && standing === "spare");
  };
  await eventually("the second is linked", isSpare, (is) => is);
  await letsNobodyInYet(second, founder);
  await mesh.succeed(["control", "add", "second", "--node", founder.folder]);
  const both = [founder.peer, second.peer].toSorted();
  await eventually(
    "the worker is certified by both",
    () => certifiers(worker).toSorted(),
    (signers) => signers.join() === both.join(),
  );
  const repository = mesh.repository("grown", "  one:\n    run: echo grown\n");
  const run = await mesh.submit(repository, second);
  expect(await founder.watch(run).closed()).toBe("passed");
});
