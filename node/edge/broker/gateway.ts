/**
 * A worker's side of brokered credentials: a listener for each credential of a step, whose connections are pumped, byte for
 * byte, to a broker on a control peer. The worker sees no credential, and neither keeps nor changes a byte.
 *
 *   step -- 127.0.0.1:PORT, or an SSH agent's socket --> gateway -- stream of the lease --> broker
 *
 * A step that is shut in has a loopback of its own, on which nothing else is. Its listeners are made in there and handed out
 * here (`../execution/sandbox/listen-process.ts`), so that no other step, and nothing else of the machine, finds the port.
 */

import { once } from "node:events";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { finished, type Duplex } from "node:stream";
import type { Stream } from "@libp2p/interface";
import { type BrokerAnswer, decodeAnswer, encodeHello } from "../../../protocol/credentials/hello.ts";
import { type ExposedValue, toldOfExposed } from "../../../protocol/credentials/exposed-told.ts";
import { placeOf } from "../../../protocol/credentials/place.ts";
import { type SshPlace, sshPlaceOf } from "../../../protocol/credentials/ssh-place.ts";
import { type LoginListening, toldOfLogins } from "../../../protocol/credentials/ssh-told.ts";
import {
  type Listening,
  placeholderOf,
  type ProxyListening,
  toldOf,
} from "../../../protocol/credentials/variables.ts";
import { failure, OttoError, type Result, success } from "../../../protocol/errors.ts";
import { encodeFrame } from "../../../protocol/frames.ts";
import { limits } from "../../../protocol/limits.ts";
import type { StepCredential } from "../../../protocol/plan.ts";
import type { Assignment } from "../../ports.ts";
import { wordsOf } from "../error-words.ts";
import { connectHead, terminated } from "./connect-proxy.ts";
import { makeAuthority } from "./step-authority.ts";
import { StreamDuplex } from "./stream-duplex.ts";

type RefusedByBroker = { readonly status: string; readonly sentence: string };

export type OpenedCredentials = {
  readonly variables: Readonly<Record<string, string>>;
  /** Values among them, or in files that they name, that nobody but the step may see. A placeholder is none. */
  readonly secrets: readonly Uint8Array[];
  /** Where somebody has to listen in the step's sandbox, and to hand the listener to `accept`. */
  readonly ports: readonly number[];
  accept(port: number, server: Server): void;
  close(): void;
};

export const noCredentials: OpenedCredentials = {
  variables: {},
  secrets: [],
  ports: [],
  accept: (_port, server) => void server.close(),
  close: () => undefined,
};

/** Whose loopback a step's requests go to. */
export type Loopback = "machine" | "sandbox";

/** Of a sandbox, where every port is free. */
const firstPort = 4_801;

export class Gateway {
  readonly #openStream: () => Promise<Stream>;

  /** @param openStream to the broker of a control peer that can be reached. */
  constructor(openStream: () => Promise<Stream>) {
    this.#openStream = openStream;
  }

