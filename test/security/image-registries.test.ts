/** The attacker answers for a registry, and wants the worker to take something else, to ask others, or never to come to an end. */

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type FromImageProcess,
  type ImageBounds,
  imageBounds,
} from "../../node/edge/execution/images/image-messages.ts";
import { ImageStore } from "../../node/edge/execution/images/image-store.ts";
import { shutInWords } from "../../node/edge/execution/images/unpack-apart.ts";
import { programPath } from "../../node/edge/programs.ts";
import type { ImageName } from "../../protocol/image-name.ts";
import { limits } from "../../protocol/limits.ts";
import { missing } from "./isolated.ts";
import {
  descriptorOf,
  digestOf,
  fixtureToken,
  json,
  ownArchitecture,
  packLayer,
  type RegistryFixture,
  startRegistry,
} from "../node/images/registry-fixture.ts";

let folder = "";
const closing: (() => Promise<void>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "otto-registry-attack-"));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

const layer = gzipSync(packLayer({ "bin/sh": { content: "#!", mode: 0o755 } }));
const types = {
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  config: "application/vnd.oci.image.config.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
};
const config = json({ os: "linux", architecture: ownArchitecture });

async function registryHere(options: Parameters<typeof startRegistry>[0] = {}): Promise<RegistryFixture> {
  const registry = await startRegistry(options);
  closing.push(() => registry.close());
  return registry;
}

/** Why the image was not brought; nothing of it is kept then. */
async function refusal(name: ImageName, bounds: Partial<ImageBounds> = {}): Promise<string> {
  const images = join(folder, "images");
  const store = new ImageStore({ folder: images, bounds: { imageTryAgainMsMin: 1, ...bounds } });
  const signal = new AbortController().signal;
  const error: unknown = await store.bring(name, { signal, said: () => undefined }).then(
    () => null,
    (error: unknown) => error,
  );
  await store.close();
  expect(error).toBeInstanceOf(Error);
  expect(readdirSync(images)).toEqual(["temporary"]);
  expect(readdirSync(join(images, "temporary"))).toEqual([]);
  return (error as Error).message;
}

