/** The local socket: how a command line reaches the node on its own machine. Whoever may open the file may ask. */

import { chmodSync, rmSync } from "node:fs";
import { createConnection, createServer, type Server } from "node:net";
import { OttoError } from "../../protocol/errors.ts";
import { type Channel, socketChannel } from "./channel.ts";

/** Listens. Call only while holding the data folder: a socket file that is left over is removed. */
export async function listenLocally(path: string, accept: (channel: Channel) => void): Promise<Server> {
  rmSync(path, { force: true });
  const server = createServer((socket) => accept(socketChannel(socket)));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return server;
}

export function connectLocally(path: string): Promise<Channel> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    const failed = (cause: Error): void =>
      reject(
        new OttoError("OTTO_NO_NODE", {
          what: `No Otto node answers on ${path}.`,
          next: "Start one with `otto up`, or name another with --node or --peer.",
          cause,
        }),
      );
    socket.once("error", failed);
    socket.once("connect", () => {
      socket.off("error", failed);
      resolve(socketChannel(socket));
    });
  });
}
