/** The attacker makes an image, and wants to reach the worker's disk with it, or to fill it. */

import { randomBytes } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ImageBounds, imageBounds } from "../../node/edge/execution/images/image-messages.ts";
import { finishRoot } from "../../node/edge/execution/images/mount-points.ts";
import { Unpacker } from "../../node/edge/execution/images/unpack.ts";
import { limits } from "../../protocol/limits.ts";
import { type LayerFile, type LayerFiles, packLayer } from "../node/images/registry-fixture.ts";

let folder = "";
let outside = "";
let root = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "otto-image-attack-"));
  outside = join(folder, "outside");
  root = join(folder, "root");
  mkdirSync(join(outside, "below"), { recursive: true });
  writeFileSync(join(outside, "secret"), "the worker's");
});
afterEach(() => {
  const secret = join(outside, "secret");
  const after = {
    outside: readdirSync(outside).sort(),
    below: readdirSync(join(outside, "below")),
    secret: readFileSync(secret, "utf8"),
    names: statSync(secret).nlink,
  };
  rmSync(folder, { recursive: true, force: true });
  expect(after).toEqual({ outside: ["below", "secret"], below: [], secret: "the worker's", names: 1 });
});

async function unpack(
  layers: readonly (LayerFiles | Uint8Array)[],
  bounds: Partial<ImageBounds> = {},
): Promise<Unpacker> {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root);
  const unpacker = new Unpacker(root, { ...imageBounds, roomBytes: 1e9, ...bounds });
  for (const layer of layers) {
    const file = join(folder, "layer");
    writeFileSync(file, layer instanceof Uint8Array ? layer : packLayer(layer));
    await unpacker.add(file);
  }
  return unpacker;
}

const link = (target: string): LayerFile => ({ type: "SymbolicLink", link: target });
const hardLink = (target: string): LayerFile => ({ type: "Link", link: target });

describe("a file of an image", () => {
  it.each(["../outside/x", "a/../../outside/x", "/../outside/x", "a/.."])(
    "is not put outside by its name: %s",
    async (name) => {
      await expect(unpack([{ [name]: "mine" }])).rejects.toThrow("it has a file outside of itself");
    },
  );

  it("that is named from the root of the disk is below the root of the image", async () => {
    await unpack([{ [join(outside, "x")]: "mine" }]);
    expect(readFileSync(join(root, outside, "x"), "utf8")).toBe("mine");
  });

  it("is not put outside through a link, of the same layer or an earlier one", async () => {
    for (const target of [outside, "../outside", "../../../../../../../../outside", "c/../../outside"]) {
      await unpack([{ a: link(target), "a/x": "mine", "a/below/y": { type: "Directory" } }]);
      await unpack([{ a: link(target) }, { "a/x": "mine", "a/secret": "mine" }]);
      await unpack([{ b: link("a"), a: link(target) }, { "b/x": "mine" }]);
    }
  });

  it("is not written through a link in its own place", async () => {
    await unpack([{ a: link(join(outside, "secret")) }, { a: "mine" }]);
    expect(lstatSync(join(root, "a")).isFile()).toBe(true);
    await unpack([
      [
        ["a", link(join(outside, "secret"))],
        ["a", "mine"],
      ],
    ]);
    expect(readFileSync(join(root, "a"), "utf8")).toBe("mine");
  });

  it("does not make a folder of a link to one", async () => {
    await unpack([{ a: link(join(outside, "below")) }, { a: { type: "Directory" }, "a/x": "mine" }]);
    expect(lstatSync(join(root, "a")).isDirectory()).toBe(true);
  });

  it("does not go round in circles", async () => {
    await expect(unpack([{ a: link("b"), b: link("a"), "a/x": "mine" }])).rejects.toThrow("leads in circles");
    await expect(unpack([{ a: link("a/a/a"), "a/x": "mine" }])).rejects.toThrow("leads in circles");
  });

  it("is not another name of a file outside", async () => {
    const secret = join(outside, "secret");
    for (const target of [secret, "../outside/secret", "a/secret", "b"]) {
      const files = { a: link(outside), b: link(secret), x: hardLink(target) };
      await unpack([files]).catch((error: unknown) =>
        expect(String(error)).toMatch(/is not there|outside of itself/),
      );
      if (existsSync(join(root, "x"))) expect(readlinkSync(join(root, "x"))).toBe(secret);
    }
  });

  it("is not another name of a folder, or of nothing", async () => {
    for (const target of ["a", "nothing", "", "."]) {
      const files = { "a/y": "1", x: { type: "Link", link: target === "" ? "/" : target } } as const;
      await expect(unpack([files])).rejects.toThrow("is not there");
    }
  });

  it("is another name of itself, and stays what it is", async () => {
    await unpack([{ a: "1" }, { a: hardLink("a") }]);
    expect(readFileSync(join(root, "a"), "utf8")).toBe("1");
  });

  it("is not put below another file, and not in the place of the root", async () => {
    await expect(unpack([{ a: "1", "a/x": "2" }])).rejects.toThrow(
      "leads through something that is no folder",
    );
    await expect(unpack([{ ".": "mine" }])).rejects.toThrow("its root is no folder");
  });

  it("that is a link leads somewhere, in so many bytes", async () => {
    const long = "x".repeat(limits.imagePathBytesMax + 1);
    await expect(unpack([{ a: link(long) }])).rejects.toThrow("leads nowhere");
    await expect(unpack([{ a: link("") }])).rejects.toThrow("damaged");
    await unpack([{ a: link("x".repeat(limits.imagePathBytesMax)) }]);
  });

  it("is found behind so many links, and no more", async () => {
    const chain = (count: number): LayerFiles => [
      ["end/", { type: "Directory" }],
      ...Array.from({ length: count }, (_, at): [string, LayerFile] => [
        `l${at}`,
        link(at + 1 < count ? `l${at + 1}` : "end"),
      ]),
    ];
    await unpack([chain(limits.imageLinksFollowedMax), { "l0/x": "1" }]);
    expect(readFileSync(join(root, "end/x"), "utf8")).toBe("1");
    await expect(unpack([chain(limits.imageLinksFollowedMax + 1), { "l0/x": "1" }])).rejects.toThrow(
      "leads in circles",
    );
  });
});

