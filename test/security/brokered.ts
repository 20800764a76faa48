/**
 * A step with a credential, for attacks on it: a control peer with a real broker and vault, a worker with a real gateway,
 * a real link between the two, and a real server with TLS that the credential is for.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Audit } from "../../node/edge/broker/audit.ts";
import { Broker } from "../../node/edge/broker/broker.ts";
import type { LeasedStep } from "../../node/core/leased-step.ts";
import { Gateway, type OpenedCredentials } from "../../node/edge/broker/gateway.ts";
import { sealSecret } from "../../node/edge/broker/sealing.ts";
import type { Resolver } from "../../node/edge/broker/upstream.ts";
import { Vault } from "../../node/edge/broker/vault.ts";
import type { CredentialUse } from "../../protocol/calls.ts";
import type { Destination, SecretHeader } from "../../protocol/credentials/secret.ts";
import type { StepClaims } from "../../protocol/credentials/issuer.ts";
import type { SshLogin } from "../../protocol/credentials/ssh-login.ts";
import { sealDocument } from "../../protocol/documents.ts";
import { sealCertificate } from "../../protocol/certificate.ts";
import type { Assignment } from "../../node/ports.ts";
import type { StepCredential } from "../../protocol/plan.ts";
import { assignmentOf } from "../contracts/witness.ts";
import { newIdentity, Peers, type Peer } from "../node/peers.ts";

/** What no step may ever see: whoever finds it anywhere has found a leak. */
export const canary = "canary-7f3a9b2c51d84e60";

export type Seen = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  body: string;
};
type Answering = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

