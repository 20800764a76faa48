/** What a step writes can be followed from any control peer, byte by byte, and outlives its worker and the home. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { Mesh, type MeshNode } from "./mesh.ts";

let mesh: Mesh;

beforeAll(async () => {
  mesh = await Mesh.found({
    controls: 3,
    workers: [[]],
  });
});
afterAll(() => mesh?.end());

function others(node: MeshNode): readonly [MeshNode, MeshNode] {
  const [near, far] = mesh.controls.filter((control) => control !== node);
  if (near === undefined || far === undefined)
    throw new Error("The mesh has fewer than three control peers.");
  return [near, far];
}

function lines(count: number): string {
  return Array.from({ length: count }, (_, line) => `line ${line + 1}\n`).join("");
}

it("the home is killed while its output is followed: the follower has every byte once", async () => {
  const count = 150;
  const loop = `i=0; while [ $i -lt ${count} ]; do i=$((i + 1)); echo line $i; sleep 0.03; done`;
  const home = await mesh.home();
  const [near] = others(home);
  const run = await mesh.submit(mesh.repository("counting", `  count:\n    run: "${loop}"\n`), near);
  const follower = mesh.start(["logs", "-f", run, "count", "--node", near.folder]);
  await follower.said(/line 40\n/u);
  await home.kill();
  const { code, stdout } = await follower.ended;
  expect(stdout).toBe(lines(count));
  expect(code).toBe(0);
  const part = await mesh.succeed(["logs", run, "count", "--offset", "7", "--node", near.folder]);
  expect(part.stdout).toBe(lines(count).slice(7));
  await home.restart();
});

it("the worker is killed in the middle of a step, and the home after it: what it wrote is there", async () => {
  const home = await mesh.home();
  const [near, far] = others(home);
  const step = "echo began; echo and went on; sleep 600";
  const run = await mesh.submit(mesh.repository("killed", `  one:\n    run: "${step}"\n`), near);
  const watch = near.watch(run);
  await watch.wrote("one", "began\nand went on\n");
  await mesh.workers[0]?.kill();
  expect(await watch.event("attempt-ended")).toMatchObject({ attempt: 1, cause: "lost", final: false });
  await home.kill();
  for (const node of [near, far]) {
    const { stdout } = await mesh.succeed(["logs", run, "one", "--node", node.folder]);
    expect([node.name, stdout]).toEqual([node.name, "began\nand went on\n"]);
  }
});
