/** The attacker has a worker, a stale lease, or a line to the broker, and wants a credential that is not his step's. */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { StreamDuplex } from "../../node/edge/broker/stream-duplex.ts";
import { type BrokerHello, encodeHello } from "../../protocol/credentials/hello.ts";
import { encodeFrame } from "../../protocol/frames.ts";
import type { Peer } from "../node/peers.ts";
import { destinationOf, Mesh, raw, requestOf, Upstream } from "./brokered.ts";

let upstream: Upstream;
let mesh: Mesh;
/** Another worker of the domain, with a certificate like any. */
let other: Peer;

beforeAll(async () => {
  upstream = await Upstream.start();
  mesh = await Mesh.start();
  other = await mesh.joins();
});
afterAll(async () => {
  await mesh?.end();
  await upstream?.stop();
});
beforeEach(() => {
  upstream.seen.length = 0;
  upstream.answering = (_request, response) => void response.end("hello\n");
});
afterEach(() => mesh.reset());

/** What the step's own worker would say. */
function hello(more: Partial<BrokerHello> = {}): BrokerHello {
  const { run = "", index = 0, attempt = 0, token = 0 } = mesh.leased ?? {};
  return { otto: "broker/1", run, index, attempt, token, credential: "token", host: "127.0.0.1:1", ...more };
}

/** All that a broker says to whoever begins a stream like this. */
async function begins(worker: Peer, first: Uint8Array): Promise<string> {
  const stream = new StreamDuplex(await worker.network.openBroker(mesh.control.id));
  const heard: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => heard.push(chunk));
  stream.on("error", () => undefined);
  stream.end(first);
  await new Promise((resolve) => stream.once("close", resolve));
  return Buffer.concat(heard).toString("latin1");
}

describe("a stream to the broker", () => {
  it("is of no use to another worker, whatever it says of the step", async () => {
    await mesh.gives(destinationOf(upstream));
    expect(await begins(other, encodeFrame(encodeHello(hello())))).toContain(
      "whose lease this worker does not have",
    );
  });

  it("is of no use for a step whose gate was not opened, though its lease is the newest", async () => {
    await mesh.gives(destinationOf(upstream));
    mesh.unpermitted = "a majority of the control peers has signed no permit for it";
    const said = await begins(mesh.worker, encodeFrame(encodeHello(hello())));
    mesh.unpermitted = null;
    expect(said).toContain("has not passed its gate: a majority of the control peers has signed no permit");
  });

  it("is of no use with an older token, another attempt, step, run or credential", async () => {
    await mesh.gives(destinationOf(upstream));
    for (const more of [{ token: 8 }, { token: 10 }, { attempt: 2 }, { index: 4 }, { run: "another" }])
      expect(await begins(mesh.worker, encodeFrame(encodeHello(hello(more))))).toContain(
        "whose lease this worker does not have",
      );
    expect(await begins(mesh.worker, encodeFrame(encodeHello(hello({ credential: "root" }))))).toContain(
      "no credential root",
    );
  });

  it("ends without a word for bytes that are no greeting, for too many, and for a request that comes too early", async () => {
    await mesh.gives(destinationOf(upstream));
    const greeting = encodeFrame(encodeHello(hello()));
    const early = Buffer.concat([greeting, Buffer.from("GET / HTTP/1.1\r\nhost: 127.0.0.1:1\r\n\r\n")]);
    for (const bytes of [
      Buffer.from("GET / HTTP/1.1\r\n\r\n"),
      encodeFrame(Buffer.alloc(3_000)),
      early,
      Buffer.alloc(0),
    ])
      expect(await begins(mesh.worker, bytes)).toBe("");
    expect(upstream.seen).toEqual([]);
  });

  it("is not taken from a peer without a worker's certificate", async () => {
    await mesh.gives(destinationOf(upstream));
    const control = await mesh.peers.start({ role: "control" });
    control.dials(mesh.control);
    await mesh.peers.until(() => control.isLinked(mesh.control) && mesh.control.isLinked(control));
    expect(await begins(control, encodeFrame(encodeHello(hello())))).toBe("");
    expect(mesh.control.refused).toContain("role");
  });

  it("is not taken while the control peer does not know who is home", async () => {
    await mesh.gives(destinationOf(upstream));
    mesh.isLed = false;
    expect(await begins(mesh.worker, encodeFrame(encodeHello(hello())))).toContain(
      "does not know who is home",
    );
  });
});

describe("a lease that ends while its step is connected", () => {
  async function opens(): Promise<{
    readonly socket: Socket;
    readonly base: string;
    readonly closed: Promise<unknown>;
  }> {
    const base = (await mesh.gives(destinationOf(upstream)))["OTTO_CREDENTIAL_TOKEN_URL"] ?? "";
    const { hostname, port } = new URL(base);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => undefined);
    return { socket, base, closed: once(socket, "close") };
  }

  it("takes a connection that is idle with it, and a new one gets nothing", async () => {
    const { socket, base, closed } = await opens();
    socket.write(requestOf(base, "GET /").replace("connection: close", "x: y"));
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toContain("200 OK");
    mesh.leased = mesh.leased === null ? null : { ...mesh.leased, token: 11 };
    mesh.broker.recheck();
    await closed;
    expect(await raw(base, requestOf(base, "GET /"))).toMatch(
      /^HTTP\/1.1 403 .*whose lease this worker does not have/su,
    );
    expect(upstream.seen).toHaveLength(1);
  });

  it.each([
    [
      "the lease went to another worker",
      () => (mesh.leased = mesh.leased && { ...mesh.leased, worker: other.id }),
    ],
    ["the step is over", () => (mesh.leased = null)],
    [
      "nobody is home for as long as a lease lasts",
      () => {
        mesh.isLed = false;
        mesh.broker.recheck();
        mesh.nowMs = mesh.peers.charter.leaseMs + 1;
      },
    ],
  ])("takes an answer that is under way with it, on both sides of the broker: %s", async (_why, ends) => {
    const { socket, base, closed } = await opens();
    const began = new Promise<{ readonly closed: Promise<unknown> }>((resolve) => {
      upstream.answering = (_request, response) => {
        response.write("half of it");
        resolve({ closed: once(response, "close") });
      };
    });
    socket.write(requestOf(base, "GET /"));
    const upstreamSide = await began;
    ends();
    mesh.broker.recheck();
    await Promise.all([closed, upstreamSide.closed]);
  });

  it("goes on through a change of homes that is shorter than that", async () => {
    const { socket, base } = await opens();
    const finish = new Promise<() => void>((resolve) => {
      upstream.answering = (_request, response) => {
        response.write("half of it");
        resolve(() => response.end(", and the other"));
      };
    });
    socket.write(requestOf(base, "GET /"));
    const end = await finish;
    mesh.isLed = false;
    mesh.broker.recheck();
    mesh.nowMs = mesh.peers.charter.leaseMs;
    mesh.broker.recheck();
    end();
    const heard: Buffer[] = [];
    for await (const chunk of socket) heard.push(chunk as Buffer);
    expect(Buffer.concat(heard).toString()).toContain("and the other");
  });
});
