/** What a worker and the process that brings an image say to each other: one line of JSON each. */

import type { ImageName, ImageTag } from "../../../../protocol/image-name.ts";
import { limits } from "../../../../protocol/limits.ts";

/** Every bound that tests make smaller. */
export const imageBounds = {
  imageBytesMax: limits.imageBytesMax,
  imageUnpackedBytesMax: limits.imageUnpackedBytesMax,
  imagesBytesMax: limits.imagesBytesMax,
  imagesDiskPercentMax: limits.imagesDiskPercentMax,
  imageFilesMax: limits.imageFilesMax,
  imageBringMsMax: limits.imageBringMsMax,
  imageIdleMsMax: limits.imageIdleMsMax,
  imageSilenceMsMax: limits.imageSilenceMsMax,
  imageTryAgainMsMin: limits.imageTryAgainMsMin,
};

export type ImageBounds = Readonly<Record<keyof typeof imageBounds, number>>;

/** Said once; then the input stays open for as long as whoever asked is there and wants it. */
export type ToImageProcess = BringTask | CheckTask | ResolveTask | UnpackTask;

/** How a registry is asked that does not give the image to everybody: by a socket of this machine, to a broker. */
export type ImageWay = {
  readonly socket: string;
  /** What the step calls the credential. */
  readonly credential: string;
};

export type BringTask = {
  readonly kind: "bring";
  readonly name: ImageName;
  /** Null: as everybody asks. */
  readonly way: ImageWay | null;
  /** Empty, and nobody else's: `root`, `config.json` and `about.json` are made in it. */
  readonly folder: string;
  /** What it may take of the disk on the way, in all. */
  readonly roomBytes: number;
  readonly bounds: ImageBounds;
};

/** Whether whoever asks in this way is given the image: nothing of it is kept. */
export type CheckTask = Omit<BringTask, "kind" | "folder" | "roomBytes"> & { readonly kind: "check" };

/** Makes `root` of the layers that were brought to the folder, in this order. */
export type UnpackTask = {
  readonly kind: "unpack";
  readonly folder: string;
  readonly layers: readonly string[];
  readonly roomBytes: number;
  readonly bounds: ImageBounds;
};

/** Which image a tag is now. */
export type ResolveTask = { readonly kind: "resolve"; readonly name: ImageTag; readonly bounds: ImageBounds };

export type FromImageProcess =
  | { readonly kind: "said"; readonly line: string }
  | { readonly kind: "going" }
  | { readonly kind: "brought" }
  | { readonly kind: "checked" }
  | { readonly kind: "unpacked"; readonly bytes: number }
  | { readonly kind: "resolved"; readonly sha256: string }
  | { readonly kind: "failed"; readonly why: string; readonly next: string; readonly passes: boolean };

/** Why an image cannot be used, as the end of a sentence; and what to do. */
export class ImageProblem extends Error {
  readonly next: string;
  /** True when the image may be had the next time, or by another worker: it and its name are as they should be. */
  readonly passes: boolean;

  constructor(why: string, next: string, { passes = false }: { readonly passes?: boolean } = {}) {
    super(why);
    this.next = next;
    this.passes = passes;
  }
}

/** What has nothing to do with the image, but with the worker or whoever it asks. */
export function passingProblem(why: string, next: string): ImageProblem {
  return new ImageProblem(why, next, { passes: true });
}

/** Of an image that is wanted where there is no place for it. */
export function noRoom(words: string): ImageProblem {
  return passingProblem(words, "free some space on the worker's disk, or have another worker run the step");
}

/** An image that whoever made it has to make otherwise. */
export function wrongImage(why: string): ImageProblem {
  return new ImageProblem(why, "name another image, or have it built anew");
}
