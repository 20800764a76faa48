/** Images as a worker brings and keeps them: a real registry, and the real process. */

import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Unprepared } from "../../../node/edge/execution/ends.ts";
import { missing } from "../../security/isolated.ts";
import type { ImageBounds } from "../../../node/edge/execution/images/image-messages.ts";
import { ImageStore } from "../../../node/edge/execution/images/image-store.ts";
import type { ImageName } from "../../../protocol/image-name.ts";
import { parseImageName } from "../../../protocol/image-name.ts";
import {
  digestOf,
  type LayerFiles,
  packLayer,
  type RegistryFixture,
  startRegistry,
} from "./registry-fixture.ts";

let folder = "";
const closing: (() => Promise<void>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "otto-images-"));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

function storeHere(bounds: Partial<ImageBounds> = {}): ImageStore {
  const store = new ImageStore({
    folder: join(folder, "images"),
    bounds: { imageTryAgainMsMin: 1, ...bounds },
  });
  closing.push(() => store.close());
  return store;
}

async function registryHere(options: Parameters<typeof startRegistry>[0] = {}): Promise<RegistryFixture> {
  const registry = await startRegistry(options);
  closing.push(() => registry.close());
  return registry;
}

const shell: LayerFiles = { "bin/sh": { content: "#!", mode: 0o755 } };
const quiet = { signal: new AbortController().signal, said: () => undefined };

describe("an image", () => {
  it("is brought, unpacked for its digest, and says what variables it sets", async () => {
    const registry = await registryHere();
    const { name, text } = registry.add([shell, { "etc/motd": "hello" }], {
      environment: ["PATH=/bin", "A=b=c", "E="],
    });
    expect(parseImageName(text)).toEqual(name);
    const said: string[] = [];
    const image = await storeHere().bring(name, { ...quiet, said: (line) => said.push(line) });
    expect(image.root).toBe(join(folder, "images", name.sha256, "root"));
    expect(readFileSync(join(image.root, "etc/motd"), "utf8")).toBe("hello");
    expect(image.environment).toEqual({ PATH: "/bin", A: "b=c", E: "" });
    expect(statSync(join(folder, "images", name.sha256)).mode & 0o777).toBe(0o755);
    const about = JSON.parse(
      readFileSync(join(folder, "images", name.sha256, "about.json"), "utf8"),
    ) as object;
    if (missing("S2") === null) expect(about).toMatchObject({ isShutIn: true });
    expect(said.join("\n")).toContain("2 layers");
    expect(readdirSync(join(folder, "images", "temporary"))).toEqual([]);
  });

  it.each([
    ["of Docker's kind", { docker: true }],
    ["whose manifest is named itself", { indexed: false }],
  ])("%s is the same", async (_, options) => {
    const registry = await registryHere();
    const image = await storeHere().bring(registry.add([shell], options).name, quiet);
    expect(existsSync(join(image.root, "bin/sh"))).toBe(true);
  });

  it("of a registry that asks for a token is brought with one", async () => {
    const registry = await registryHere({ asksForToken: true });
    await storeHere().bring(registry.add([shell]).name, quiet);
    const token = registry.asked.find(({ path }) => path.startsWith("/token"));
    expect(token?.path).toBe("/token?service=fixture&scope=repository%3Ateam%2Fapp%3Apull");
  });

  it("that is here is used without asking anybody, also after a new start", async () => {
    const registry = await registryHere();
    const { name } = registry.add([shell], { environment: ["A=1"] });
    const first = storeHere();
    (await first.bring(name, quiet)).release();
    await first.close();
    registry.asked.splice(0);
    const image = await storeHere().bring(name, quiet);
    expect(image.environment).toEqual({ A: "1" });
    expect(registry.asked).toEqual([]);
  });

  it("that several want at once is brought once, also when one of them goes", async () => {
    const { registry, name, arrived, goOn } = await held();
    const store = storeHere();
    const gone = new AbortController();
    const leaving = store.bring(name, { ...quiet, signal: gone.signal });
    const staying = [store.bring(name, quiet), store.bring(name, quiet)];
    await arrived;
    gone.abort(new Error("not wanted any more"));
    await expect(leaving).rejects.toThrow("not wanted any more");
    goOn();
    const [one, other] = await Promise.all(staying);
    expect(one?.root).toBe(other?.root);
    expect(registry.asked.filter(({ path }) => path.includes("/manifests/"))).toHaveLength(2);
  });

  it("that nobody wants any more is not brought to its end, and nothing of it stays", async () => {
    const { name, arrived, hungUp } = await held();
    // What waits would end by itself otherwise.
    const store = storeHere({ imageIdleMsMax: 3_600_000 });
    const gone = new AbortController();
    const leaving = store.bring(name, { ...quiet, signal: gone.signal });
    await arrived;
    gone.abort(new Error("not wanted any more"));
    await expect(leaving).rejects.toThrow("not wanted any more");
    await hungUp;
    await store.close();
    expect(existsSync(join(folder, "images", name.sha256))).toBe(false);
    expect(readdirSync(join(folder, "images", "temporary"))).toEqual([]);
  });

  it("that a registry does not have is brought from another that does", async () => {
    const [without, having] = [await registryHere(), await registryHere()];
    const { name } = having.add([shell]);
    const store = storeHere();
    const [refused, brought] = await Promise.allSettled([
      store.bring({ ...name, registry: without.host }, quiet),
      store.bring(name, quiet),
    ]);
    expect(refused.status).toBe("rejected");
    expect(brought.status).toBe("fulfilled");
  });
});

