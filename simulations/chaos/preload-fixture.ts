/**
 * Loaded into each process of a chaos run before Otto is: its dials lead through its own proxies, it says what memory it
 * keeps when it is asked, and it ends with whoever started it. Otto itself knows nothing of this.
 *
 * `OTTO_CHAOS_DIALS` maps `HOST:PORT` to the port of 127.0.0.1 to dial in its place, as JSON.
 */

import { Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const dials = new Map(
  Object.entries(JSON.parse(process.env["OTTO_CHAOS_DIALS"] ?? "{}") as Record<string, number>),
);

type Options = { host?: string; port?: number | string };

const connect = Object.getOwnPropertyDescriptor(Socket.prototype, "connect")?.value as (
  this: Socket,
  ...words: unknown[]
) => Socket;
Socket.prototype.connect = function (this: Socket, ...words: unknown[]): Socket {
  // `net.connect` hands over its own words as one list.
  const [first] = words;
  const options = (Array.isArray(first) ? first[0] : first) as Options | null;
  if (typeof options === "object" && options !== null) {
    const port = dials.get(`${options.host}:${options.port}`);
    if (port !== undefined) Object.assign(options, { host: "127.0.0.1", port });
  }
  return connect.apply(this, words);
};

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

process.on("message", (question: { readonly ask: "memory"; readonly serial: number }) => {
  collect();
  process.send?.({ serial: question.serial, memory: process.memoryUsage() });
});
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
process.channel?.unref();