  /**
   * @param folder of the attempt alone; files that clients read are put there.
   * @param memory one that is in memory, for values of secrets; null: there is none.
   */
  async open(
    assignment: Assignment,
    folder: string,
    loopback: Loopback = "machine",
    memory: string | null = null,
  ): Promise<OpenedCredentials> {
    const { credentials } = assignment;
    if (credentials.length === 0) return noCredentials;
    const doors: Door[] = [];
    const place = join(folder, "credentials");
    const exposedAt = memory ?? place;
    const close = (): void => {
      for (const door of doors) door.close();
      // Its folder is cleared away with the workspace, a while later.
      for (const at of credentials.keys()) rmSync(join(exposedAt, `exposed-${at}`), { force: true });
    };
    const open = async (carry: Door["carry"]): Promise<Door> => {
      const door = new Door(carry);
      if (loopback === "sandbox") door.awaitAt(firstPort + doors.length);
      else await door.listen();
      doors.push(door);
      return door;
    };
    try {
      const listening: Listening[] = [];
      const logins: LoginListening[] = [];
      const exposed: ExposedValue[] = [];
      mkdirSync(place, { recursive: true, mode: 0o700 });
      for (const [at, credential] of credentials.entries()) {
        if (credential.expose !== undefined) {
          exposed.push({ credential, value: await this.#take(assignment, credential) });
          continue;
        }
        if (credential.kind === "ssh") {
          const socket = join(place, `agent-${at}`);
          if (Buffer.byteLength(socket) > limits.socketPathBytesMax) throw tooLong(socket);
          const agent = new Door((client) => this.#sign(client, { assignment, credential }));
          doors.push(agent);
          await agent.listen(socket);
          const answer = await this.#ask(assignment, credential);
          const to = answer.why === null ? sshPlaceOf(credential.to) : null;
          const way =
            to !== null && loopback === "sandbox" ? await open(async (client) => lead(client, to)) : null;
          logins.push({ credential, socket, answer, port: way?.port ?? null });
          continue;
        }
        const door = await open((socket, host) => this.#carry(socket, { assignment, credential, host }));
        const placeholder = placeholderOf(assignment, credential.name);
        listening.push({ credential, authority: door.authority, placeholder });
      }
      const proxy = await this.#proxy(assignment, open);
      const told = [
        [place, toldOf(listening, place, proxy)],
        [place, toldOfLogins(logins, place)],
        [exposedAt, toldOfExposed(exposed, exposedAt)],
      ] as const;
      for (const [at, { files }] of told)
        for (const [name, text] of Object.entries(files))
          writeFileSync(join(at, name), text, { encoding: "latin1", mode: 0o600 });
      const variables = Object.assign({}, ...told.map(([, each]) => each.variables)) as Record<
        string,
        string
      >;
      return {
        variables,
        secrets: exposed.map(({ value }) => value),
        ports: doors.flatMap(({ isAwaited, port }) => (isAwaited ? [port] : [])),
        accept: (port, server) => {
          const door = doors.find((one) => one.isAwaited && one.port === port);
          if (door === undefined) server.close();
          else door.adopt(server);
        },
        close,
      };
    } catch (error) {
      close();
      throw error;
    }
  }

  /**
   * The way of one credential for what the worker itself asks on the step's behalf: a socket that nobody but the worker gets to. What
   * comes by it names the host that it is for.
   */
  async openSocket(
    assignment: Assignment,
    credential: StepCredential,
    path: string,
  ): Promise<{ close(): void }> {
    if (Buffer.byteLength(path) > limits.socketPathBytesMax) throw tooLong(path);
    const door = new Door((socket) => this.#carry(socket, { assignment, credential, host: null }));
    await door.listen(path);
    return door;
  }

  /** For clients whose host is fixed: they go to it by a proxy, and find themselves here. */
  async #proxy(
    assignment: Assignment,
    open: (carry: Door["carry"]) => Promise<Door>,
  ): Promise<ProxyListening | null> {
    const fixed = assignment.credentials.flatMap((credential) => {
      const isBrokered = credential.kind === "http" && credential.expose === undefined;
      const place = isBrokered ? placeOf(credential.to) : null;
      return place?.scheme === "https" ? [{ credential, place }] : [];
    });
    if (fixed.length === 0) return null;
    const authority = await makeAuthority(
      fixed.map(({ place }) => place.host),
      process.env["SSL_CERT_FILE"],
    );
    const door = await open(async (socket) => {
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
    const greeted = await this.#greet(assignment, credential, host);
    if (!greeted.ok) return refuse(socket, greeted.problem);
    if (socket.destroyed) return void greeted.value.stream.destroy();
    joined(socket, greeted.value.stream);
  }

  /** An agent's protocol has no words: why it is refused is in the configuration that the client was given. */
  async #sign(
    socket: Socket,
    { assignment, credential }: { readonly assignment: Assignment; readonly credential: StepCredential },
  ): Promise<void> {
    const greeted = await this.#greet(assignment, credential, null);
    if (!greeted.ok) return void socket.destroy();
    if (socket.destroyed) return void greeted.value.stream.destroy();
    joined(socket, greeted.value.stream);
  }

  /** What a broker says to the credential, before the step begins. */
  async #ask(assignment: Assignment, credential: StepCredential): Promise<BrokerAnswer> {
    const greeted = await this.#greet(assignment, credential, null);
    if (!greeted.ok) return { why: greeted.problem.sentence };
    greeted.value.stream.destroy();
    return greeted.value.answer;
  }

  /** The value of a secret, for the step itself. */
  async #take(assignment: Assignment, credential: StepCredential): Promise<Uint8Array> {
    const answer = await this.#ask(assignment, credential);
    if (answer.value !== undefined) return answer.value;
    throw new OttoError("OTTO_REFUSED", {
      what: answer.why ?? `The broker did not give the secret ${credential.name}.`,
      state: "The step did not begin.",
      next: "See what a step needs to be given a secret itself in the planner's page of the language.",
    });
  }

  async #greet(
    { run, index, attempt, token }: Assignment,
    { name: credential }: StepCredential,
    host: string | null,
  ): Promise<Result<{ readonly stream: Duplex; readonly answer: BrokerAnswer }, RefusedByBroker>> {
    try {
      const stream = new StreamDuplex(await this.#openStream());
      // Whoever joins it to a socket hears of its end; without a listener it would end the process.
      stream.on("error", () => undefined);
      const hello = { otto: "broker/1", run, index, attempt, token, credential, host } as const;
      stream.write(encodeFrame(encodeHello(hello)));
      const answer = decodeAnswer(await stream.firstFrame(limits.brokerAnswerBytesMax));
      if (answer.why === null) return success({ stream, answer });
      stream.destroy();
      return failure({ status: "403 Forbidden", sentence: answer.why });
    } catch (error) {
      const sentence = `No broker of a control peer could be reached for the credential ${credential}: ${wordsOf(error)}.`;
      return failure({ status: "502 Bad Gateway", sentence });
    }
  }
}

/** A port on loopback, or a socket in the step's own folder, for one credential of one attempt. */
class Door {
  readonly carry: (socket: Socket, host: string) => Promise<void>;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #port = 0;
  #isClosed = false;
  isAwaited = false;

  constructor(carry: Door["carry"]) {
    this.carry = carry;
  }

  /** Listens on this machine's loopback, or at a path. */
  async listen(path?: string): Promise<void> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      if (path === undefined) server.listen(0, "127.0.0.1", resolve);
      else server.listen(path, resolve);
    });
    if (path !== undefined) chmodSync(path, 0o600);
    this.adopt(server);
  }

