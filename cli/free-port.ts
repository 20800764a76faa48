/** Chooses the TCP port that a node on loopback keeps. */

import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Below the ports that Linux (from 32,768) and macOS (from 49,152) give to connections that go out. */
const [least, most] = [10_000, 32_768];
const attempts = 100;

/**
 * A TCP port on loopback that nobody listens on now, from 10,000 to 32,767. It is for a process that listens later and
 * again after each restart: a port that the system chose may be a connection's of anyone by then, these are not.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const port = randomInt(least, most);
    if (await isFree(port)) return port;
  }
  throw new Error(`None of ${attempts} ports from ${least} on was free.`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