describe("what stays on the disk", () => {
  it("is not what was half brought before a crash", async () => {
    const registry = await registryHere();
    const { name } = registry.add([shell]);
    const images = join(folder, "images");
    mkdirSync(join(images, "temporary", "1-1", "root"), { recursive: true });
    mkdirSync(join(images, name.sha256, "root"), { recursive: true });
    writeFileSync(join(images, name.sha256, "root", "half"), "");
    writeFileSync(
      join(images, name.sha256, "config.json"),
      JSON.stringify({ os: "linux", architecture: "amd64" }),
    );
    const store = storeHere();
    const image = await store.bring(name, quiet);
    expect(readdirSync(image.root).sort()).toContain("bin");
    expect(existsSync(join(image.root, "half"))).toBe(false);
    await store.close();
    expect(readdirSync(join(images, "temporary"))).toEqual([]);
  });

  it("is bounded: what was used least lately goes, and nothing that is in use", async () => {
    const registry = await registryHere();
    const add = (fill: string): ImageName => registry.add([{ ...shell, fill: fill.repeat(500_000) }]).name;
    const names = { a: add("a"), b: add("b"), c: add("c") };
    const store = storeHere({ imagesBytesMax: 1_500_000 });
    const here = (): string =>
      Object.entries(names)
        .filter(([, { sha256 }]) => existsSync(join(folder, "images", sha256)))
        .map(([key]) => key)
        .join("");
    const a = await store.bring(names.a, quiet);
    const b = await store.bring(names.b, quiet);
    b.release();
    await store.bring(names.c, quiet);
    expect(here()).toBe("ac");
    const again = await store.bring(names.b, quiet);
    expect(here()).toBe("abc");
    a.release();
    a.release();
    expect(here()).toBe("bc");
    again.release();
  });
});