  /** Its listener is in a sandbox, and still to come. */
  awaitAt(port: number): void {
    this.isAwaited = true;
    this.#port = port;
  }

  adopt(server: Server): void {
    if (this.#isClosed) return void server.close();
    this.#server = server;
    const address = server.address();
    if (typeof address === "object" && address !== null) this.#port = address.port;
    server.maxConnections = limits.brokerConnectionsMax;
    server.on("connection", (socket) => {
      socket.allowHalfOpen = true;
      socket.setNoDelay();
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.once("close", () => this.#sockets.delete(socket));
      this.carry(socket, this.authority).catch(() => socket.destroy());
    });
  }

  get port(): number {
    return this.#port;
  }

  get authority(): string {
    return `127.0.0.1:${this.#port}`;
  }

  close(): void {
    this.#isClosed = true;
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

function tooLong(socket: string): OttoError {
  return new OttoError("OTTO_REFUSED", {
    what: `The path of a socket for the step's credentials is too long, of at most ${limits.socketPathBytesMax} bytes: ${socket}.`,
    state: "The step did not begin.",
    next: "Give the worker a data folder with a shorter path: `otto join CODE --data FOLDER`.",
  });
}

/** To the host of a login, which is all that is told: what is said there is between the step's client and that host. */
async function lead(client: Socket, { host, port }: SshPlace): Promise<void> {
  const server = connect({ host: host.replace(/^\[|\]$/gu, ""), port, allowHalfOpen: true, noDelay: true });
  server.on("error", () => client.destroy());
  await once(server, "connect");
  if (client.destroyed) return void server.destroy();
  joined(client, server);
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
function refuse(socket: Socket, { status, sentence }: RefusedByBroker): void {
  const body = `otto: ${sentence}\n`;
  const head = `HTTP/1.1 ${status}\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n`;
  // It is read to its end, since a socket that is closed with something unread in it loses what was written.
  socket.resume();
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}
