/** `otto/wait-for-port`: waits until a TCP port takes connections. */

import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

type With = {
  readonly host: string;
  readonly port: number;
  readonly within: number;
  readonly every: number;
};

const { with: given } = JSON.parse(readFileSync(process.env["OTTO_WITH"] ?? "", "utf8")) as { with: With };
const { host, port, within, every } = given;
const startedMs = performance.now();

/** Null when it was taken, else why not. */
function attempt(leftMs: number): Promise<string | null> {
  return new Promise((done) => {
    const socket = connect({ host, port });
    const end = (why: string | null): void => {
      socket.destroy();
      done(why);
    };
    socket.setTimeout(Math.max(1, leftMs), () => end("no answer"));
    socket.once("connect", () => end(null));
    socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

for (;;) {
  const leftMs = within * 1_000 - (performance.now() - startedMs);
  const why = await attempt(leftMs);
  const tookS = ((performance.now() - startedMs) / 1_000).toFixed(1);
  if (why === null) {
    console.log(`${host}:${port} takes connections, after ${tookS} s`);
    break;
  }
  const restMs = within * 1_000 - (performance.now() - startedMs);
  if (restMs <= 0) {
    console.error(`${host}:${port} took no connection in ${tookS} s: ${why}`);
    process.exit(1);
  }
  await sleep(Math.min(every * 1_000, restMs));
}
