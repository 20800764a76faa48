/**
 * Listens on ports of a sandbox's own loopback and hands the listeners to the runner, which hands them to the worker: what
 * connects to them in there is accepted out here, and nothing else of the network is. A socket stays in the namespace that it was
 * made in, so nothing has to stay behind that forwards.
 *
 * Stands alone, has no types in it (`isolation.ts` runs it as it is), and runs before anything of the step does: `listen-process PORT...`, with Node's channel to the runner.
 */

import { createServer } from "node:net";

let left = process.argv.length - 2;

for (const port of process.argv.slice(2).map(Number)) {
  const server = createServer();
  server.listen({ port, host: "127.0.0.1" }, () => {
    process.send?.({ port }, server, {}, (error) => {
      left -= 1;
      if (error !== null) process.exit(1);
      if (left === 0) process.exit(0);
    });
  });
}