/** A server with TLS for `localhost`, by an authority of its own. */
export class Upstream {
  readonly seen: Seen[] = [];
  readonly authority: string;
  readonly folder = mkdtempSync(join(tmpdir(), "otto-upstream-"));
  answering: Answering = (_request, response) => response.end("hello\n");
  #server!: Server | ReturnType<typeof createHttpServer>;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    makeAuthority(this.folder);
    this.authority = readFileSync(join(this.folder, "ca.pem"), "utf8");
  }

  static async start({
    tls = true,
    streams = false,
  }: { readonly tls?: boolean; readonly streams?: boolean } = {}): Promise<Upstream> {
    const upstream = new Upstream();
    const { folder } = upstream;
    const serve = (request: IncomingMessage, response: ServerResponse): void =>
      streams ? upstream.answering(request, response, Buffer.alloc(0)) : upstream.#serve(request, response);
    upstream.#server = tls
      ? createServer(
          { key: readFileSync(join(folder, "key.pem")), cert: readFileSync(join(folder, "cert.pem")) },
          serve,
        )
      : createHttpServer(serve);
    upstream.#server.on(tls ? "secureConnection" : "connection", (socket: Socket) => {
      upstream.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.once("close", () => upstream.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => upstream.#server.listen(0, "127.0.0.1", resolve));
    return upstream;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are open. */
  get open(): number {
    return this.#sockets.size;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const { method = "", url = "", headers } = request;
      this.seen.push({ method, url, headers, body: body.toString("latin1") });
      this.answering(request, response, body);
    });
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function makeAuthority(folder: string): void {
  const openssl = (...words: string[]): void =>
    void execFileSync("openssl", words, { cwd: folder, stdio: "ignore" });
  writeFileSync(join(folder, "names"), "subjectAltName=DNS:localhost,DNS:api.example.org,IP:127.0.0.1\n");
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...key,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-subj",
    "/CN=test authority",
    "-days",
    "2",
  );
  openssl("req", ...key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=localhost");
  const signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"];
  openssl("x509", "-req", "-in", "request.pem", "-out", "cert.pem", ...signing);
}

const person = newIdentity();

export class Mesh {
  readonly peers = new Peers(1);
  readonly folder = mkdtempSync(join(tmpdir(), "otto-brokered-"));
  readonly vault = new Vault(join(this.folder, "vault"));
  readonly audit = new Audit(join(this.folder, "audit.jsonl"), Date.now);
  readonly records = new Map<string, { readonly version: number; readonly bytes: Uint8Array }>();
  /** What the control peer's table says of the one step that there is. */
  leased: LeasedStep | null = null;
  /** Why that step has not passed its gate; null: it has. */
  unpermitted: string | null = null;
  /** Secrets that the domain's owner lets steps have. */
  exposable: readonly string[] = [];
  /** What tokens say of that step, and the document of the domain that makes them. */
  claims: StepClaims | null = null;
  issuer: Uint8Array | null = null;
  wallMs: number | null = null;
  isLed = true;
  nowMs = 0;
  resolve: Resolver | undefined;
  control!: Peer;
  worker!: Peer;
  broker!: Broker;
  readonly #opened: OpenedCredentials[] = [];
  #runs = 0;

  static async start(): Promise<Mesh> {
    const mesh = new Mesh();
    const { peers } = mesh;
    mesh.broker = new Broker(
      {
        keys: person,
        charter: () => peers.charter,
        leased: (run, index) =>
          mesh.leased?.run === run && mesh.leased.index === index ? mesh.leased : null,
        whyNotPermitted: () => mesh.unpermitted,
        secret: (name) => mesh.records.get(name) ?? null,
        mayExpose: (secret) => mesh.exposable.includes(secret),
        claims: () => mesh.claims,
        issuer: () => mesh.issuer,
        wallMs: () => mesh.wallMs ?? Date.now(),
        isLed: () => mesh.isLed,
        nowMs: () => mesh.nowMs,
        resolve: (host) =>
          (mesh.resolve ?? (() => Promise.resolve([{ address: "127.0.0.1", family: 4 }])))(host),
      },
      { vault: mesh.vault, audit: mesh.audit },
    );
    mesh.control = await peers.control(0, { brokered: (stream, peer) => mesh.broker.accept(stream, peer) });
    mesh.worker = await mesh.joins();
    return mesh;
  }

  /** One more worker of the domain. */
  async joins(): Promise<Peer> {
    const worker = await this.peers.start({ role: "worker" });
    worker.dials(this.control);
    await this.peers.until(() => worker.isLinked(this.control) && this.control.isLinked(worker));
    return worker;
  }

  get certificate(): Uint8Array {
    const { charter, owner } = this.peers;
    const expiresMs = Date.now() + 600_000;
    const certified = {
      otto: "certificate/1",
      peer: person.peer,
      role: "person",
      name: "ada",
      expiresMs,
    } as const;
    return sealCertificate(charter.domain, certified, owner);
  }

  async header(destination: Destination | null, more: Partial<SecretHeader> = {}): Promise<SecretHeader> {
    return {
      otto: "secret/1",
      name: "token",
      version: 1,
      state: "sealed",
      class: "brokered",
      kind: "http",
      destinations: destination === null ? [] : [destination],
      pushRefs: [],
      logins: [],
      recipients: [{ peer: this.control.id, recipient: await this.vault.recipient() }],
      createdMs: 1,
      ...more,
    };
  }

  async seal(header: SecretHeader, value: string | null = canary): Promise<Uint8Array> {
    return this.sign(header, await sealSecret(header, value === null ? null : Buffer.from(value)));
  }

  /** The document of a secret, as a person of the domain signs it. */
  sign({ name, version }: Pick<SecretHeader, "name" | "version">, body: unknown): Uint8Array {
    const document = {
      otto: "document/1",
      topic: "secret",
      name,
      version,
      timeMs: Date.now(),
      body,
    } as const;
    return sealDocument(document, this.peers.charter.domain, { keys: person, certificate: this.certificate });
  }

  /** Sets the secret `token`, an SSH key, and has the worker's step run that may log in by it. */
  async givesLogin(
    login: SshLogin,
    options: { readonly key: string; readonly to?: string },
  ): Promise<Readonly<Record<string, string>>> {
    return this.runs([await this.setsLogin(login, options)]);
  }

  async setsLogin(
    login: SshLogin,
    { key, to = `${login.user}@${login.host}:${login.port}` }: { readonly key: string; readonly to?: string },
  ): Promise<StepCredential> {
    const header = await this.header(null, { kind: "ssh", logins: [login] });
    this.records.set("token", { version: header.version, bytes: await this.seal(header, key) });
    return { name: "token", kind: "ssh", to };
  }

  /** Sets the secret, and has the worker's step run that may use it. Returns what the step is told. */
  async gives(
    destination: Destination,
    more: Partial<SecretHeader> & { readonly to?: string } = {},
  ): Promise<Readonly<Record<string, string>>> {
    return this.runs([await this.sets(destination, more)]);
  }

  /** Sets the secret, and says how a step asks for it. */
  async sets(
    destination: Destination,
    { to, kind = "http", ...more }: Partial<SecretHeader> & { readonly to?: string } = {},
  ): Promise<StepCredential> {
    const header = await this.header(destination, { kind, ...more });
    const bytes = await this.seal(header, kind === "oidc" ? null : canary);
    this.records.set("token", { version: header.version, bytes });
    const { scheme, host, port } = destination;
    return { name: "token", kind, to: to ?? `${scheme}://${host}:${port}` };
  }

  async runs(
    credentials: readonly StepCredential[],
    worker = this.worker,
  ): Promise<Readonly<Record<string, string>>> {
    const opened = await this.gateway(worker).open(
      assignmentOf("", [], this.leases(credentials)),
      this.folder,
    );
    this.#opened.push(opened);
    return opened.variables;
  }

  /** Gives the worker the lease of one more step. */
  leases(credentials: readonly StepCredential[]): Partial<Assignment> & Pick<LeasedStep, "run"> {
    this.#runs += 1;
    const step = { run: `run${this.#runs}`, step: "deploy", index: 3, attempt: 1, token: 9 };
    this.leased = { ...step, worker: this.worker.id, submitter: "ada", owner: null, credentials };
    return { ...step, credentials };
  }

  gateway(worker = this.worker): Gateway {
    return new Gateway(() => worker.network.openBroker(this.control.id));
  }

  /** What the book says of the newest run. */
  get uses(): readonly CredentialUse[] {
    return this.audit.lines().filter(({ run }) => run === this.leased?.run);
  }

  /** As it was before the first test of a file. */
  reset(): void {
    for (const opened of this.#opened.splice(0)) opened.close();
    this.broker.close();
    this.records.clear();
    this.isLed = true;
    this.issuer = null;
    this.exposable = [];
    this.unpermitted = null;
    this.wallMs = null;
    this.nowMs = 0;
    this.resolve = undefined;
  }

  async end(): Promise<void> {
    this.reset();
    this.broker.close();
    this.vault.close();
    this.audit.flush();
    await this.peers.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function destinationOf(upstream: Upstream, more: Partial<Destination> = {}): Destination {
  return {
    scheme: "https",
    host: "localhost",
    port: upstream.port,
    methods: ["GET", "POST"],
    paths: ["/**"],
    slot: { header: "authorization", before: "Bearer ", user: null },
    networks: ["127.0.0.0/8"],
    authority: upstream.authority,
    ...more,
  };
}

/** Bytes to the listener of a base URL as they are, and all that comes back until the other side closes. */
export function raw(url: string, bytes: string | Buffer): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
    socket.write(bytes);
  });
}

/** A request in its raw form; what is asked for may be anything. */
export function requestOf(url: string, line: string, headers: readonly string[] = [], body = ""): string {
  const { host } = new URL(url);
  return [`${line} HTTP/1.1`, `host: ${host}`, "connection: close", ...headers, "", body].join("\r\n");
}
