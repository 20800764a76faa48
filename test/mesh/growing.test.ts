/** A domain grows from one control peer to two: who was certified by the founder alone stays a member, and is certified by both. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { DataFolder } from "../../node/edge/data-folder.ts";
import { verifySignature } from "../../node/edge/identity.ts";
import { certifiersOf } from "../../protocol/certificate.ts";
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
