/**
 * A deployment is not over when its command returns: people approve, an outside system calls back over HTTP, a page is
 * polled, and a failure takes the branch that was planned for it. Nothing of a wait is lost with the home.
 */

import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Mesh, type MeshNode } from "./mesh.ts";

let mesh: Mesh;
let server: Server;
let address: string;
/** What the outside system answers to a poll of each path. */
const health = new Map<string, number>();

beforeAll(async () => {
  mesh = await Mesh.found({ controls: 3, workers: [["--slots", "2"]] });
  server = createServer((request, response) => {
    response.writeHead(health.get(request.url ?? "") ?? 404);
    response.end("{}");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server?.close();
  await mesh?.end();
});

const steps = (path: string): string => `  deploy:
    run: echo deployed
  online:
    needs: deploy
    wait:
      callback: monitor
      poll: { http: "${address}${path}", every: 1s, until: response.status == 200, fails: response.status == 500 }
      within: 10m
  roll-back:
    needs: { online: [failed, timed-out] }
    run: echo rolled back
`;

function others(node: MeshNode): readonly [MeshNode, MeshNode] {
  const [near, far] = mesh.controls.filter((control) => control !== node);
  if (near === undefined || far === undefined)
    throw new Error("The mesh has fewer than three control peers.");
  return [near, far];
}

it("is approved by a person, also when the home dies while it waits", async () => {
  const repository = mesh.repository(
    "approved",
    "  ok:\n    approve: { question: Go on?, count: 1 }\n  after:\n    needs: ok\n    run: echo went on\n",
  );
  const home = await mesh.home();
  const [near, far] = others(home);
  const run = await mesh.submit(repository, home);
  const watch = near.watch(run);
  await watch.event("step-waiting");
  const { stdout } = await mesh.otto(["status", run, "--node", near.folder]);
  expect(stdout).toContain(`Answer ok with: otto approve ${run} ok --node`);
  await home.kill();
  await mesh.home([near, far]);
  const approved = await mesh.succeed(["approve", run, "--comment", "looks good", "--node", far.folder]);
  expect(approved.stdout).toBe(`You approved ok of run ${run}.\n`);
  expect(await watch.closed()).toBe("passed");
  expect(watch.output("after")).toBe("went on\n");
  expect(await watch.event("step-settled")).toMatchObject({ cause: "approved", detail: "looks good" });
  const again = await mesh.otto(["approve", run, "ok", "--node", near.folder]);
  expect(again.code).toBe(2);
  expect(again.stderr).toContain("There is no such run, or it is over.");
  await home.restart();
});

it("is settled by a poll of what it deployed", async () => {
  const [node] = mesh.controls;
  const run = await mesh.submit(mesh.repository("polled", steps("/polled")), mesh.workers[0] ?? []);
  const watch = node?.watch(run);
  await watch?.event("step-waiting");
  health.set("/polled", 200);
  expect(await watch?.event("step-settled")).toMatchObject({
    outcome: "passed",
    cause: "poll",
    detail: `${address}/polled answered 200`,
  });
  expect(await watch?.closed()).toBe("passed");
});

it("is settled by a callback over HTTP, with a token for this step alone", async () => {
  const [node] = mesh.controls;
  if (node === undefined) throw new Error("There is no control peer.");
  const run = await mesh.submit(mesh.repository("called", steps("/called")), node);
  const watch = node.watch(run);
  await watch.event("step-waiting");
  const token = (await mesh.succeed(["callback", run, "online", "--node", node.folder])).stdout.trim();
  const bridge = mesh.start(["callbacks", "--listen", "127.0.0.1:0", "--node", node.folder]);
  const [, base = ""] = await bridge.said(/(http:\/\/\S+)\/callback\/TOKEN/u);
  const post = async (path: string, body: string, headers: Record<string, string> = {}): Promise<number> =>
    (await fetch(`${base}/callback/${path}`, { method: "POST", body, headers })).status;
  const flipped = `${token.slice(0, 60)}${token[60] === "A" ? "B" : "A"}${token.slice(61)}`;
  expect(await post(flipped, '{"verdict":"passed"}')).toBe(403);
  expect(await post(token, "it is fine")).toBe(400);
  expect(await post(token, `{"verdict":"passed","detail":"${"x".repeat(100_000)}"}`)).toBe(413);
  // A web page that somebody has open, by its own name or by one that was made to lead here.
  for (const origin of ["https://example.org", base, "null"])
    expect(await post(token, '{"verdict":"passed"}', { origin })).toBe(403);
  expect(await post(token, '{"verdict":"inconclusive"}')).toBe(200);
  expect(await post(token, '{"verdict":"failed","detail":"503 from two places"}')).toBe(200);
  expect(await watch.event("step-settled")).toMatchObject({ outcome: "failed", cause: "callback" });
  // The branch that was planned for it, and the run says what happened.
  expect(await watch.closed()).toBe("failed");
  expect(watch.output("roll-back")).toBe("rolled back\n");
  expect(await post(token, '{"verdict":"passed"}')).toBe(409);
});

it("fails when the poll sees that it failed", async () => {
  const [node] = mesh.controls;
  health.set("/broken", 500);
  const run = await mesh.submit(mesh.repository("broken", steps("/broken")), mesh.workers[0] ?? []);
  const watch = node?.watch(run);
  expect(await watch?.closed()).toBe("failed");
  expect(watch?.output("roll-back")).toBe("rolled back\n");
});
