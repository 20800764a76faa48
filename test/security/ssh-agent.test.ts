/**
 * The attacker runs in a step that may log in somewhere by SSH, with a key that it does not have: it speaks to the agent as it
 * likes, and wants a signature for something else.
 */

import { type ChildProcess, execFile, execFileSync } from "node:child_process";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { sealSecret } from "../../node/edge/broker/sealing.ts";
import type { Destination } from "../../protocol/credentials/secret.ts";
import type { SshLogin } from "../../protocol/credentials/ssh-login.ts";
import { encodeFrame, FrameDecoder } from "../../protocol/frames.ts";
import { assignmentOf } from "../contracts/witness.ts";
import { Mesh } from "./brokered.ts";
import { hasZero, keyWithZeros } from "./openssh-file.ts";
import { serveSsh } from "./ssh-server.ts";

const run = promisify(execFile);
const isMissing = ["ssh", "ssh-keygen", "ssh-add"].some((name) => !existsSync(join("/usr/bin", name)));
const isServerMissing = isMissing || !existsSync("/usr/sbin/sshd");

let mesh: Mesh;
let folder: string;
const clients: Socket[] = [];

beforeAll(async () => {
  mesh = await Mesh.start();
});
afterAll(() => mesh?.end());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "otto-ssh-"));
});
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
  vi.restoreAllMocks();
  mesh.reset();
  rmSync(folder, { recursive: true, force: true });
});

const numbers = { failure: 5, success: 6, identities: 12, signature: 14 } as const;

