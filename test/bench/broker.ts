/**
 * Brokered requests beside the same ones made directly and through a forwarding proxy that neither judges nor looks. The
 * worker's gateway and the broker share a process here, the server and the client do not.
 */

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, createServer, get, type IncomingMessage } from "node:http";
import { Agent as TlsAgent, get as getTls, request as requestTls } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { destinationOf, Mesh, type Upstream } from "../security/brokered.ts";
import { median, percentile, type Row } from "./measure.ts";

const run = promisify(execFile);
const requests = 1_000;
const clients = 16;
const rounds = 3;
const bytes = 1024 ** 3;
const MiB = 1024 ** 2;

type Way = { readonly name: string; readonly get: () => Promise<void>; readonly url: string };

export async function benchBroker(): Promise<Row[]> {
  const child = spawn(process.execPath, ["--no-warnings", join(import.meta.dirname, "upstream-fixture.ts")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const mesh = await Mesh.start();
  const proxy = createServer();
  try {
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const { port, authority } = JSON.parse(line.toString()) as { port: number; authority: string };
    const told = await mesh.gives(destinationOf({ port, authority } as Upstream));
    const agent = new TlsAgent({ keepAlive: true, ca: [authority], maxSockets: clients });
    proxy.on("request", (incoming, response) => {
      const { url: path, method, headers } = incoming;
      const onward = requestTls({ agent, host: "localhost", port, path, method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      incoming.pipe(onward);
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const plain = new Agent({ keepAlive: true, maxSockets: clients });
    const over = (url: string) => () => taken((answered) => get(`${url}/`, { agent: plain }, answered));
    const proxied = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const brokered = told["OTTO_CREDENTIAL_TOKEN_URL"] ?? "";
    const direct = `https://localhost:${port}`;
    const ways: readonly Way[] = [
      {
        name: "direct",
        url: direct,
        get: () => taken((answered) => getTls(`${direct}/`, { agent }, answered)),
      },
      { name: "forwarding proxy", url: proxied, get: over(proxied) },
      { name: "brokered", url: brokered, get: over(brokered) },
    ];
    return [...(await requestRows(ways)), ...(await bodyRows(ways, brokered))];
  } finally {
    proxy.closeAllConnections();
    proxy.close();
    child.stdin.end();
    await mesh.end();
  }
}

async function requestRows(ways: readonly Way[]): Promise<Row[]> {
  const rates = new Map<string, number[]>(ways.map(({ name }) => [name, []]));
  const waits = new Map<string, number[]>(ways.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1)
    for (const way of ways) {
      const { perSecond } = await load(way, clients);
      rates.get(way.name)?.push(perSecond);
      const { latencies } = await load(way, 1);
      waits.get(way.name)?.push(percentile(latencies, 50));
    }
  const rate = (name: string): number => median(rates.get(name) ?? []);
  const wait = (name: string): number => median(waits.get(name) ?? []);
  return ways.flatMap(({ name }): Row[] => [
    {
      name: `requests, ${name}, ${clients} at once`,
      value: rate(name),
      unit: "/s",
      ratio: { value: rate(name) / rate("direct"), of: "direct" },
    },
    {
      name: `one request, ${name}`,
      value: wait(name),
      unit: "ms",
      ratio: { value: wait(name) / wait("direct"), of: "direct" },
    },
  ]);
}

async function load(
  way: Way,
  atOnce: number,
): Promise<{ readonly perSecond: number; readonly latencies: readonly number[] }> {
  const latencies: number[] = [];
  let left = atOnce === 1 ? requests / 5 : requests;
  const start = performance.now();
  const client = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const began = performance.now();
      await way.get();
      latencies.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, client));
  return { perSecond: latencies.length / ((performance.now() - start) / 1_000), latencies };
}

/** One gibibyte down, and one up through the broker, and how much memory that took of its process. */
async function bodyRows(ways: readonly Way[], brokered: string): Promise<Row[]> {
  const rows: Row[] = [];
  const sizes = new Map<string, number>();
  for (const { name, url } of ways) {
    const before = process.memoryUsage().rss;
    let most = before;
    const timer = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20);
    const start = performance.now();
    await run("curl", ["-sS", "-k", "-o", "/dev/null", `${url}/?bytes=${bytes}`]);
    const perSecond = bytes / MiB / ((performance.now() - start) / 1_000);
    clearInterval(timer);
    sizes.set(name, perSecond);
    const ratio = { value: perSecond / (sizes.get("direct") ?? perSecond), of: "direct" };
    rows.push({ name: `1 GiB down, ${name}`, value: perSecond, unit: "MiB/s", ratio });
    if (url === brokered)
      rows.push({ name: "memory for it, brokered", value: (most - before) / MiB, unit: "MiB" });
  }
  const start = performance.now();
  const { stdout } = await run("/bin/sh", [
    "-c",
    `head -c ${bytes} /dev/zero | curl -sS -X POST -T - ${brokered}/`,
  ]);
  if (stdout !== String(bytes)) throw new Error(`of ${bytes} bytes ${stdout} arrived`);
  const perSecond = bytes / MiB / ((performance.now() - start) / 1_000);
  return [...rows, { name: "1 GiB up, brokered", value: perSecond, unit: "MiB/s" }];
}

function taken(ask: (answered: (answer: IncomingMessage) => void) => ReturnType<typeof get>): Promise<void> {
  return new Promise((resolve, reject) => {
    ask((answer) => {
      answer.resume();
      answer.once("end", resolve);
      answer.once("error", reject);
    }).once("error", reject);
  });
}