describe("a file of an image that is none, or of no use", () => {
  it("is no device and no pipe", async () => {
    await unpack([{ "dev/mem": { type: "CharacterDevice" }, "tmp/pipe": { type: "FIFO" }, a: "1" }]);
    expect(readdirSync(root)).toEqual(["a"]);
  });

  it("gives no rights to whoever runs it, and others none to change it", async () => {
    await unpack([
      {
        a: { mode: 0o6777 },
        b: { mode: 0o1666 },
        c: { type: "Directory", mode: 0o7777 },
        "c/d": { mode: 0 },
      },
      { b: hardLink("a"), c: { type: "Directory", mode: 0 } },
    ]);
    const modes = ["a", "b", "c", "c/d"].map((path) =>
      (lstatSync(join(root, path)).mode & 0o7777).toString(8),
    );
    expect(modes).toEqual(["755", "755", "755", "644"]);
  });
});

describe("what an image takes away", () => {
  it.each([".wh...", "a/.wh...", ".wh..", ".wh."])("is not the folder above: %s", async (name) => {
    await expect(unpack([{ "a/x": "1" }, { [name]: "" }])).rejects.toThrow("which is no name");
    expect(existsSync(join(root, "a/x"))).toBe(true);
  });

  it("is not outside, by its name or through a link", async () => {
    await expect(unpack([{ "../outside/.wh.secret": "" }])).rejects.toThrow("outside of itself");
    for (const target of [outside, "../outside"]) {
      await unpack([{ a: link(target) }, { "a/.wh.secret": "" }]);
      await unpack([{ a: link(target) }, { "a/.wh..wh..opq": "" }]);
      await unpack([{ a: link(target) }, { ".wh.a": "" }]);
      await unpack([{ "a/b": link(target) }, { ".wh.a": "" }]);
      await unpack([{ "a/b": link(target) }, { "a/.wh..wh..opq": "" }]);
    }
  });
});

describe("what an image takes away below a file", () => {
  it.each([".wh.x", ".wh..wh..opq"])("is nothing: %s", async (name) => {
    await unpack([{ a: "1" }, { [`a/${name}`]: "" }]);
    expect(readFileSync(join(root, "a"), "utf8")).toBe("1");
  });

  it("is nothing when it is a note that begins as they all do", async () => {
    await unpack([
      { a: "1", "b/x": "1" },
      { ".wh..wh.aufs": "", "b/.wh..wh..wh.plnk": "" },
    ]);
    expect(readdirSync(root)).toEqual(["a", "b"]);
  });
});

