/** What a poll does with addresses and conditions that a plan may have and no planner has seen. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { poll } from "../../node/edge/polling.ts";

const numbers = JSON.stringify(Array.from({ length: 12_000 }, (_, at) => at));
const server = createServer((_request, response) => response.end(numbers));
let url = "";

beforeEach(async () => {
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

const asked = { run: "run-1", index: 0, until: "true", fails: null };

it("is settled by what the condition finds in the answer", async () => {
  const polled = await poll({ ...asked, url, until: "response.json.exists(x, x == 11)" });
  expect(polled).toMatchObject({ verdict: "passed", detail: `${url} answered 200` });
});

it("never asks a link-local address, however it is written", async () => {
  const until = "response.status == 0";
  for (const host of ["169.254.0.1", "[::ffff:169.254.0.1]", "[fe80::1]", "[febf::1]", "2851995649"]) {
    const { detail } = await poll({ ...asked, url: `http://${host}/`, until });
    expect(detail).toContain("did not answer: the address is link-local, and is not asked");
  }
});

it("gives up a condition that takes long, since a peer that evaluates does nothing else", async () => {
  const until = Array.from({ length: 60 }, () => "response.json.all(x, x in response.json)").join("&&");
  const started = performance.now();
  const polled = await poll({ ...asked, url, until, fails: "true" });
  expect(performance.now() - started).toBeLessThan(2_500);
  expect(polled).toMatchObject({ verdict: null, detail: expect.stringContaining("took too long") as string });
});
