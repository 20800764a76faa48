import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { freePort } from "../../cli/free-port.ts";
import { freeAddress } from "../ports.ts";

test("a port to keep is none that the system gives to connections, and nobody listens on it", async () => {
  for (let drawn = 0; drawn < 50; drawn += 1) {
    const port = await freePort();
    expect(port).toBeGreaterThanOrEqual(10_000);
    expect(port).toBeLessThan(32_768);
    const server = createServer().listen(port, "127.0.0.1");
    await once(server, "listening");
    server.close();
    await once(server, "close");
  }
});

test("tests are never given one address twice", async () => {
  const given = await Promise.all(Array.from({ length: 500 }, freeAddress));
  expect(new Set(given).size).toBe(500);
});
