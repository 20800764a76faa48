/**
 * A registry of container images over plain HTTP on this machine, and images for it, made of files that a test names. It can
 * ask for a token as public registries do, and be told to answer otherwise than it should.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { lstatSync, readFileSync, realpathSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { Header, Pax } from "tar";
import type { ImageName } from "../../../protocol/image-name.ts";

/** A text or bytes: a file; or what else a layer may have. */
export type LayerFile =
  | string
  | Uint8Array
  | {
      readonly type?: "File" | "Directory" | "SymbolicLink" | "Link" | "CharacterDevice" | "FIFO";
      readonly content?: string | Uint8Array;
      readonly link?: string;
      readonly mode?: number;
      readonly changed?: Date;
    };

export type LayerFiles = Readonly<Record<string, LayerFile>> | readonly (readonly [string, LayerFile])[];

export type LayerOfImage = LayerFiles | Uint8Array;

export type ImageOptions = {
  readonly environment?: readonly string[];
  readonly architecture?: string;
  /** False: the manifest is named itself, without an index. */
  readonly indexed?: boolean;
  readonly docker?: boolean;
};

export type RegistryAsked = { readonly path: string; readonly headers: IncomingMessage["headers"] };

type Answer = (request: IncomingMessage, response: ServerResponse) => boolean;

export type RegistryFixture = {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly asked: RegistryAsked[];
  /** Returns the name: `text` is for a pipeline. */
  add(
    layers: readonly LayerOfImage[],
    options?: ImageOptions,
  ): { readonly name: ImageName; readonly text: string };
  /** From now on the tag names this one. */
  tag(tag: string, name: ImageName): void;
  /** Something that is had by its digest. */
  put(bytes: Uint8Array): string;
  /** What is answered for a digest instead. */
  replace(sha256: string, bytes: Uint8Array): void;
  name(sha256: string): ImageName;
  close(): Promise<void>;
};

const repository = "team/app";
export const fixtureToken = "a-token-for-everybody";
/** As images name it. */
export const ownArchitecture = process.arch === "x64" ? "amd64" : process.arch;