function field(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

const pairs = () => generateKeyPairSync("ed25519");

/** A host that the attacker runs himself, or that he has been let into. */
class Host {
  readonly #keys: ReturnType<typeof pairs>;

  constructor(isFit: (point: Buffer) => boolean = () => true) {
    let keys = pairs();
    while (!isFit(rawOf(keys.publicKey))) keys = pairs();
    this.#keys = keys;
  }

  get key(): Buffer {
    return Buffer.concat([field("ssh-ed25519"), field(rawOf(this.#keys.publicKey))]);
  }

  get line(): string {
    return `ssh-ed25519 ${this.key.toString("base64")}`;
  }

  bind(
    session: Uint8Array,
    { isForwarding = false, key = this.key }: { readonly isForwarding?: boolean; readonly key?: Buffer } = {},
  ): Buffer {
    const signature = Buffer.concat([
      field("ssh-ed25519"),
      field(sign(null, session, this.#keys.privateKey)),
    ]);
    const words = [field("session-bind@openssh.com"), field(key), field(session), field(signature)];
    return Buffer.concat([Buffer.of(27), ...words, Buffer.of(isForwarding ? 1 : 0)]);
  }
}

function rawOf(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: "jwk" })["x"] as string, "base64url");
}

/** What a client has signed to log in. */
function loginOf(
  session: Uint8Array,
  key: Buffer,
  { user = "deploy", method = "publickey", algorithm = "ssh-ed25519", more = [] as readonly Buffer[] } = {},
): Buffer {
  const words = [field(user), field("ssh-connection"), field(method)];
  return Buffer.concat([
    field(session),
    Buffer.of(50),
    ...words,
    Buffer.of(1),
    field(algorithm),
    field(key),
    ...more,
  ]);
}

function signing(key: Buffer, data: Uint8Array, flags = 0): Buffer {
  const asked = Buffer.alloc(4);
  asked.writeUInt32BE(flags);
  return Buffer.concat([Buffer.of(13), field(key), field(data), asked]);
}

/** One connection to an agent. */
async function agent(
  told: Readonly<Record<string, string>>,
): Promise<(request: Uint8Array) => Promise<Buffer>> {
  const socket = connect(told["SSH_AUTH_SOCK"] ?? "");
  clients.push(socket);
  await once(socket, "connect");
  const decoder = new FrameDecoder();
  const answers: Buffer[] = [];
  const waiting: ((answer: Buffer) => void)[] = [];
  const answer = (bytes: Buffer): void => {
    const next = waiting.shift();
    if (next === undefined) answers.push(bytes);
    else next(bytes);
  };
  socket.on("data", (chunk: Buffer) => {
    for (const frame of decoder.push(chunk) as readonly Uint8Array[]) answer(Buffer.from(frame));
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    for (const next of waiting.splice(0)) next(Buffer.alloc(0));
  });
  return (request) =>
    new Promise((resolve) => {
      const known = answers.shift();
      if (known !== undefined) resolve(known);
      else if (socket.destroyed) resolve(Buffer.alloc(0));
      else waiting.push(resolve);
      socket.write(encodeFrame(request));
    });
}

const host = new Host();
const session = Buffer.alloc(32, 7);
const login: SshLogin = { user: "deploy", host: "host.example.org", port: 22, hostKeys: [host.line] };

/** The private key, as it is in a file, and the public one, as hosts are shown it. */
function newKey(...words: string[]): { readonly text: string; readonly key: Buffer } {
  const file = join(folder, `key-${words.join("")}`);
  execFileSync("ssh-keygen", [
    "-q",
    "-N",
    "",
    "-f",
    file,
    ...(words.length === 0 ? ["-t", "ed25519"] : words),
  ]);
  const [, base64 = ""] = readFileSync(`${file}.pub`, "utf8").split(" ");
  return { text: readFileSync(file, "utf8"), key: Buffer.from(base64, "base64") };
}

const codes = (): readonly string[] =>
  mesh.uses.filter(({ what }) => what === "refused").map(({ template }) => template);

/** What is asked for, the word that the book has for it, and the requests, the last of which would give it. */
const attacks: readonly (readonly [string, string, (key: Buffer) => readonly Buffer[]])[] = [
  [
    "nothing that says which host it is for",
    "unbound",
    (key: Buffer) => [signing(key, loginOf(session, key))],
  ],
  ["a host that is not pinned", "host", (_key: Buffer) => [new Host().bind(session)]],
  [
    "the pinned host's key beside the attacker's own signature, and then a login",
    "host",
    (key: Buffer) => [new Host().bind(session, { key: host.key }), signing(key, loginOf(session, key))],
  ],
  [
    "an agent that was handed on to the host",
    "forwarded",
    (_key: Buffer) => [host.bind(session, { isForwarding: true })],
  ],
  [
    "a host that the agent was handed on to, which then binds a session of its own",
    "forwarded",
    (key: Buffer) => [
      host.bind(Buffer.alloc(32, 9), { isForwarding: true }),
      host.bind(session),
      signing(key, loginOf(session, key)),
    ],
  ],
  [
    "a second session on one connection",
    "bound",
    (_key: Buffer) => [host.bind(session), host.bind(Buffer.alloc(32, 8))],
  ],
  [
    "a second session on one connection, and then a login into the first",
    "bound",
    (key: Buffer) => [
      host.bind(session),
      host.bind(Buffer.alloc(32, 8)),
      signing(key, loginOf(session, key)),
    ],
  ],
  [
    "a login into another session than the bound one",
    "host",
    (key: Buffer) => [host.bind(session), signing(key, loginOf(Buffer.alloc(32, 8), key))],
  ],
  [
    "a login that names another host than the bound one",
    "host",
    (key: Buffer) => [
      host.bind(session),
      signing(
        key,
        loginOf(session, key, {
          method: "publickey-hostbound-v00@openssh.com",
          more: [field(new Host().key)],
        }),
      ),
    ],
  ],
  [
    "another user",
    "user",
    (key: Buffer) => [host.bind(session), signing(key, loginOf(session, key, { user: "root" }))],
  ],
  [
    "bytes that are no login",
    "raw",
    (key: Buffer) => [host.bind(session), signing(key, Buffer.from("a contract"))],
  ],
  [
    "a login with something behind it",
    "raw",
    (key: Buffer) => [host.bind(session), signing(key, Buffer.concat([loginOf(session, key), Buffer.of(0)]))],
  ],
  [
    "a signature of the kind that is made over files",
    "raw",
    (key: Buffer) => [
      host.bind(session),
      signing(
        key,
        Buffer.concat([Buffer.from("SSHSIG"), field("git"), field(""), field("sha512"), field("x")]),
      ),
    ],
  ],
  [
    "a login by another method",
    "raw",
    (key: Buffer) => [host.bind(session), signing(key, loginOf(session, key, { method: "hostbased" }))],
  ],
  [
    "a login that names another key",
    "key",
    (key: Buffer) => [host.bind(session), signing(key, loginOf(session, new Host().key))],
  ],
  [
    "another key",
    "key",
    (_key: Buffer) => [host.bind(session), signing(new Host().key, loginOf(session, new Host().key))],
  ],
  [
    "an algorithm of another kind of key",
    "key",
    (key: Buffer) => [
      host.bind(session),
      signing(key, loginOf(session, key, { algorithm: "rsa-sha2-256" }), 2),
    ],
  ],
  [
    "adding a key",
    "request",
    (key: Buffer) => [Buffer.concat([Buffer.of(17), field("ssh-ed25519"), field(key)])],
  ],
  ["removing the keys", "request", (_key: Buffer) => [Buffer.of(19)]],
  ["locking the agent", "request", (_key: Buffer) => [Buffer.concat([Buffer.of(22), field("word")])]],
  ["another extension", "request", (_key: Buffer) => [Buffer.concat([Buffer.of(27), field("query")])]],
  ["no request at all", "request", (_key: Buffer) => [Buffer.alloc(0)]],
];

describe.skipIf(isMissing)("an agent (skipped where OpenSSH's client is not installed)", () => {
  it("signs a login as the user of the secret into a session of the pinned host, and each is in the book", async () => {
    const { text, key } = newKey();
    const ask = await agent(await mesh.givesLogin(login, { key: text }));
    expect((await ask(Buffer.of(11))).includes(field(key))).toBe(true);
    expect([...(await ask(host.bind(session)))]).toEqual([numbers.success]);
    const bound = { method: "publickey-hostbound-v00@openssh.com", more: [field(host.key)] };
    for (const data of [loginOf(session, key), loginOf(session, key, bound)])
      expect((await ask(signing(key, data)))[0]).toBe(numbers.signature);
    expect(mesh.uses).toMatchObject([
      { what: "used", method: "SIGN", template: "deploy@host.example.org" },
      { what: "used", method: "SIGN", template: "deploy@host.example.org" },
    ]);
  });

  it.each(attacks)("refuses %s", async (_, code, requests) => {
    const { text, key } = newKey();
    const ask = await agent(await mesh.givesLogin(login, { key: text }));
    let answer: Buffer = Buffer.alloc(0);
    for (const request of requests(key)) answer = await ask(request);
    expect([...answer]).toEqual([numbers.failure]);
    expect(new Set(codes())).toEqual(new Set([code]));
    expect(mesh.uses.filter(({ what }) => what === "used")).toEqual([]);
  });

  it("signs by a key, and for a host, whose key begins with a zero, as one of 512 does", async () => {
    const { text, key } = keyWithZeros();
    const pinned = new Host(hasZero);
    const ask = await agent(await mesh.givesLogin({ ...login, hostKeys: [pinned.line] }, { key: text }));
    expect((await ask(Buffer.of(11))).includes(field(key))).toBe(true);
    expect([...(await ask(pinned.bind(session)))]).toEqual([numbers.success]);
    expect((await ask(signing(key, loginOf(session, key))))[0]).toBe(numbers.signature);
  });

  it("signs with RSA by its newer hashes, and never by SHA-1", async () => {
    const { text, key } = newKey("-t", "rsa", "-b", "2048");
    const ask = await agent(await mesh.givesLogin(login, { key: text }));
    await ask(host.bind(session));
    for (const [algorithm, flags, is] of [
      ["rsa-sha2-256", 2, numbers.signature],
      ["rsa-sha2-512", 4, numbers.signature],
      ["ssh-rsa", 0, numbers.failure],
      ["ssh-rsa", 2, numbers.failure],
    ] as const)
      expect((await ask(signing(key, loginOf(session, key, { algorithm }), flags)))[0], algorithm).toBe(is);
  });

  it("ends a connection that asks for more than any client does", async () => {
    const { text } = newKey();
    const ask = await agent(await mesh.givesLogin(login, { key: text }));
    expect(await ask(Buffer.alloc(200_000))).toHaveLength(0);
    expect(codes()).toEqual(["request"]);
  });
});

describe.skipIf(isMissing)(
  "an agent, and what is around it (skipped where OpenSSH's client is not installed)",
  () => {
    it("signs nothing after the lease has ended or passed on, nor when the permit is taken back, on a connection that is still there", async () => {
      const { text, key } = newKey();
      const ask = await agent(await mesh.givesLogin(login, { key: text }));
      await ask(host.bind(session));
      mesh.unpermitted = "the time window is over";
      expect([...(await ask(signing(key, loginOf(session, key))))]).toEqual([numbers.failure]);
      mesh.unpermitted = null;
      if (mesh.leased !== null) mesh.leased = { ...mesh.leased, token: 10 };
      expect([...(await ask(signing(key, loginOf(session, key))))]).toEqual([numbers.failure]);
      expect(codes()).toEqual(["ended", "ended"]);
      mesh.broker.recheck();
      expect(await ask(signing(key, loginOf(session, key)))).toHaveLength(0);
    });

    it("gives out no signature that was made while the lease ended", async () => {
      const { text, key } = newKey();
      const ask = await agent(await mesh.givesLogin(login, { key: text }));
      await ask(host.bind(session));
      const sign = mesh.vault.sshSignature.bind(mesh.vault);
      vi.spyOn(mesh.vault, "sshSignature").mockImplementation(async (request) => {
        const signed = await sign(request);
        if (mesh.leased !== null) mesh.leased = { ...mesh.leased, token: 10 };
        return signed;
      });
      expect([...(await ask(signing(key, loginOf(session, key))))]).toEqual([numbers.failure]);
      expect(codes()).toEqual(["ended"]);
    });

    it("of one step is of no use to another: its socket is in a folder that is closed to others, and it ends with the step", async () => {
      const { text } = newKey();
      const told = await mesh.givesLogin(login, { key: text });
      const path = told["SSH_AUTH_SOCK"] ?? "";
      expect(statSync(path).mode & 0o077).toBe(0);
      expect(statSync(join(path, "..")).mode & 0o077).toBe(0);
      mesh.reset();
      await expect(agent(told)).rejects.toThrow(/ENOENT|ECONNREFUSED/u);
    });

    it("is refused where its path would be too long for a socket", async () => {
      const { text } = newKey();
      const credentials = [await mesh.setsLogin(login, { key: text })];
      const assignment = assignmentOf("", [], mesh.leases(credentials));
      const opened = mesh.gateway().open(assignment, join(folder, "x".repeat(100)));
      await expect(opened).rejects.toThrow("is too long, of at most");
    });

    it("never has the key outside of the vault: not for a broker that asks as if it were a token", async () => {
      const { text } = newKey();
      const destination: Destination = {
        scheme: "https",
        host: "evil.example.org",
        port: 443,
        methods: ["GET"],
        paths: ["/**"],
        slot: { header: "authorization", before: "", user: null },
        networks: [],
        authority: null,
      };
      const secret = await mesh.header(destination, { kind: "ssh", logins: [login] });
      const { header, sealed: body } = await sealSecret(secret, Buffer.from(text));
      const asked = await mesh.vault.open({ header, body, origin: "https://evil.example.org" });
      expect(asked).toEqual({ why: "an SSH key signs, and is sent nowhere" });
    });

    it("says in place of connecting why a login is refused", async () => {
      const { text } = newKey();
      const told = await mesh.givesLogin(login, { key: text, to: "root@host.example.org" });
      const words = ["-F", told["OTTO_SSH_CONFIG"] ?? "", "host.example.org", "true"];
      await expect(run("ssh", words)).rejects.toThrow(
        "otto: The secret token may log in as deploy@host.example.org, and the plan asks for root@host.example.org.",
      );
    });
  },
);

const user = userInfo().username;
const servers: ChildProcess[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    const ended = once(server, "close");
    server.kill();
    await ended;
  }
});

async function serve(
  name: string,
  authorized: string,
): Promise<{ readonly port: number; readonly line: string }> {
  const { process: server, ...served } = await serveSsh(join(folder, name), authorized);
  servers.push(server);
  return served;
}

function step(told: Readonly<Record<string, string>>): { cwd: string; env: Record<string, string> } {
  const { PATH = "" } = process.env;
  return { cwd: folder, env: { PATH, HOME: folder, GIT_TERMINAL_PROMPT: "0", ...told } };
}

describe.skipIf(isServerMissing)(
  "ssh and git (skipped where OpenSSH's client and server are not installed)",
  () => {
    it("log in, clone and push by a key that the step does not have, and to no host that shows another key", async () => {
      const { text, key } = newKey();
      const authorized = `ssh-ed25519 ${key.toString("base64")}\n`;
      const served = await serve("pinned", authorized);
      const told = await mesh.givesLogin(
        { user, host: "127.0.0.1", port: served.port, hostKeys: [served.line] },
        { key: text },
      );
      const options = step(told);
      const config = told["OTTO_SSH_CONFIG"] ?? "";
      expect((await run("ssh", ["-F", config, "127.0.0.1", "echo in"], options)).stdout).toBe("in\n");

      execFileSync("git", ["init", "-q", "--bare", join(folder, "shop.git")]);
      const url = `ssh://${user}@127.0.0.1:${served.port}${join(folder, "shop.git")}`;
      await run("git", ["clone", "-q", url, "clone"], options);
      const commit = [
        "-C",
        "clone",
        "-c",
        "user.name=ada",
        "-c",
        "user.email=ada@example.org",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "first",
      ];
      await run("git", commit, options);
      await run("git", ["-C", "clone", "push", "-q", "origin", "HEAD:main"], options);
      expect(
        execFileSync("git", ["-C", join(folder, "shop.git"), "log", "--format=%s", "main"], {
          encoding: "utf8",
        }),
      ).toBe("first\n");

      // The key would let the step in there; the agent signs nothing for it, whatever the step trusts.
      const other = await serve("other", authorized);
      await expect(
        run("ssh", ["-F", config, "-p", String(other.port), "127.0.0.1", "true"], options),
      ).rejects.toThrow(/verification failed/u);
      const trusting = [
        "-F",
        "none",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "BatchMode=yes",
      ];
      await expect(
        run("ssh", [...trusting, "-p", String(other.port), "127.0.0.1", "true"], options),
      ).rejects.toThrow(/Permission denied/u);
      expect(codes()).toContain("host");
      for (const { what, method, template } of mesh.uses.filter((use) => use.what === "used"))
        expect({ what, method, template }).toEqual({
          what: "used",
          method: "SIGN",
          template: `${user}@127.0.0.1:${served.port}`,
        });
    }, 60_000);

    it("do not get on from the host with the agent that was forwarded to it", async () => {
      const { text, key } = newKey();
      const served = await serve("pinned", `ssh-ed25519 ${key.toString("base64")}\n`);
      const told = await mesh.givesLogin(
        { user, host: "127.0.0.1", port: served.port, hostKeys: [served.line] },
        { key: text },
      );
      const words = ["-F", told["OTTO_SSH_CONFIG"] ?? "", "-A", "127.0.0.1"];
      const onwards = `ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -p ${served.port} 127.0.0.1 echo on || echo stopped`;
      const { stdout } = await run("ssh", [...words, onwards], step(told));
      expect(stdout).toBe("stopped\n");
      expect(codes()).toContain("forwarded");
    }, 60_000);
  },
);
