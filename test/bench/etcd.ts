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
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freeAddress } from "../ports.ts";
import {
  gapRestMs,
  LongestGap,
  type Measurement,
  percentile,
  projectFolder,
  type Shape,
  steadyMs,
  watchedMs,
} from "./measure.ts";

/** As many bytes as the register of a claimed step. */
const value = Buffer.alloc(180, "x");
const startMsMax = 20_000;

export type EtcdProgram = { readonly path: string; readonly version: string };

/**
 * The machine's own etcd, or Debian's, fetched with apt and unpacked beside this project's packages: no right is
 * needed, and nothing is started with the machine. Null where neither is to be had.
 */
export function findEtcd(): EtcdProgram | null {
  const unpacked = join(projectFolder, "node_modules", ".cache", "etcd");
  const inside = join(unpacked, "usr", "bin", "etcd");
  const found = ["etcd", inside].map(programAt).find((program) => program !== null);
  if (found !== undefined) return found;
  mkdirSync(unpacked, { recursive: true });
  spawnSync("apt-get", ["download", "-q", "etcd-server"], { cwd: unpacked });
  const [file] = existsSync(unpacked) ? readdirSync(unpacked).filter((name) => name.endsWith(".deb")) : [];
  if (file !== undefined) spawnSync("dpkg", ["-x", file, "."], { cwd: unpacked });
  return programAt(inside);
}

function programAt(path: string): EtcdProgram | null {
  const { status, stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
  return status === 0 ? { path, version: /etcd Version: (\S+)/u.exec(stdout)?.[1] ?? "?" } : null;
}

type Member = {
  readonly words: readonly string[];
  /** Where clients ask. */
  readonly client: string;
  child: ChildProcess;
};

export class Etcd {
  readonly #path: string;
  readonly #members: readonly Member[];
  #leader: Leader;
  #keys = 0;

  private constructor(path: string, members: readonly Member[], leader: Leader) {
    this.#path = path;
    this.#members = members;
    this.#leader = leader;
  }

  static async start(folder: string, { path }: EtcdProgram): Promise<Etcd> {
    const places: { name: string; client: string; peer: string }[] = [];
    for (const name of ["a", "b", "c"])
      places.push({
        name,
        client: `http://${await freeAddress()}`,
        peer: `http://${await freeAddress()}`,
      });
    const cluster = places.map(({ name, peer }) => `${name}=${peer}`).join(",");
    const members = places.map(({ name, client, peer }): Member => {
      const words = ["--name", name, "--data-dir", join(folder, `etcd-${name}`), "--log-level", "error"];
      const own = ["--listen-client-urls", client, "--advertise-client-urls", client];
      const others = ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer];
      const all = [...words, ...own, ...others, "--initial-cluster", cluster];
      return { words: all, client, child: spawn(path, all, { stdio: "ignore" }) };
    });
    process.once("exit", () => members.forEach(({ child }) => child.kill("SIGKILL")));
    try {
      return new Etcd(path, members, await findLeader(members, startMsMax));
    } catch (error) {
      for (const { child } of members) child.kill("SIGKILL");
      throw error;
    }
  }

  /** Puts `count` new keys from so many clients, each with one transaction outstanding. */
  async measure(shape: Shape, count: number): Promise<Measurement> {
    const last = this.#keys + count;
    const first = this.#keys;
    const latenciesMs: number[] = [];
    const start = performance.now();
    const client = async (): Promise<void> => {
      while (this.#keys < last) {
        const asked = performance.now();
        await this.#put(this.#leader.session, shape.batch);
        latenciesMs.push(performance.now() - asked);
      }
    };
    await Promise.all(Array.from({ length: shape.clients }, client));
    const perSecond = ((this.#keys - first) / (performance.now() - start)) * 1_000;
    return { perSecond, p50Ms: percentile(latenciesMs, 50), p99Ms: percentile(latenciesMs, 99) };
  }

  /**
   * Kills a member while so many clients put one key after the other, and starts it again; returns the longest time
   * without a key that was put. Clients that lose the leader ask every member who leads, again and again, as etcd's
   * own do.
   */
  async gapAfterKill(whom: "leader" | "follower", clients: number): Promise<number> {
    const { length } = this.#members;
    const index = whom === "leader" ? this.#leader.member : (this.#leader.member + 1) % length;
    const victim = this.#members[index];
    if (victim === undefined) throw new Error("etcd has no such member");
    const gap = new LongestGap();
    const load = { goesOn: true };
    const client = async (): Promise<void> => {
      while (load.goesOn) {
        const { session } = this.#leader;
        try {
          await this.#put(session, 1);
          gap.mark();
          await sleep(gapRestMs);
        } catch {
          if (session === this.#leader.session) session.destroy();
          await this.#findAgain();
        }
      }
    };
    const clientsEnd = Promise.all(Array.from({ length: clients }, client));
    await sleep(steadyMs);
    gap.begin();
    victim.child.kill("SIGKILL");
    await sleep(watchedMs);
    const longest = gap.longestMs;
    victim.child = spawn(this.#path, victim.words, { stdio: "ignore" });
    await sleep(steadyMs);
    load.goesOn = false;
    await clientsEnd;
    return longest;
  }

  #finding: Promise<void> | null = null;

  /** One search for all clients. */
  #findAgain(): Promise<void> {
    if (!this.#leader.session.destroyed) return Promise.resolve();
    const search = async (): Promise<void> => {
      this.#leader = await findLeader(this.#members, startMsMax);
      this.#finding = null;
    };
    return (this.#finding ??= search());
  }

  async #put(session: ClientHttp2Session, batch: number): Promise<void> {
    const keys = Array.from({ length: batch }, () => Buffer.from(`step/benchmark/${(this.#keys += 1)}`));
    // Compare{result: EQUAL, target: VERSION, key = 3, version = 4: 0}
    const compares = keys.map((key) => field(1, Buffer.concat([field(3, key), Buffer.from([4 << 3, 0])])));
    // RequestOp{request_put = 2: PutRequest{key = 1, value = 2}}
    const puts = keys.map((key) => field(2, field(2, Buffer.concat([field(1, key), field(2, value)]))));
    const answer = await call(session, "/etcdserverpb.KV/Txn", Buffer.concat([...compares, ...puts]));
    if (numberIn(answer, 2) !== 1n) throw new Error("etcd refused a new key");
  }

  async stop(): Promise<void> {
    this.#leader.session.destroy();
    for (const { child } of this.#members) {
      const gone = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGKILL");
      await gone;
    }
  }
}

type Leader = { readonly session: ClientHttp2Session; readonly member: number };

/** Asks each member who leads (Maintenance/Status) until one says that it does itself. */
async function findLeader(members: readonly Member[], msMax: number): Promise<Leader> {
  for (const deadline = performance.now() + msMax; performance.now() < deadline; await sleep(10)) {
    for (const [member, { client }] of members.entries()) {
      const session = connect(client);
      // Its calls are told, too, and say so.
      session.on("error", () => session.destroy());
      try {
        const status = await call(session, "/etcdserverpb.Maintenance/Status", Buffer.alloc(0));
        const header = bytesIn(status, 1);
        const leader = numberIn(status, 4);
        if (header !== null && leader !== null && leader === numberIn(header, 2)) return { session, member };
      } catch {
        // It has not started yet, or there is no leader yet: asked again.
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
