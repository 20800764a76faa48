/**
 * The yardstick for claims: three members of etcd on loopback, each write synced, asked over gRPC by this process as
 * Otto is: so many clients, each with one transaction outstanding that puts so many keys which must not exist yet.
 *
 * The few messages that are needed are written out by hand over node:http2, straight to the leader, over one
 * connection: cheaper than etcd's own JavaScript client, so the comparison does not understate etcd.
 *
 * @source https://github.com/etcd-io/etcd/blob/v3.4.23/etcdserver/etcdserverpb/rpc.proto
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { type ClientHttp2Session, connect } from "node:http2";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../cli/embedded.ts";

/** As many bytes as the register of a claimed step. */
const value = Buffer.alloc(180, "x");
const startMsMax = 20_000;

export function etcdVersion(): string | null {
  const { status, stdout } = spawnSync("etcd", ["--version"], { encoding: "utf8" });
  return status === 0 ? (/etcd Version: (\S+)/u.exec(stdout)?.[1] ?? "?") : null;
}

export class Etcd {
  readonly #members: ChildProcess[];
  readonly #leader: ClientHttp2Session;
  #keys = 0;

  private constructor(members: ChildProcess[], leader: ClientHttp2Session) {
    this.#members = members;
    this.#leader = leader;
  }

  static async start(folder: string): Promise<Etcd> {
    const names = ["a", "b", "c"];
    const places: { name: string; client: string; peer: string }[] = [];
    for (const name of names)
      places.push({
        name,
        client: `http://127.0.0.1:${await freePort()}`,
        peer: `http://127.0.0.1:${await freePort()}`,
      });
    const cluster = places.map(({ name, peer }) => `${name}=${peer}`).join(",");
    const members: ChildProcess[] = places.map(({ name, client, peer }) => {
      const words = ["--name", name, "--data-dir", join(folder, `etcd-${name}`), "--log-level", "error"];
      const own = ["--listen-client-urls", client, "--advertise-client-urls", client];
      const others = ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer];
      return spawn("etcd", [...words, ...own, ...others, "--initial-cluster", cluster], { stdio: "ignore" });
    });
    process.once("exit", () => members.forEach((member) => member.kill("SIGKILL")));
    try {
      return new Etcd(members, await findLeader(places.map(({ client }) => client)));
    } catch (error) {
      for (const member of members) member.kill("SIGKILL");
      throw error;
    }
  }

  /** Puts `count` new keys from so many clients; returns keys a second. */
  async rate(shape: { readonly clients: number; readonly batch: number }, count: number): Promise<number> {
    const last = this.#keys + count;
    const start = performance.now();
    const client = async (): Promise<void> => {
      while (this.#keys < last) await this.#put(shape.batch);
    };
    const first = this.#keys;
    await Promise.all(Array.from({ length: shape.clients }, client));
    return ((this.#keys - first) / (performance.now() - start)) * 1_000;
  }

  async #put(batch: number): Promise<void> {
    const keys = Array.from({ length: batch }, () => Buffer.from(`step/benchmark/${(this.#keys += 1)}`));
    // Compare{result: EQUAL, target: VERSION, key = 3, version = 4: 0}
    const compares = keys.map((key) => field(1, Buffer.concat([field(3, key), Buffer.from([4 << 3, 0])])));
    // RequestOp{request_put = 2: PutRequest{key = 1, value = 2}}
    const puts = keys.map((key) => field(2, field(2, Buffer.concat([field(1, key), field(2, value)]))));
    const answer = await call(this.#leader, "/etcdserverpb.KV/Txn", Buffer.concat([...compares, ...puts]));
    if (numberIn(answer, 2) !== 1n) throw new Error("etcd refused a new key");
  }

  async stop(): Promise<void> {
    this.#leader.destroy();
    for (const member of this.#members) {
      const gone = new Promise((resolve) => member.once("close", resolve));
      member.kill("SIGKILL");
      await gone;
    }
  }
}

/** Asks each member who leads (Maintenance/Status) until one says that it does itself. */
async function findLeader(clients: readonly string[]): Promise<ClientHttp2Session> {
  for (const deadline = performance.now() + startMsMax; performance.now() < deadline; await sleep(100)) {
    for (const client of clients) {
      const session = connect(client);
      // Its calls are told, too, and say so.
      session.on("error", () => session.destroy());
      try {
        const status = await call(session, "/etcdserverpb.Maintenance/Status", Buffer.alloc(0));
        const header = bytesIn(status, 1);
        const leader = numberIn(status, 4);
        if (header !== null && leader !== null && leader === numberIn(header, 2)) return session;
      } catch {
        // It has not started yet, or there is no leader yet: asked again.
        await sleep(10);
      }
      session.destroy();
    }
  }
  throw new Error("etcd has no leader");
}

/** One unary gRPC call. */
function call(session: ClientHttp2Session, path: string, message: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (session.destroyed) return reject(new Error("the connection to etcd is gone"));
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.once("error", reject);
    stream.once("close", () => {
      const bytes = Buffer.concat(chunks);
      if (bytes.length < 5) reject(new Error(`etcd did not answer ${path}`));
      else resolve(bytes.subarray(5));
    });
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    stream.end(Buffer.concat([head, message]));
  });
}

/** A length-delimited field of protobuf. */
function field(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

type Field = { readonly number: number; readonly value: bigint | Buffer };

function* fieldsOf(message: Buffer): Generator<Field> {
  let at = 0;
  const next = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at] ?? 0;
      at += 1;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = Number(next());
    const number = tag >> 3;
    if ((tag & 7) === 0) yield { number, value: next() };
    else {
      const length = Number(next());
      yield { number, value: message.subarray(at, at + length) };
      at += length;
    }
  }
}

function numberIn(message: Buffer, number: number): bigint | null {
  for (const found of fieldsOf(message))
    if (found.number === number && typeof found.value === "bigint") return found.value;
  return null;
}

function bytesIn(message: Buffer, number: number): Buffer | null {
  for (const found of fieldsOf(message))
    if (found.number === number && typeof found.value !== "bigint") return found.value;
  return null;
}
