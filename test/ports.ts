import { createServer } from "node:net";
import { freePort } from "../cli/free-port.ts";

/**
 * HOST:PORT on loopback that nobody listens on, and that no other process of the tests is given while this one lives:
 * a node that is down for a moment keeps it. What holds it is an abstract socket of that name, which ends with us.
 */
export async function freeAddress(): Promise<string> {
  for (;;) {
    const port = await freePort();
    if (await holds(port)) return `127.0.0.1:${port}`;
  }
}

function holds(port: number): Promise<boolean> {
  if (process.platform !== "linux") return Promise.resolve(true);
  return new Promise((resolve) => {
    const claim = createServer().unref();
    claim.once("error", () => resolve(false));
    claim.listen(`\0otto-test-port-${port}`, () => resolve(true));
  });
}
