/** Layers over layers, as whoever made an image meant them. */

import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { imageBounds } from "../../../node/edge/execution/images/image-messages.ts";
import { finishRoot } from "../../../node/edge/execution/images/mount-points.ts";
import { Unpacker } from "../../../node/edge/execution/images/unpack.ts";
import { type LayerFiles, packLayer } from "./registry-fixture.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "otto-unpack-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function unpacked(...layers: readonly (LayerFiles | Uint8Array)[]): Promise<Unpacker> {
  mkdirSync(join(folder, "root"));
  const unpacker = new Unpacker(join(folder, "root"), { ...imageBounds, roomBytes: 1e9 });
  for (const [at, layer] of layers.entries()) {
    const file = join(folder, `layer-${at}`);
    writeFileSync(file, layer instanceof Uint8Array ? layer : packLayer(layer));
    await unpacker.add(file);
  }
  return unpacker;
}

const inRoot = (path: string): string => join(folder, "root", path);
const textOf = (path: string): string => readFileSync(inRoot(path), "utf8");
const shell = { "bin/sh": { content: "#!", mode: 0o755 } };

describe("a layer", () => {
  it.each([
    ["plain", (bytes: Buffer) => bytes],
    ["compressed by gzip", gzipSync],
    [
      "compressed by gzip in two parts",
      (bytes: Buffer) => Buffer.concat([gzipSync(bytes.subarray(0, 700)), gzipSync(bytes.subarray(700))]),
    ],
    ["compressed by zstd", zstdCompressSync],
  ])("that is %s is unpacked", async (_, packed) => {
    await unpacked(packed(packLayer({ "etc/motd": "hello", "usr/bin/tool": { content: "x", mode: 0o750 } })));
    expect(textOf("etc/motd")).toBe("hello");
    expect(statSync(inRoot("etc/motd")).mode & 0o7777).toBe(0o644);
    expect(statSync(inRoot("usr/bin/tool")).mode & 0o7777).toBe(0o755);
    expect(statSync(inRoot("usr/bin")).mode & 0o7777).toBe(0o755);
  });

  it("of nothing is nothing, as some builders make it", async () => {
    await unpacked(gzipSync(Buffer.alloc(1024)), { a: "1" });
    expect(textOf("a")).toBe("1");
  });

  it("that is cut off, or no archive, is refused", async () => {
    const whole = packLayer({ a: "1".repeat(2_000) });
    await expect(unpacked(whole.subarray(0, 1_000))).rejects.toThrow(/layers is (damaged|cut off)/);
    rmSync(inRoot(""), { recursive: true });
    await expect(unpacked(Buffer.from("no archive ".repeat(200)))).rejects.toThrow(/layers is damaged/);
    rmSync(inRoot(""), { recursive: true });
    await expect(unpacked(gzipSync(whole).subarray(0, -20))).rejects.toThrow(/cannot be decompressed/);
  });

  it("puts what it has over what was there, whatever that was", async () => {
    await unpacked(
      { a: "file", "b/c": "below", d: { type: "SymbolicLink", link: "a" }, e: { type: "Link", link: "a" } },
      [
        ["a", { type: "Directory" }],
        ["a/new", "in a folder"],
        ["b", "now a file"],
        ["d", "no link any more"],
      ],
    );
    expect(textOf("a/new")).toBe("in a folder");
    expect(textOf("b")).toBe("now a file");
    expect(textOf("d")).toBe("no link any more");
    expect(textOf("e")).toBe("file");
  });

  it("takes files of earlier layers away, and none of its own", async () => {
    await unpacked({ "a/old": "1", "a/deep/old": "1", "b/old": "1", "b/stays": "1", "c/x": "1" }, [
      ["a/new", "2"],
      ["a/deep/new", "2"],
      ["a/.wh..wh..opq", ""],
      ["b/.wh.old", ""],
      [".wh.c", ""],
      ["nowhere/.wh.file", ""],
      [".wh..wh.plnk", ""],
    ]);
    expect(textOf("a/new")).toBe("2");
    expect(textOf("a/deep/new")).toBe("2");
    expect(
      ["a/old", "a/deep/old", "b/old", "c", "nowhere"].filter((path) => existsSync(inRoot(path))),
    ).toEqual([]);
    expect(textOf("b/stays")).toBe("1");
  });

  it("writes through the links of earlier ones, inside of the root", async () => {
    await unpacked(
      {
        lib: { type: "SymbolicLink", link: "usr/lib" },
        "opt/run": { type: "SymbolicLink", link: "/srv/run" },
      },
      { "lib/x": "1", "opt/run/y": "2" },
    );
    expect(textOf("usr/lib/x")).toBe("1");
    expect(textOf("srv/run/y")).toBe("2");
    expect(readlinkSync(inRoot("lib"))).toBe("usr/lib");
  });

  it("says when its files were changed, in a time that there can be", async () => {
    const odd = [-10_000, 8.64e15].map((ms) => new Date(ms));
    await unpacked([
      ["a", { changed: new Date(1_500_000_000_000) }],
      ...odd.map((changed, at): [string, { changed: Date }] => [`odd${at}`, { changed }]),
    ]);
    expect(statSync(inRoot("a")).mtimeMs).toBe(1_500_000_000_000);
  });

  it("has names longer than the archive's own field", async () => {
    const name = `${"long/".repeat(40)}name`;
    await unpacked({ [name]: "1" });
    expect(textOf(name)).toBe("1");
  });
});

describe("a root that is finished", () => {
  it("has real folders for what is laid over it, and a list of users", async () => {
    const unpacker = await unpacked({
      ...shell,
      tmp: { type: "SymbolicLink", link: "var/tmp" },
      run: "a file",
      var: { type: "SymbolicLink", link: "/nowhere" },
    });
    finishRoot(unpacker.root);
    for (const path of ["proc", "dev", "tmp", "run", "etc", "var", "var/tmp"])
      expect(lstatSync(inRoot(path)).isDirectory(), path).toBe(true);
    expect(textOf("etc/passwd")).toBe("");
  });

  it("keeps the image's own users, also where they are reached by a link", async () => {
    const unpacker = await unpacked({
      ...shell,
      "usr/users": "root:x:0:0",
      "etc/passwd": { type: "SymbolicLink", link: "../usr/users" },
    });
    finishRoot(unpacker.root);
    expect(lstatSync(inRoot("etc/passwd")).isFile()).toBe(true);
    expect(textOf("etc/passwd")).toBe("root:x:0:0");
  });

  it("is refused where its files would go with a link", async () => {
    const unpacker = await unpacked({
      ...shell,
      "usr/etc/a": "1",
      etc: { type: "SymbolicLink", link: "usr/etc" },
    });
    expect(() => finishRoot(unpacker.root)).toThrow(
      'its /etc is a link to "usr/etc", and has to be a folder',
    );
  });

  it("has a shell, also by a link, or is refused", async () => {
    const unpacker = await unpacked({
      bin: { type: "SymbolicLink", link: "usr/bin" },
      "usr/bin/dash": { content: "", mode: 0o755 },
    });
    expect(() => finishRoot(unpacker.root)).toThrow("no /bin/sh that can be run");
    writeFileSync(join(folder, "more"), packLayer({ "bin/sh": { type: "SymbolicLink", link: "dash" } }));
    await unpacker.add(join(folder, "more"));
    finishRoot(unpacker.root);
  });
});
