/** The local socket: how a command line reaches the node on its own machine. Whoever may open the file may ask. */

import { chmodSync, lstatSync, mkdirSync, rmSync } from "node:fs";
import { createConnection, createServer, type Server } from "node:net";
import { dirname } from "node:path";
import { OttoError } from "../../protocol/errors.ts";
import { type Channel, socketChannel } from "./channel.ts";

/** Listens. Call only while holding the data folder: a socket file that is left over is removed. */
export async function listenLocally(path: string, accept: (channel: Channel) => void): Promise<Server> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  requireOwned(dirname(path));
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
    requireOwned(dirname(path));
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

/** A folder that is named after its owner (see `DataFolder.socket`) could have been made by anybody. */
function requireOwned(folder: string): void {
  const owner = /^\/tmp\/otto-(\d+)$/u.exec(folder)?.[1];
  const found = owner === undefined ? undefined : lstatSync(folder, { throwIfNoEntry: false });
  if (found === undefined || owner === undefined) return;
  if (found.isDirectory() && found.uid === Number(owner) && (found.mode & 0o022) === 0) return;
  throw new OttoError("OTTO_DATA_FOLDER_INVALID", {
    what: `${folder}, where the sockets of nodes in long paths are, does not belong to their user alone.`,
    state: "Nothing was asked and nothing was started.",
    next: "Remove it, or use a data folder with a shorter path.",
  });
}
