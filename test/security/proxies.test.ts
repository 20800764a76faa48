/** A worker reaches the network by a proxy: what it brings comes that way, and a step that is shut in hears nothing of it. */

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { Unprepared } from "../../node/edge/execution/ends.ts";
import { ImageStore } from "../../node/edge/execution/images/image-store.ts";
import { packLayer, type RegistryFixture, startRegistry } from "../node/images/registry-fixture.ts";
import { makeSurroundings } from "../node/execution/surroundings.ts";
import { destinationOf, Mesh, Upstream } from "./brokered.ts";
import { isolated, missing } from "./isolated.ts";

const proxies = {
  http_proxy: "http://127.0.0.1:9",
  HTTPS_PROXY: "http://127.0.0.1:9",
  no_proxy: "intern.example",
  ALL_PROXY: "socks5://127.0.0.1:9",
  CARGO_HTTP_PROXY: "http://127.0.0.1:9",
};

/** Leads to one port of this machine whoever asks for anything, or sends all away. */
async function startProxy(port: number, mayPass: (asked: string) => boolean): Promise<Server> {
  const proxy = createServer(({ url = "" }, response) => {
    mayPass(url);
    response.writeHead(502).end();
  });
  proxy.on("connect", ({ url = "" }, socket) => {
    if (!mayPass(url)) return void socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    const through = connect(port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(through).pipe(socket);
    });
    for (const end of [socket, through]) end.on("error", () => end.destroy());
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return proxy;
}

describe("what a proxied worker brings", () => {
  let folder = "";
  let registry: RegistryFixture;
  let proxy: Server;
  /** What it was asked for. */
  let proxied: string[] = [];
  let isOpen = true;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "otto-proxies-"));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const words =
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=registry";
    const name = ["-addext", "subjectAltName=DNS:registry.example"];
    execFileSync("openssl", [...words.split(" "), ...name, "-keyout", key, "-out", cert], {
      stdio: "ignore",
    });
    registry = await startRegistry({ tls: { key: readFileSync(key), cert: readFileSync(cert) } });
    proxy = await startProxy(Number(registry.host.split(":")[1]), (asked) => {
      proxied.push(asked);
      return isOpen;
    });
    vi.stubEnv("NODE_EXTRA_CA_CERTS", cert);
    vi.stubEnv("HTTPS_PROXY", `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    vi.stubEnv("HTTP_PROXY", process.env["HTTPS_PROXY"]);
    for (const other of ["https_proxy", "http_proxy", "no_proxy", "NO_PROXY"]) vi.stubEnv(other, undefined);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    proxy?.close();
    proxy?.closeAllConnections();
    await registry?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    proxied = [];
    isOpen = true;
  });

  const bring = async (host: string, from = registry): Promise<string> => {
    const layer = gzipSync(packLayer({ "bin/sh": { content: "#!", mode: 0o755 } }));
    const { name } = from.add([layer]);
    const images = join(folder, `images-${host}`);
    const store = new ImageStore({ folder: images, bounds: { imageTryAgainMsMin: 1 } });
    try {
      await store.bring(
        { ...name, registry: host },
        { signal: new AbortController().signal, said: () => undefined },
      );
      return "brought";
    } catch (error) {
      return `${error instanceof Unprepared ? "unprepared: " : ""}${String(error)}`;
    } finally {
      await store.close();
    }
  };

  it("comes by the proxy, of a registry that is only there", async () => {
    expect(await bring("registry.example")).toBe("brought");
    expect([...new Set(proxied)]).toEqual(["registry.example:443"]);
  });

  it("comes without it where the worker's owner says so", async () => {
    vi.stubEnv("NO_PROXY", "other.example,.example");
    try {
      expect(await bring("hub.example")).toContain("ENOTFOUND");
      expect(proxied).toEqual([]);
    } finally {
      vi.stubEnv("NO_PROXY", undefined);
    }
  });

  it("comes without it from this machine", async () => {
    const plain = await startRegistry();
    try {
      expect(await bring(plain.host, plain)).toBe("brought");
      expect(proxied).toEqual([]);
    } finally {
      await plain.close();
    }
  });

  it("does not come when the proxy says no, which is not the step's fault", async () => {
    isOpen = false;
    expect(await bring("refused.example")).toMatch(
      /^unprepared: .*its registry refused\.example could not be asked .*407/,
    );
  });
});

describe("a step", () => {
  const seen = "env | grep -i proxy || true";

  it.skipIf(missing("S2") !== null)(
    "that is shut in hears of no proxy (skipped without bubblewrap)",
    async () => {
      const worker = await isolated("S2", { passVariables: { ...proxies, JAVA_HOME: "/opt/java" } });
      try {
        const report = await worker.run([seen, 'echo "$JAVA_HOME"']);
        expect(report).toMatchObject({ outcome: "passed", tail: "/opt/java\n" });
        // But for what its pipeline says itself.
        const own = await worker.run([seen], { variables: { http_proxy: "http://own.example" } });
        expect(own.tail).toBe("http_proxy=http://own.example\n");
      } finally {
        await worker.close();
      }
    },
  );

  it("that has a network has the worker's", async () => {
    const worker = await makeSurroundings({ passVariables: proxies });
    try {
      const report = await worker.run([seen]);
      const lines = Object.entries(proxies).map(([name, value]) => `${name}=${value}`);
      expect(report.tail.trim().split("\n").toSorted()).toEqual(lines.toSorted());
    } finally {
      await worker.close();
    }
  });

  describe("that has a network and a credential", () => {
    let upstream: Upstream;
    let mesh: Mesh;
    beforeAll(async () => {
      [upstream, mesh] = await Promise.all([Upstream.start(), Mesh.start()]);
    });
    afterAll(async () => {
      await mesh?.end();
      await upstream?.stop();
    });
    afterEach(() => mesh.reset());

    it("reaches that without the proxy", async () => {
      const worker = await makeSurroundings({ passVariables: proxies, credentials: mesh.gateway() });
      try {
        const credential = await mesh.sets(destinationOf(upstream));
        const report = await worker.run(
          ['curl -sS "$OTTO_CREDENTIAL_TOKEN_URL/one"'],
          mesh.leases([credential]),
        );
        expect(report, report.tail).toMatchObject({ outcome: "passed" });
        expect(mesh.uses.map(({ what }) => what)).toEqual(["used"]);
      } finally {
        await worker.close();
      }
    });
  });
});
