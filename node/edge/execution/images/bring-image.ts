/** One image, brought from its registry and unpacked: what the process does that is started for it. */

import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  decodeImageConfig,
  decodeImageDocument,
  type Descriptor,
  type ImageDocument,
  manifestFor,
} from "../../../../protocol/image-documents.ts";
import { limits } from "../../../../protocol/limits.ts";
import { sizeWords } from "../../../../protocol/sizes.ts";
import {
  type BringTask,
  type CheckTask,
  passingProblem,
  type ResolveTask,
  wrongImage,
  noRoom,
} from "./image-messages.ts";
import { Registry } from "./registry.ts";
import { unpackApart } from "./unpack-apart.ts";

type Manifest = Extract<ImageDocument, { kind: "manifest" }>;

/** @param report.going is told again and again, for as long as it goes on. */
export async function bringImage(
  { name, way, folder, roomBytes, bounds }: BringTask,
  report: { readonly said: (line: string) => void; readonly going: () => void },
): Promise<void> {
  const registry = new Registry(name, { bounds, way, going: report.going });
  const manifest = await manifestOf(registry, name.sha256);
  const bytes = manifest.layers.reduce((sum, { size }) => sum + size, 0);
  if (bytes > bounds.imageBytesMax)
    throw wrongImage(`it is ${sizeWords(bytes)}, more than ${sizeWords(bounds.imageBytesMax)}`);
  if (bytes > roomBytes)
    throw noRoom(
      `it is ${sizeWords(bytes)} before it is unpacked, and this worker has room for ${sizeWords(Math.max(0, roomBytes))}`,
    );
  const config = await registry.smallBlob(manifest.config);
  checkConfig(config);
  const count = manifest.layers.length === 1 ? "one layer" : `${manifest.layers.length} layers`;
  report.said(`It comes in ${count}, ${sizeWords(bytes)}.`);
  const files = await bringLayers(registry, manifest.layers, folder);
  report.said("It is here, and is being unpacked.");
  const unpacking = {
    kind: "unpack",
    folder,
    layers: manifest.layers.map(({ sha256 }) => files.get(sha256) ?? ""),
    roomBytes: roomBytes - bytes,
    bounds,
  } as const;
  const unpacked = await unpackApart(unpacking, report.going);
  for (const file of files.values()) rmSync(file);
  writeFileSync(join(folder, "config.json"), config);
  const about = { bytes: unpacked.bytes, isShutIn: unpacked.isShutIn, isPrivate: way !== null };
  writeFileSync(join(folder, "about.json"), JSON.stringify(about));
  report.going();
  makeDurable(folder);
}

/** That it is given at all says the registry, by what it answers for its name. */
export async function checkImage({ name, way, bounds }: CheckTask): Promise<void> {
  await new Registry(name, { bounds, way }).document({ sha256: name.sha256, size: null });
}

/** The digest of what a tag names now, in lower-case hex. */
export async function resolveTag({ name, bounds }: ResolveTask): Promise<string> {
  const { sha256, bytes } = await new Registry(name, { bounds }).tagged(name.tag);
  documentIn(bytes);
  return sha256;
}

async function manifestOf(registry: Registry, sha256: string): Promise<Manifest> {
  const named = documentIn(await registry.document({ sha256, size: null }));
  if (named.kind === "manifest") return named;
  const wanted = manifestFor(named.manifests, architecture());
  if (wanted === null) throw wrongImage(`it has nothing for linux/${architecture()}`);
  const found = documentIn(await registry.document(wanted));
  // An index inside of an index could go on without an end.
  if (found.kind !== "manifest") throw wrongImage("its index names another index as an image");
  return found;
}

function documentIn(bytes: Uint8Array): ImageDocument {
  const decoded = decodeImageDocument(bytes);
  if (!decoded.ok) throw wrongImage(decoded.problem);
  return decoded.value;
}

function checkConfig(bytes: Uint8Array): void {
  const decoded = decodeImageConfig(bytes);
  if (!decoded.ok) throw wrongImage(decoded.problem);
  const is = `${decoded.value.os}/${decoded.value.architecture}`;
  const wanted = `linux/${architecture()}`;
  if (is !== wanted)
    throw wrongImage(`it is for ${JSON.stringify(is.slice(0, 100))}, and this worker is ${wanted}`);
}

/** Some at once; each layer once, also one that the image has several times. */
async function bringLayers(
  registry: Registry,
  layers: readonly Descriptor[],
  folder: string,
): Promise<ReadonlyMap<string, string>> {
  const files = new Map(layers.map(({ sha256 }) => [sha256, join(folder, `layer-${sha256}`)]));
  const waiting = [...new Map(layers.map((layer) => [layer.sha256, layer])).values()];
  const bringSome = async (): Promise<void> => {
    for (let layer = waiting.shift(); layer !== undefined; layer = waiting.shift())
      await registry.blob(layer, files.get(layer.sha256) ?? "");
  };
  await Promise.all(Array.from({ length: limits.imageLayersAtOnceMax }, bringSome));
  return files;
}

/** Whole on the disk before it has its place: what a machine that goes off then leaves is never taken for whole. */
function makeDurable(folder: string): void {
  const { status } = spawnSync("sync", ["-f", folder], { stdio: "ignore" });
  if (status !== 0)
    throw passingProblem("it could not be written to the disk for good", "look at the worker's disk");
}

/** As images name it. */
function architecture(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}
