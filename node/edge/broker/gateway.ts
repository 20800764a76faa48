/**
 * A worker's side of brokered credentials: a listener for each credential of a step, whose connections are pumped, byte for
 * byte, to a broker on a control peer. The worker sees no credential, and neither keeps nor changes a byte.
 *
 *   step -- 127.0.0.1:PORT --> gateway -- stream of the lease --> broker
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { finished, type Duplex } from "node:stream";
import type { Stream } from "@libp2p/interface";
import { brokerHelloBytesMax, decodeAnswer, encodeHello } from "../../../protocol/credentials/hello.ts";
import { placeOf } from "../../../protocol/credentials/secret.ts";
import {
  type Listening,
  placeholderOf,
  type ProxyListening,
  toldOf,
} from "../../../protocol/credentials/variables.ts";
import { encodeFrame } from "../../../protocol/frames.ts";
import { limits } from "../../../protocol/limits.ts";
import type { StepCredential } from "../../../protocol/plan.ts";
import type { Assignment } from "../../ports.ts";
import { wordsOf } from "../error-words.ts";
import { connectHead, terminated } from "./connect-proxy.ts";
import { makeAuthority } from "./step-authority.ts";
import { StreamDuplex } from "./stream-duplex.ts";

export type OpenedCredentials = {
  readonly variables: Readonly<Record<string, string>>;
  /** Values among them, or in files that they name, that nobody but the step may see. A placeholder is none. */
  readonly secrets: readonly Uint8Array[];
  close(): void;
};

export const noCredentials: OpenedCredentials = { variables: {}, secrets: [], close: () => undefined };

export class Gateway {
  readonly #openStream: () => Promise<Stream>;

  /** @param openStream to the broker of a control peer that can be reached. */
  constructor(openStream: () => Promise<Stream>) {
    this.#openStream = openStream;
  }

  /** @param folder of the attempt alone; files that clients read are put there. */
  async open(assignment: Assignment, folder: string): Promise<OpenedCredentials> {
    const { credentials } = assignment;
    if (credentials.length === 0) return noCredentials;
    const doors: Door[] = [];
    const close = (): void => {
      for (const door of doors) door.close();
    };
    try {
      const listening: Listening[] = [];
      for (const credential of credentials) {
        const door = await Door.open((socket, host) => this.#carry(socket, { assignment, credential, host }));
        doors.push(door);
        const placeholder = placeholderOf(assignment, credential.name);
        listening.push({ credential, authority: door.authority, placeholder });
      }
      const place = join(folder, "credentials");
      const proxy = await this.#proxy(assignment, doors);
      const { variables, files } = toldOf(listening, place, proxy);
      if (Object.keys(files).length > 0) mkdirSync(place, { recursive: true, mode: 0o700 });
      for (const [name, text] of Object.entries(files)) writeFileSync(join(place, name), text);
      return { variables, secrets: [], close };
    } catch (error) {
      close();
      throw error;
    }
  }

  /** For clients whose host is fixed: they go to it by a proxy, and find themselves here. */
  async #proxy(assignment: Assignment, doors: Door[]): Promise<ProxyListening | null> {
    const fixed = assignment.credentials.flatMap((credential) => {
      const place = credential.kind === "http" ? placeOf(credential.to) : null;
      return place?.scheme === "https" ? [{ credential, place }] : [];
    });
    if (fixed.length === 0) return null;
    const authority = await makeAuthority(
      fixed.map(({ place }) => place.host),
      process.env["SSL_CERT_FILE"],
    );
    const door = await Door.open(async (socket) => {
      const wanted = await connectHead(socket);
      const found = fixed.find(({ place }) => place.host === wanted?.host && place.port === wanted.port);
      const context = found === undefined ? null : authority.contextOf(found.place.host);
      if (found === undefined || context === null) {
        const sentence = "No credential of this step is for that host, and its proxy connects to no other.";
        return refuse(socket, { status: "403 Forbidden", sentence });
      }
      const secure = terminated(socket, context);
      secure.on("error", () => socket.destroy());
      await this.#carry(secure, { assignment, credential: found.credential, host: null });
    });
    doors.push(door);
    return { authority: door.authority, bundle: authority.bundle };
  }

  async #carry(
    socket: Socket,
    {
      assignment,
      credential,
      host,
    }: { readonly assignment: Assignment; readonly credential: StepCredential; readonly host: string | null },
  ): Promise<void> {
    let stream: Duplex;
    try {
      const opened = new StreamDuplex(await this.#openStream());
      opened.on("error", () => socket.destroy());
      const { run, index, attempt, token } = assignment;
      opened.write(
        encodeFrame(
          encodeHello({ otto: "broker/1", run, index, attempt, token, credential: credential.name, host }),
        ),
      );
      const why = decodeAnswer(await opened.firstFrame(brokerHelloBytesMax));
      if (why !== null) {
        opened.destroy();
        return refuse(socket, { status: "403 Forbidden", sentence: why });
      }
      stream = opened;
    } catch (error) {
      const sentence = `No broker of a control peer could be reached for the credential ${credential.name}: ${wordsOf(error)}.`;
      return refuse(socket, { status: "502 Bad Gateway", sentence });
    }
    if (socket.destroyed) return void stream.destroy();
    joined(socket, stream);
  }
}

/** A port on loopback for one credential of one attempt. */
class Door {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(carry: (socket: Socket, host: string) => Promise<void>): Promise<Door> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const door = new Door(server);
    server.maxConnections = limits.brokerConnectionsMax;
    server.on("connection", (socket) => {
      door.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.once("close", () => door.#sockets.delete(socket));
      carry(socket, door.authority).catch(() => socket.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    return door;
  }

  get authority(): string {
    const address = this.#server.address();
    return `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Either's end is the other's end; either's break is the other's break. */
function joined(left: Duplex, right: Duplex): void {
  left.pipe(right);
  right.pipe(left);
  for (const [one, other] of [
    [left, right],
    [right, left],
  ] as const)
    finished(one, (error) => {
      if (error !== undefined && error !== null) other.destroy();
    });
}

/** Said in HTTP, which all of these clients show to whoever reads the step's log. */
function refuse(
  socket: Socket,
  { status, sentence }: { readonly status: string; readonly sentence: string },
): void {
  const body = `otto: ${sentence}\n`;
  const head = `HTTP/1.1 ${status}\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n`;
  // It is read to its end, since a socket that is closed with something unread in it loses what was written.
  socket.resume();
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}