describe("the disk", () => {
  /** So that images may have so many bytes of it. */
  const percentFor = (bytes: number): number => {
    const { bavail, bsize } = statfsSync(folder);
    return (bytes / (bavail * bsize)) * 100;
  };

  it("has a part that images do not take: what was used least lately goes", async () => {
    const registry = await registryHere();
    const add = (fill: string): ImageName => registry.add([{ ...shell, fill: fill.repeat(500_000) }]).name;
    const [a, b, c] = [add("a"), add("b"), add("c")];
    const store = storeHere({ imagesDiskPercentMax: percentFor(1_300_000) });
    for (const name of [a, b, c]) (await store.bring(name, quiet)).release();
    const here = [a, b, c].map(({ sha256 }) => existsSync(join(folder, "images", sha256)));
    expect(here).toEqual([false, true, true]);
  });

  it.each([
    [
      "as it comes",
      10_000,
      /it is 4[\d.]+ KiB before it is unpacked, and this worker has room for 9[\d.]* KiB: free some/,
    ],
    [
      "when it is unpacked",
      300_000,
      /there is not enough room for it on this worker's disk when it is unpacked: free some/,
    ],
  ])("that has no room for an image %s is said, and the step is not to blame", async (_, bytes, sentence) => {
    const registry = await registryHere();
    const { name } = registry.add([{ ...shell, random: randomBytes(40_000), fill: "a".repeat(500_000) }]);
    const store = storeHere({ imagesDiskPercentMax: percentFor(bytes) });
    const error: unknown = await store.bring(name, quiet).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(Unprepared);
    expect((error as Error).message).toMatch(sentence);
    expect(readdirSync(join(folder, "images"))).toEqual(["temporary"]);
  });

  it("that is taken by images in use has no room for another", async () => {
    const registry = await registryHere();
    const add = (fill: string): ImageName => registry.add([{ ...shell, fill: fill.repeat(500_000) }]).name;
    const store = storeHere({ imagesDiskPercentMax: percentFor(800_000) });
    const image = await store.bring(add("a"), quiet);
    const other = add("b");
    await expect(store.bring(other, quiet)).rejects.toThrow("not enough room");
    image.release();
    (await store.bring(other, quiet)).release();
  });
});

describe("what fails is one sentence", () => {
  it.each([
    ["a name that the registry does not have", /does not have it: correct its name or its digest\.$/, {}],
    [
      "an image for another machine",
      /has nothing for linux\/.*: name another image/,
      { architecture: "mips" },
    ],
  ])("%s", async (_, sentence, options) => {
    const registry = await registryHere();
    const { name } = registry.add([shell], options);
    const wanted = "architecture" in options ? name : { ...name, sha256: "0".repeat(64) };
    const error = await failureOf(storeHere().bring(wanted, quiet));
    expect(error).toMatch(sentence);
    expect(error).toMatch(
      /^The image 127\.0\.0\.1:\d+\/team\/app@sha256:[0-9a-f]{64} cannot be used, since /,
    );
    expect(error.match(/\.(?:\s|$)/g)).toHaveLength(1);
  });

  it("a registry that is not there", async () => {
    const registry = await registryHere();
    const { name } = registry.add([shell]);
    await registry.close();
    closing.pop();
    expect(await failureOf(storeHere().bring(name, quiet))).toMatch(
      /could not be asked .*ECONNREFUSED.*: look whether it is up/,
    );
  });
});

async function failureOf(bringing: Promise<unknown>): Promise<string> {
  const error = await bringing.then(
    () => null,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(Error);
  return (error as Error).message;
}

/** A registry that answers for a layer only when it is told to go on. */
async function held(): Promise<{
  readonly registry: RegistryFixture;
  readonly name: ImageName;
  /** The layer is asked for. */
  readonly arrived: Promise<void>;
  readonly goOn: () => void;
  /** Who asked for it has gone. */
  readonly hungUp: Promise<void>;
}> {
  const arrived = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const going = Promise.withResolvers<void>();
  const layer = gzipSync(packLayer(shell));
  const registry = await registryHere({
    answer: ({ url = "", socket }, response) => {
      if (!url.endsWith(digestOf(layer))) return false;
      socket.once("close", () => gone.resolve());
      arrived.resolve();
      void going.promise.then(() => response.end(layer));
      return true;
    },
  });
  const { name } = registry.add([layer]);
  const goOn = (): void => going.resolve();
  return { registry, name, arrived: arrived.promise, goOn, hungUp: gone.promise };
}