describe("what a registry sends does not count unless it is what was named", () => {
  it.each(["index", "manifest", "configuration", "layer"])("its %s", async (which) => {
    const registry = await registryHere();
    const { name } = registry.add([layer]);
    const manifest = json({
      schemaVersion: 2,
      mediaType: types.manifest,
      config: descriptorOf(config, types.config),
      layers: [descriptorOf(layer, types.layer)],
    });
    const index = json({
      schemaVersion: 2,
      manifests: [
        {
          ...descriptorOf(manifest, types.manifest),
          platform: { os: "linux", architecture: ownArchitecture },
        },
      ],
    });
    for (const bytes of [config, manifest, index]) registry.put(bytes);
    const changed: Record<string, Uint8Array> = { index, manifest, configuration: config, layer };
    const right = changed[which] ?? index;
    // Of the same length, so that its size does not give it away.
    const wrong = Buffer.from(right);
    wrong[wrong.length - 1] = (wrong[wrong.length - 1] ?? 0) ^ 1;
    registry.replace(digestOf(right), wrong);
    expect(await refusal({ ...name, sha256: digestOf(index) })).toContain(
      "sent bytes that its digest does not name",
    );
  });

  it.each([
    ["more", -1, "sent more than the"],
    ["less", 1, /sent \d+ bytes where it has \d+/],
  ])("when it is %s than it was said to be", async (_, difference, sentence) => {
    const registry = await registryHere();
    const named = { ...descriptorOf(layer, types.layer), size: layer.length + difference };
    const name = put(registry, [named]);
    registry.put(layer);
    expect(await refusal(name)).toMatch(sentence);
  });

  it.each<[string, object]>([
    ["an index inside of an index", { manifests: [of(types.index)] }],
    [
      "a document that is an index and a manifest",
      { manifests: [of(types.manifest)], config: descriptorOf(config, types.config), layers: [] },
    ],
    [
      "something else that a registry keeps",
      { config: descriptorOf(config, "application/vnd.cncf.helm.config.v1+json"), layers: [] },
    ],
    [
      "a layer that is to be had elsewhere",
      {
        config: descriptorOf(config, types.config),
        layers: [descriptorOf(layer, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")],
      },
    ],
    [
      "too many layers",
      {
        config: descriptorOf(config, types.config),
        layers: Array.from({ length: limits.imageLayersMax + 1 }, () => descriptorOf(layer, types.layer)),
      },
    ],
    [
      "a layer of a negative size",
      {
        config: descriptorOf(config, types.config),
        layers: [{ ...descriptorOf(layer, types.layer), size: -1 }],
      },
    ],
    [
      "a name of a file for a digest",
      {
        config: descriptorOf(config, types.config),
        layers: [{ ...descriptorOf(layer, types.layer), digest: "sha256:../../x" }],
      },
    ],
    ["nothing", {}],
  ])("when it is %s", async (_, document) => {
    const registry = await registryHere();
    registry.put(config);
    registry.put(layer);
    const sha256 = registry.put(json({ schemaVersion: 2, ...document }));
    expect(await refusal(registry.name(sha256))).toMatch(/since (?:it is|it has|its) .*: name another image/);
  });
});

describe("a registry that sends on", () => {
  it("to another does not send the token there", async () => {
    const other = await registryHere();
    other.put(layer);
    const registry = await registryHere({
      asksForToken: true,
      answer: sendsOn((path) => `http://${other.host}${path}`),
    });
    const { name } = registry.add([layer]);
    const store = new ImageStore({ folder: join(folder, "images") });
    closing.push(() => store.close());
    await store.bring(name, { signal: new AbortController().signal, said: () => undefined });
    expect(registry.asked.some(({ headers }) => headers.authorization === `Bearer ${fixtureToken}`)).toBe(
      true,
    );
    expect(other.asked.map(({ path, headers }) => [path, headers.authorization])).toEqual([
      [`/v2/team/app/blobs/sha256:${digestOf(layer)}`, undefined],
    ]);
  });

  it.each([
    "http://registry.example/x",
    "file:///etc/passwd",
    "ftp://127.0.0.1/x",
    "http://user:word@127.0.0.1/x",
    "http://[",
    "http://127.0.0.1.example/",
  ])("to %s is not followed", async (location) => {
    const registry = await registryHere({ answer: sendsOn(() => location) });
    expect(await refusal(registry.add([layer]).name)).toContain("sends on to a place that is not asked");
  });

  it("again and again is not followed for long", async () => {
    const registry = await registryHere({ answer: sendsOn((path) => `${path}?again`) });
    const { name } = registry.add([layer]);
    expect(await refusal(name)).toContain(`more than ${limits.imageRedirectsMax} times`);
    const blobs = registry.asked.filter(({ path }) => path.includes(digestOf(layer)));
    expect(blobs).toHaveLength(limits.imageRedirectsMax + 1);
  });

  it.each(["http://registry.example/token", "file:///etc/passwd", ""])(
    "to %s for a token is not asked",
    async (realm) => {
      const registry = await registryHere({
        answer: (_, response) => {
          response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}"` }).end();
          return true;
        },
      });
      expect(await refusal(registry.name("0".repeat(64)))).toContain("wants to be asked with a password");
    },
  );

  it("refuses every token, and is not asked for ever", async () => {
    const registry = await registryHere({
      answer: ({ url = "" }, response) => {
        if (url.startsWith("/token")) return false;
        response.writeHead(401, { "www-authenticate": `Bearer realm="http://${registry.host}/token"` }).end();
        return true;
      },
    });
    expect(await refusal(registry.name("0".repeat(64)))).toContain("does not give it to everybody");
    expect(registry.asked).toHaveLength(3);
  });
});

describe("a registry with https", () => {
  it("is not taken for one by a certificate that this machine does not trust, nor asked without one", async () => {
    const { name, registry } = await secured();
    expect(await bringDirectly(name, {})).toMatchObject({
      kind: "failed",
      why: expect.stringContaining("certificate"),
    });
    expect(registry.asked).toEqual([]);
  });

  it("may not send on to one without, also on this machine", async () => {
    const plain = await registryHere();
    plain.put(layer);
    const { name, authority } = await secured({ answer: sendsOn((path) => `http://${plain.host}${path}`) });
    const end = await bringDirectly(name, { NODE_EXTRA_CA_CERTS: authority });
    expect(end).toMatchObject({
      kind: "failed",
      why: expect.stringContaining("sends on to a place that is not asked"),
    });
    expect(plain.asked).toEqual([]);
  });

  it("is asked for what it has", async () => {
    const { name, authority } = await secured();
    expect(await bringDirectly(name, { NODE_EXTRA_CA_CERTS: authority })).toEqual({ kind: "brought" });
  });
});

describe("a registry that does not come to an end", () => {
  it("of a blob is cut off where the blob ends", async () => {
    const ended = Promise.withResolvers<number>();
    const registry = await registryHere({
      answer: ({ url = "" }, response) => url.endsWith(digestOf(layer)) && endless(response, ended.resolve),
    });
    expect(await refusal(registry.add([layer]).name)).toContain("sent more than the");
    expect(await ended.promise).toBeLessThan(50_000_000);
  });

  it("of a document is cut off", async () => {
    const ended = Promise.withResolvers<number>();
    const registry = await registryHere({ answer: (_, response) => endless(response, ended.resolve) });
    expect(await refusal(registry.name("0".repeat(64)))).toContain("sent more than the 4.0 MiB");
    expect(await ended.promise).toBeLessThan(50_000_000);
  });

  it("since it does not answer, or stops in the middle, is given up", async () => {
    const silent = await registryHere({ answer: () => true });
    expect(await refusal(silent.name("0".repeat(64)), { imageIdleMsMax: 300 })).toContain(
      "said nothing for 0.3 seconds",
    );
    const stopping = await registryHere({
      answer: ({ url = "" }, response) => {
        if (!url.endsWith(digestOf(layer))) return false;
        response.write(layer.subarray(0, 10));
        return true;
      },
    });
    expect(await refusal(stopping.add([layer]).name, { imageIdleMsMax: 300 })).toContain(
      "said nothing for 0.3 seconds",
    );
  });

  it("is given up when the time is over, whatever it says meanwhile", async () => {
    const registry = await registryHere({ answer: () => true });
    expect(await refusal(registry.name("0".repeat(64)), { imageBringMsMax: 500 })).toContain(
      "was not there after",
    );
    expect(await refusal(registry.name("0".repeat(64)), { imageSilenceMsMax: 500 })).toContain(
      "was not there after",
    );
  });

  it("is not asked for more than there is room for", async () => {
    const registry = await registryHere();
    const { name } = registry.add([layer]);
    expect(await refusal(name, { imageBytesMax: layer.length - 1 })).toMatch(/it is \d+ B, more than \d+ B/);
    expect(registry.asked.some(({ path }) => path.includes(digestOf(layer)))).toBe(false);
  });
});

describe.skipIf(missing("S2") !== null)(
  "the process that unpacks an image (skipped without bubblewrap)",
  () => {
    const inside = (script: string): string =>
      execFileSync("bwrap", [...shutInWords(join(folder, "own")), "/bin/sh", "-c", script], {
        encoding: "utf8",
      });

    it("writes to nothing but the image's own folder", () => {
      mkdirSync(join(folder, "own"));
      const places = [folder, "/tmp", "/var/tmp", "/root", "/dev/shm", process.cwd()];
      const tries = places.map((place) => `(echo x > ${place}/otto-attack) 2>/dev/null && echo ${place}`);
      expect(inside(`${tries.join("; ")}; echo x > ${folder}/own/x && echo own`)).toBe("own\n");
      expect(existsSync(join(folder, "own", "x"))).toBe(true);
    });

    it("has no network, sees no other process, and lives no longer than who wants it", () => {
      mkdirSync(join(folder, "own"));
      expect(inside("tail -n +3 /proc/net/dev | cut -d: -f1; ls /proc | grep -c '^[0-9]'").trim()).toMatch(
        /^lo\n[2-5]$/,
      );
      expect(shutInWords(folder)).toContain("--die-with-parent");
    });
  },
);

describe("the process that brings an image", () => {
  it("has nothing of the worker's in its environment", async () => {
    const registry = await registryHere({ answer: () => true });
    process.env["OTTO_TEST_SECRET"] = "the worker's";
    const store = new ImageStore({ folder: join(folder, "images") });
    const stop = new AbortController();
    const bringing = store.bring(registry.name("0".repeat(64)), {
      signal: stop.signal,
      said: () => undefined,
    });
    try {
      await expect.poll(() => registry.asked.length, { timeout: 10_000 }).toBe(1);
      const names = environmentsOfChildren()
        .flatMap((environment) => Object.keys(environment))
        .sort();
      expect(
        [...new Set(names)].filter((name) => !["NODE_COMPILE_CACHE", "NODE_EXTRA_CA_CERTS"].includes(name)),
      ).toEqual(["PATH"]);
    } finally {
      delete process.env["OTTO_TEST_SECRET"];
      stop.abort(new Error("seen"));
      await expect(bringing).rejects.toThrow("seen");
      await store.close();
    }
  });

  it("ends when the worker goes", async () => {
    const registry = await registryHere({ answer: () => true });
    const child = spawn(process.execPath, ["--no-warnings", programPath("image")], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    child.stdin.write(
      `${JSON.stringify({ kind: "bring", way: null, roomBytes: 1e9, name: registry.name("0".repeat(64)), folder, bounds: imageBounds })}\n`,
    );
    await expect.poll(() => registry.asked.length, { timeout: 10_000 }).toBe(1);
    child.stdin.destroy();
    expect(await once(child, "exit")).toEqual([1, null]);
  });
});

function of(mediaType: string): object {
  const platform = { os: "linux", architecture: ownArchitecture };
  return { ...descriptorOf(config, mediaType), platform };
}

/** A manifest with these layers. */
function put(registry: RegistryFixture, layers: readonly object[]): ImageName {
  registry.put(config);
  const manifest = { schemaVersion: 2, config: descriptorOf(config, types.config), layers };
  return registry.name(registry.put(json(manifest)));
}

/** Sends on whoever asks for the layer. */
function sendsOn(
  where: (path: string) => string,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  return ({ url = "" }, response) => {
    if (!url.includes(digestOf(layer))) return false;
    response.writeHead(307, { location: where(url) }).end();
    return true;
  };
}

/** Writes until the other side goes, and says then how much it had. */
function endless(response: ServerResponse, ended: (bytes: number) => void): boolean {
  let bytes = 0;
  const zeros = Buffer.alloc(64 * 1024);
  const write = (): void => {
    while (!response.destroyed && response.write(zeros)) bytes += zeros.length;
    bytes += zeros.length;
  };
  response.on("drain", write);
  response.on("close", () => ended(bytes));
  write();
  return true;
}

/** On an address of this machine that is asked with https as every other one is. */
async function secured(
  options: Parameters<typeof startRegistry>[0] = {},
): Promise<{ readonly registry: RegistryFixture; readonly name: ImageName; readonly authority: string }> {
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const words = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "1",
  ];
  const names = ["-subj", "/CN=registry", "-addext", "subjectAltName=IP:127.0.0.2"];
  execFileSync("openssl", [...words, ...names, "-keyout", key, "-out", certificate], { stdio: "ignore" });
  const tls = { key: readFileSync(key), cert: readFileSync(certificate) };
  const registry = await registryHere({ ...options, address: "127.0.0.2", tls });
  return { registry, name: registry.add([layer]).name, authority: certificate };
}

async function bringDirectly(
  name: ImageName,
  environment: Readonly<Record<string, string>>,
): Promise<FromImageProcess> {
  const into = join(folder, "direct");
  mkdirSync(into);
  const child = spawn(process.execPath, ["--no-warnings", programPath("image")], {
    stdio: ["pipe", "pipe", "ignore"],
    env: { PATH: process.env["PATH"] ?? "", ...environment },
  });
  child.stdin.write(
    `${JSON.stringify({ kind: "bring", way: null, roomBytes: 1e9, name, folder: into, bounds: imageBounds })}\n`,
  );
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) lines.push(line);
  return JSON.parse(lines.at(-1) ?? "null") as FromImageProcess;
}

function environmentsOfChildren(): readonly Record<string, string>[] {
  const children = readdirSync("/proc/self/task").flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, "utf8")
      .split(" ")
      .filter((pid) => pid !== ""),
  );
  return children
    .filter(
      (pid) =>
        existsSync(`/proc/${pid}/environ`) &&
        readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("image-process"),
    )
    .map((pid) => {
      const variables = readFileSync(`/proc/${pid}/environ`, "utf8")
        .split("\0")
        .filter((line) => line !== "");
      return Object.fromEntries(variables.map((line) => [line.slice(0, line.indexOf("=")), line]));
    });
}
