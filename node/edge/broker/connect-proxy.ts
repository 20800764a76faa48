/**
 * The proxy of a step: takes CONNECT to the hosts that its credentials are for, ends TLS in their name, and hands on what is
 * inside as it is. To any other host it connects nobody: a step without network would get one.
 */

import type { Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import { limits } from "../../../protocol/limits.ts";

export type Connected = { readonly host: string; readonly port: number };

/** Resolves with whom the client wants to be connected to, or null: it said something else. What is behind that is put back. */
export function connectHead(socket: Socket): Promise<Connected | null> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0);
    const timer = setTimeout(() => socket.destroy(), limits.requestMsMax);
    const done = (connected: Connected | null): void => {
      clearTimeout(timer);
      socket.off("data", take);
      socket.off("close", gone);
      socket.pause();
      resolve(connected);
    };
    const gone = (): void => done(null);
    const take = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf("\r\n\r\n");
      if (end === -1) return bytes.length > limits.brokerHeadBytesMax ? done(null) : undefined;
      const [line = ""] = bytes.subarray(0, end).toString("latin1").split("\r\n");
      const [, host, port] =
        /^CONNECT ([^\s:/@[\]]+|\[[0-9a-fA-F:.]+\]):(\d{1,5}) HTTP\/1\.[01]$/u.exec(line) ?? [];
      // A client waits for the answer before it speaks TLS.
      const isEarly = bytes.length > end + 4;
      done(host === undefined || isEarly ? null : { host: host.toLowerCase(), port: Number(port) });
    };
    socket.on("data", take);
    socket.once("close", gone);
  });
}

/** Says that the client is connected, and speaks TLS with it. */
export function terminated(socket: Socket, secureContext: SecureContext): TLSSocket {
  socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
  return new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: ["http/1.1"] });
}
