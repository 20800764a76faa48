/**
 * The layers of an image, unpacked one over the other into a folder, as its root.
 *
 * Whoever made the image is not trusted: nothing is read, written or deleted outside of the root. There are no devices and no
 * rights that a file gives to whoever runs it; everybody may read everything, and its owner alone write it. What is unpacked
 * is bounded in bytes, files and names. The tar package parses; what is done with its entries is done here, since links that
 * an earlier layer made must lead inside of the root, and a later layer takes files of an earlier one away.
 *
 * @source https://github.com/opencontainers/image-spec/blob/main/layer.md
 */

import { fchmodSync, linkSync, lstatSync, openSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { ReadEntry } from "tar";
import { limits } from "../../../../protocol/limits.ts";
import { sizeWords } from "../../../../protocol/sizes.ts";
import { type ImageBounds, noRoom, wrongImage } from "./image-messages.ts";
import { decompressed, LayerReader } from "./layer-reader.ts";
import { partsOf, RootFolder, shown } from "./root-folder.ts";

const whiteout = ".wh.";
const opaque = ".wh..wh..opq";
/** What a file costs besides what it holds. */
const bytesPerFile = 4096;
const [readOnlyBits, writeBits, runBits] = [0o444, 0o200, 0o111];

type UnpackBounds = Pick<ImageBounds, "imageUnpackedBytesMax" | "imageFilesMax"> & {
  /** What there is of the disk. */
  readonly roomBytes: number;
};

export class Unpacker {
  readonly root: RootFolder;
  readonly #bounds: UnpackBounds;
  readonly #going: () => void;
  /** What the layer that is being unpacked has put there, and the folders it is in. */
  #made = new Set<string>();
  #files = 0;
  #streamed = 0;

  /**
   * @param root an empty folder, in one that nobody else may enter.
   * @param going is told again and again, for as long as it goes on.
   */
  constructor(root: string, bounds: UnpackBounds, going: () => void = () => undefined) {
    this.root = new RootFolder(root, (path) => this.#count(path));
    this.#bounds = bounds;
    this.#going = going;
  }

  /** What it takes on the disk, or a little more. */
  get bytes(): number {
    return this.#streamed + this.#files * bytesPerFile;
  }

  /** Unpacks one layer, a file, over those before it. */
  async add(file: string): Promise<void> {
    this.#made = new Set();
    const reader = new LayerReader((entry) => this.#take(entry));
    for await (const chunk of decompressed(file)) {
      this.#streamed += chunk.length;
      if (this.#streamed > this.#bounds.imageUnpackedBytesMax)
        throw wrongImage(
          `it is more than ${sizeWords(this.#bounds.imageUnpackedBytesMax)} when it is unpacked`,
        );
      if (this.bytes > this.#bounds.roomBytes)
        throw noRoom(`there is not enough room for it on this worker's disk when it is unpacked`);
      reader.write(chunk);
      this.#going();
    }
    reader.end();
  }

  /** Returns where the bytes of the entry go; null: it has none that matter. */
  #take(entry: ReadEntry): number | null {
    const parts = partsOf(entry.path);
    const name = parts.at(-1);
    if (name === undefined) {
      if (entry.type !== "Directory") throw wrongImage("its root is no folder");
      return null;
    }
    const above = parts.slice(0, -1);
    if (name.startsWith(whiteout)) {
      this.#takeAway(above, name);
      return null;
    }
    switch (entry.type) {
      case "Directory":
        this.#folder(join(this.root.folder(above), name));
        return null;
      case "File":
      case "OldFile":
      case "ContiguousFile":
        return this.#open(this.#place(above, name), entry.mode ?? 0);
      case "SymbolicLink":
        this.#link(entry, this.#place(above, name));
        return null;
      case "Link":
        this.#hardLink(entry, join(this.root.folder(above), name));
        return null;
      case "CharacterDevice":
      case "BlockDevice":
      case "FIFO":
        this.#count(null);
        return null;
      default:
        throw wrongImage(`it has a file of a kind that is not known, ${shown(entry.path)}`);
    }
  }

  #open(path: string, mode: number): number {
    const file = openSync(path, "wx");
    // Rights of whoever owns the file, for whoever runs it, are not taken over.
    fchmodSync(file, readOnlyBits | writeBits | ((mode & runBits) === 0 ? 0 : runBits));
    return file;
  }

  #folder(path: string): void {
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return this.#count(path);
    rmSync(path, { force: true });
    this.root.makeFolder(path);
  }

  #link(entry: ReadEntry, path: string): void {
    const target = entry.linkpath ?? "";
    if (target === "" || target.includes("\0") || Buffer.byteLength(target) > limits.imagePathBytesMax)
      throw wrongImage(`its link ${shown(entry.path)} leads nowhere`);
    // It may lead anywhere: only whoever has the root as root follows it.
    symlinkSync(target, path);
  }

  #hardLink(entry: ReadEntry, path: string): void {
    const parts = partsOf(entry.linkpath ?? "");
    const folder = this.root.find(parts.slice(0, -1));
    const target = folder === null ? "" : join(folder.path, parts.at(-1) ?? "");
    const found = target === "" ? undefined : lstatSync(target, { throwIfNoEntry: false });
    if (found === undefined || !(found.isFile() || found.isSymbolicLink()))
      throw wrongImage(`its file ${shown(entry.path)} is another name of one that is not there`);
    if (target === path) return;
    rmSync(path, { recursive: true, force: true });
    this.#count(path);
    linkSync(target, path);
  }

  /** Where something new goes: what was there is gone. */
  #place(above: readonly string[], name: string): string {
    const path = join(this.root.folder(above), name);
    rmSync(path, { recursive: true, force: true });
    this.#count(path);
    return path;
  }

  #takeAway(above: readonly string[], name: string): void {
    const folder = this.root.find(above);
    if (folder?.stats.isDirectory() !== true) return;
    if (name === opaque) {
      for (const below of readdirSync(folder.path)) this.#removeEarlier(join(folder.path, below));
      return;
    }
    const gone = name.slice(whiteout.length);
    if (gone === "" || gone === "." || gone === "..")
      throw wrongImage(`it takes away ${shown(gone)}, which is no name`);
    this.#removeEarlier(join(folder.path, gone));
  }

  /** What this layer itself brings stays: it takes away from earlier ones only. */
  #removeEarlier(path: string): void {
    if (!this.#made.has(path)) return rmSync(path, { recursive: true, force: true });
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return;
    for (const below of readdirSync(path)) this.#removeEarlier(join(path, below));
  }

  /** @param path that this layer makes; null: it does not. */
  #count(path: string | null): void {
    this.#files += 1;
    if (this.#files > this.#bounds.imageFilesMax)
      throw wrongImage(`it has more than ${this.#bounds.imageFilesMax} files`);
    for (let at = path; at !== null && at !== this.root.path && !this.#made.has(at); at = join(at, ".."))
      this.#made.add(at);
  }
}