describe("an image does not fill the disk or the memory", () => {
  const big = packLayer({ zeros: Buffer.alloc(20_000_000) });

  it.each([
    ["gzip", gzipSync(big)],
    ["zstd", zstdCompressSync(big)],
    ["gzip, in one of many layers", gzipSync(packLayer({ zeros: Buffer.alloc(600_000) }))],
    [
      "gzip, after the end of its archive",
      gzipSync(Buffer.concat([packLayer({ a: "1" }), Buffer.alloc(20_000_000)])),
    ],
    ["gzip, in what it does not unpack", gzipSync(packLayer({ ".wh.a": Buffer.alloc(20_000_000) }))],
  ])("with a little that becomes much: %s", async (_, layer) => {
    await expect(unpack([layer, layer], { imageUnpackedBytesMax: 1_000_000 })).rejects.toThrow(
      "when it is unpacked",
    );
    const bytes = readdirSync(root).reduce((sum, name) => sum + lstatSync(join(root, name)).size, 0);
    expect(bytes).toBeLessThanOrEqual(1_000_000);
  });

  it("with what is compressed twice", async () => {
    await expect(unpack([gzipSync(gzipSync(big))], { imageUnpackedBytesMax: 1_000_000 })).rejects.toThrow(
      "compressed twice",
    );
    // Not what the archive's own parser would do with it.
    await expect(unpack([gzipSync(zstdCompressSync(packLayer({ a: randomBytes(2_000) })))])).rejects.toThrow(
      "damaged",
    );
  });

  it("with many files, folders, links or devices", async () => {
    const many = (one: (at: number) => [string, LayerFile]): LayerFiles =>
      Array.from({ length: 20 }, (_, at) => one(at));
    for (const files of [
      many((at) => [`f${at}`, ""]),
      many((at) => [`${at}/d/`, { type: "Directory" }]),
      many((at) => [`l${at}`, link("x")]),
      many((at) => [`d${at}`, { type: "CharacterDevice" }]),
      many((at) => (at === 0 ? ["f", ""] : [`h${at}`, hardLink("f")])),
      many(() => ["again", ""]),
    ])
      await expect(unpack([files], { imageFilesMax: 19 })).rejects.toThrow("it has more than 19 files");
  });

  it("with folders inside of folders, or long names", async () => {
    await expect(unpack([{ [`${"d/".repeat(101)}x`]: "" }])).rejects.toThrow("too long a name");
    await expect(unpack([{ ["x".repeat(256)]: "" }])).rejects.toThrow("too long a name");
    const long = Array.from({ length: 40 }, () => "x".repeat(101)).join("/");
    await expect(unpack([{ [long]: "" }])).rejects.toThrow("too long a name");
    const deep = "d/".repeat(90);
    await expect(unpack([{ [`${deep}l`]: link(deep), [`${deep}l/x`]: "" }])).rejects.toThrow("too deep");
  });

  it("with a head that says more than there is", async () => {
    const head = packLayer({ a: Buffer.alloc(4_000) });
    await expect(unpack([head.subarray(0, 1_024)])).rejects.toThrow("damaged");
  });
});

describe("what is laid over an image", () => {
  const shell = { "bin/sh": { mode: 0o755 } } as const;

  it.each(["proc", "dev", "tmp", "run", "etc", "var", "var/tmp"])(
    "is not laid over what /%s leads to",
    async (name) => {
      for (const target of [outside, "../outside", "../../outside", join("..", "..", folder, "outside")]) {
        const { root: made } = await unpack([{ ...shell, [name]: link(target) }]);
        finishRoot(made);
        for (let path = join(root, name); path !== root; path = join(path, ".."))
          expect(lstatSync(path).isDirectory(), path).toBe(true);
      }
    },
  );

  it("is the image's own list of users, and not the worker's", async () => {
    const { root: made } = await unpack([{ ...shell, "etc/passwd": link(join(outside, "secret")) }]);
    finishRoot(made);
    expect(readFileSync(join(root, "etc/passwd"), "utf8")).toBe("");
    expect(lstatSync(join(root, "etc/passwd")).isFile()).toBe(true);
  });

  it("is no list of users that the worker would read for long", async () => {
    const many = "x".repeat(limits.imageUsersBytesMax + 1);
    for (const files of [{ "etc/passwd": many }, { "etc/passwd": link("../users"), users: many }]) {
      const { root: made } = await unpack([{ ...shell, ...files }]);
      expect(() => finishRoot(made)).toThrow("its /etc/passwd is more than 256 KiB");
    }
  });

  it.each([["a file", "/lib/thief.so\n"] as const, ["a link", link("/lib/thief")] as const])(
    "puts nothing into the programs that Otto starts in it: %s",
    async (_, preloaded) => {
      const { root: made } = await unpack([{ ...shell, "etc/ld.so.preload": preloaded }]);
      finishRoot(made);
      expect(readdirSync(join(root, "etc"))).toEqual(["passwd"]);
    },
  );

  it("does not take a shell outside for the image's", async () => {
    for (const target of ["/bin/sh", "../../../../../../bin/sh", join(outside, "sh")]) {
      const { root: made } = await unpack([{ "usr/x": "", "bin/sh": link(target) }]);
      expect(() => finishRoot(made)).toThrow("no /bin/sh");
    }
  });
});