export async function startRegistry(
  options: {
    readonly asksForToken?: boolean;
    /** True: it has answered. */
    readonly answer?: Answer;
    readonly address?: string;
    readonly tls?: { readonly key: Buffer; readonly cert: Buffer };
  } = {},
): Promise<RegistryFixture> {
  const content = new Map<string, Uint8Array>();
  const types = new Map<string, string>();
  const tags = new Map<string, string>();
  const asked: RegistryAsked[] = [];
  const { address = "127.0.0.1", tls } = options;
  const take = (request: IncomingMessage, response: ServerResponse): void => {
    const { url = "", headers } = request;
    asked.push({ path: url, headers });
    if (options.answer?.(request, response) === true) return;
    if (url.startsWith("/token?")) {
      const given = { token: fixtureToken, expires_in: 300 };
      return void response.end(JSON.stringify(given));
    }
    if (options.asksForToken === true && headers.authorization !== `Bearer ${fixtureToken}`) {
      const challenge = `Bearer realm="http://${request.headers.host ?? ""}/token",service="fixture",scope="repository:${repository}:pull"`;
      return void response.writeHead(401, { "www-authenticate": challenge }).end();
    }
    const tag = /\/manifests\/([\w.-]+)$/.exec(url)?.[1] ?? "";
    const sha256 = tags.get(tag) ?? /\/(?:manifests|blobs)\/sha256:([0-9a-f]{64})$/.exec(url)?.[1] ?? "";
    const found = content.get(sha256);
    if (found === undefined) return void response.writeHead(404).end();
    response.writeHead(200, { "content-type": types.get(sha256) ?? "application/octet-stream" }).end(found);
  };
  const server = tls === undefined ? createServer(take) : createSecureServer(tls, take);
  server.listen(0, address);
  await once(server, "listening");
  const host = `${address}:${(server.address() as AddressInfo).port}`;
  const put = (bytes: Uint8Array): string => {
    content.set(digestOf(bytes), bytes);
    return digestOf(bytes);
  };
  const name = (sha256: string): ImageName => ({ registry: host, repository, sha256 });
  return {
    host,
    asked,
    put,
    name,
    tag: (tag, { sha256 }) => void tags.set(tag, sha256),
    replace: (sha256, bytes) => void content.set(sha256, bytes),
    add: (layers, more = {}) => {
      const made = imageOf(layers, more);
      for (const bytes of made.content) put(bytes);
      const sha256 = digestOf(made.named);
      types.set(sha256, made.type);
      return { name: name(sha256), text: `${host}/${repository}:latest@sha256:${sha256}` };
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function imageOf(
  layers: readonly LayerOfImage[],
  { environment = [], architecture = ownArchitecture, indexed = true, docker = false }: ImageOptions,
): { readonly named: Uint8Array; readonly type: string; readonly content: readonly Uint8Array[] } {
  const types = docker
    ? {
        layer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
        config: "application/vnd.docker.container.image.v1+json",
        manifest: "application/vnd.docker.distribution.manifest.v2+json",
        index: "application/vnd.docker.distribution.manifest.list.v2+json",
      }
    : {
        layer: "application/vnd.oci.image.layer.v1.tar+gzip",
        config: "application/vnd.oci.image.config.v1+json",
        manifest: "application/vnd.oci.image.manifest.v1+json",
        index: "application/vnd.oci.image.index.v1+json",
      };
  const packed = layers.map((layer) =>
    layer instanceof Uint8Array ? layer : gzipSync(packLayer(layer), { level: 1 }),
  );
  const config = json({
    os: "linux",
    architecture,
    config: { Env: environment },
    rootfs: { type: "layers" },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: types.manifest,
    config: descriptorOf(config, types.config),
    layers: packed.map((layer) => descriptorOf(layer, types.layer)),
  });
  if (!indexed) return { named: manifest, type: types.manifest, content: [...packed, config, manifest] };
  const other = { os: "linux", architecture: "s390x" };
  const index = json({
    schemaVersion: 2,
    mediaType: types.index,
    manifests: [
      { ...descriptorOf(json({ other: true }), types.manifest), platform: other },
      { ...descriptorOf(manifest, types.manifest), platform: { os: "linux", architecture } },
    ],
  });
  return { named: index, type: types.index, content: [...packed, config, manifest, index] };
}

export function descriptorOf(
  bytes: Uint8Array,
  mediaType: string,
): { readonly mediaType: string; readonly digest: string; readonly size: number } {
  return { mediaType, digest: `sha256:${digestOf(bytes)}`, size: bytes.length };
}

export function json(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

export function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A tar archive, of exactly these names: also of names and kinds that no honest program writes. */
export function packLayer(files: LayerFiles): Buffer {
  const entries = Array.isArray(files) ? (files as [string, LayerFile][]) : Object.entries(files);
  const blocks: Uint8Array[] = [];
  for (const [path, file] of entries) {
    const {
      type = "File",
      content = "",
      link,
      mode = 0o644,
      changed = new Date(1_700_000_000_000),
    } = typeof file === "string" || file instanceof Uint8Array ? { content: file } : file;
    const bytes = Buffer.from(content);
    const fields = {
      path,
      mode,
      type,
      size: bytes.length,
      mtime: changed,
      ...(link === undefined ? {} : { linkpath: link }),
    };
    if (Buffer.byteLength(path) > 99 || Buffer.byteLength(link ?? "") > 99)
      blocks.push(new Pax(fields).encode());
    const header = new Header({
      ...fields,
      path: path.slice(-99),
      ...(link === undefined ? {} : { linkpath: link.slice(-99) }),
    });
    const block = Buffer.alloc(512);
    header.encode(block);
    blocks.push(block, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** This machine's own programs, with the libraries that they load, each where it is found here: enough to run them. */
export function machinePrograms(...paths: readonly string[]): LayerFiles {
  const files: Record<string, LayerFile> = {};
  const add = (path: string, isProgram: boolean): void => {
    files[path.slice(1)] = { content: readFileSync(realpathSync(path)), mode: isProgram ? 0o755 : 0o644 };
  };
  for (const path of paths) {
    add(path, true);
    const said = execFileSync("ldd", [realpathSync(path)], { encoding: "utf8" });
    for (const [, library = ""] of said.matchAll(/(?:^|\s)(\/\S+)/g))
      if (lstatSync(library, { throwIfNoEntry: false }) !== undefined) add(library, true);
  }
  return files;
}
