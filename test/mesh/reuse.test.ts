/**
 * What a pipeline is made with, on a real mesh: nested pipelines end as their steps did, step libraries travel with the
 * submission, also over the network, and who is to be told is told when everything else has ended.
 */

import { chmodSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openBlobs } from "../../node/edge/blobs.ts";
import { sha256Hex } from "../../protocol/values.ts";
import { Mesh, type MeshNode } from "./mesh.ts";

let mesh: Mesh;
let server: Server;
let address: string;
const told: { readonly path: string; readonly body: Record<string, unknown> }[] = [];

beforeAll(async () => {
  mesh = await Mesh.found({ controls: 3, workers: [["--slots", "2"]] });
  server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (more: string) => (body += more));
    request.on("end", () => {
      told.push({ path: request.url ?? "", body: JSON.parse(body) as Record<string, unknown> });
      response.end();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server?.close();
  await mesh?.end();
});

const template = `otto: 1
parameters: { word: { type: string }, fails: { type: boolean, default: false } }
steps:
  make: { run: 'mkdir out && echo "$OTTO_PARAMETER_WORD" > out/text', outputs: { text: out } }
  break: { needs: make, when: parameters.fails, run: exit 3 }
`;

const greet = `otto-step: 1
name: greet
parameters: { name: { type: string }, times: { type: number, default: 2 } }
entry: { any: ./greet }
`;

const program = '#!/bin/sh\ncat "$OTTO_WITH" | tr -d "\\n "; cat "$OTTO_LIBRARY/text"; cat out/text\n';

const steps = (
  fails: boolean,
): string => `  nested: { pipeline: ./ci/make.yaml, with: { word: hello, fails: ${fails} } }
  greet: { needs: nested, inputs: { text: nested/make.text }, uses: ./ci/greet, with: { name: ann } }
  ask: { uses: otto/http, with: { url: "${address}/ask", method: POST, body: "{}" } }
  heard: { inputs: { status: ask.status }, run: echo "$OTTO_INPUT_STATUS" }
  sorry: { needs: { nested: [failed] }, run: echo sorry }
notify:
  - { on: [passed, failed], uses: otto/notify-webhook, with: { url: "${address}/webhook" } }
`;

function last(): MeshNode {
  const node = mesh.controls.at(-1);
  if (node === undefined) throw new Error("The mesh has no control peer.");
  return node;
}

function repository(name: string, fails: boolean): string {
  const folder = mesh.repository(name, steps(fails), {
    "ci/make.yaml": template,
    "ci/greet/otto-step.yaml": greet,
    "ci/greet/greet": program,
    "ci/greet/text": "from the library ",
  });
  chmodSync(join(folder, "ci/greet/greet"), 0o755);
  return folder;
}

it("runs a template's steps, a library of the repository, and tells a webhook at the end", async () => {
  // Whichever control peer dies, the run can be finished. This file is in no source.
  const webhook = readFileSync(join(import.meta.dirname, "../../cli/library/notify-webhook/step.ts"));
  const holders = async (): Promise<number> => {
    const stores = await Promise.all(mesh.controls.map(({ folder }) => openBlobs(join(folder, "blobs"))));
    return stores.filter((store) => store.has(sha256Hex(webhook))).length;
  };
  expect(await holders()).toBe(0);
  const { address: peer } = mesh.controls[1] ?? { address: "" };
  for (const through of [mesh.controls[0] ?? [], ["--peer", peer]]) {
    const run = await mesh.submit(repository("reused", false), through);
    const watch = mesh.controls[0]?.watch(run);
    expect(await watch?.closed()).toBe("passed");
    expect(await holders()).toBeGreaterThanOrEqual(2);
    expect(watch?.output("greet")).toBe(
      `{"otto":"with/1","with":{"name":"ann","times":2},"run":"${run}","step":"greet","attempt":1}from the library hello\n`,
    );
    const { steps: ended } = await mesh.status(run, last());
    expect(ended.map(({ name, state }) => [name, state])).toEqual([
      ["ask", "passed"],
      ["heard", "passed"],
      ["nested/make", "passed"],
      ["nested/break", "skipped"],
      ["nested", "passed"],
      ["greet", "passed"],
      ["sorry", "skipped"],
      ["notify", "passed"],
      ["notify/notify-webhook-failed", "skipped"],
      ["notify/notify-webhook-passed", "passed"],
    ]);
    expect(watch?.output("heard")).toBe("200\n");
    expect(told.splice(0)).toMatchObject([
      { path: "/ask", body: {} },
      { path: "/webhook", body: { run, pipeline: "reused", outcome: "passed" } },
    ]);
  }
});

it("takes the branch of a nested pipeline that failed, and tells that the run did", async () => {
  const run = await mesh.submit(repository("broken", true), mesh.controls[0] ?? []);
  const watch = mesh.controls[0]?.watch(run);
  expect(await watch?.closed()).toBe("failed");
  expect(watch?.output("sorry")).toBe("sorry\n");
  const { stdout } = await mesh.otto(["submit", "--watch", "--node", last().folder], {
    folder: repository("unnamed", true),
  });
  // What no worker did has no output to look at.
  expect(stdout).toMatch(/\n✗ nested failed\n {2}nested\/break failed\n\n/);
  const { steps: ended } = await mesh.status(run, last());
  const outcomes = Object.fromEntries(ended.map(({ name, state }) => [name, state]));
  expect(outcomes).toMatchObject({
    "nested/break": "failed",
    nested: "failed",
    greet: "skipped",
    sorry: "passed",
    notify: "failed",
    "notify/notify-webhook-failed": "passed",
    "notify/notify-webhook-passed": "skipped",
  });
  expect(told.splice(0)).toMatchObject([
    { path: "/ask", body: {} },
    { path: "/webhook", body: { run, pipeline: "broken", outcome: "failed" } },
    { path: "/ask" },
    { path: "/webhook", body: { pipeline: "unnamed", outcome: "failed" } },
  ]);
});
