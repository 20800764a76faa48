/**
 * What a registry of container images says: indexes, manifests, configurations, and where it gives tokens. Decoders only, of
 * what strangers wrote: they throw nothing, and what they let through is bounded.
 *
 * @source https://github.com/opencontainers/image-spec (index, manifest, config), https://distribution.github.io/distribution/spec/
 */

import { Buffer } from "node:buffer";
import * as z from "zod/mini";
import { failure, type Result, success } from "./errors.ts";
import { limits } from "./limits.ts";

export const indexTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
] as const;
export const manifestTypes = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
] as const;
const configTypes = [
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.docker.container.image.v1+json",
];
const layerTypes =
  /^application\/vnd\.(?:oci\.image\.layer\.v1\.tar(?:\+gzip|\+zstd)?|docker\.image\.rootfs\.diff\.tar(?:\.gzip|\.zstd)?)$/;

/** What is known of a document or a blob before it is there. */
export type Descriptor = { readonly sha256: string; readonly size: number };

export type ImageDocument =
  | { readonly kind: "index"; readonly manifests: readonly (Descriptor & { readonly platform: Platform })[] }
  | { readonly kind: "manifest"; readonly config: Descriptor; readonly layers: readonly Descriptor[] };

type Platform = { readonly os: string; readonly architecture: string; readonly variant: string };

export type ImageConfig = {
  readonly os: string;
  readonly architecture: string;
  readonly environment: Readonly<Record<string, string>>;
};

const text = z.string().check(z.maxLength(limits.imageTextCharactersMax));
const descriptor = z.object({
  mediaType: text,
  digest: z.string().check(z.regex(/^sha256:[0-9a-f]{64}$/)),
  size: z.int().check(z.minimum(0)),
});
const platform = z.object({ os: text, architecture: text, variant: z.optional(text) });
const index = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.optional(z.enum(indexTypes)),
  manifests: z
    .array(z.extend(descriptor, { platform: z.optional(platform) }))
    .check(z.maxLength(limits.imageManifestsMax)),
  // One document that is both would be read as the one by some, and as the other by others.
  layers: z.optional(z.never()),
  config: z.optional(z.never()),
});
const manifest = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.optional(z.enum(manifestTypes)),
  config: descriptor,
  layers: z.array(descriptor).check(z.maxLength(limits.imageLayersMax)),
  manifests: z.optional(z.never()),
});
const config = z.object({
  os: text,
  architecture: text,
  config: z.nullish(
    z.object({
      Env: z.nullish(
        z
          .array(z.string().check(z.maxLength(limits.imageVariableCharactersMax)))
          .check(z.maxLength(limits.imageVariablesMax)),
      ),
    }),
  ),
});
const token = z.object({ token: z.optional(z.string()), access_token: z.optional(z.string()) });

export function decodeImageDocument(bytes: Uint8Array): Result<ImageDocument, string> {
  const value = jsonOf(bytes);
  const asIndex = index.safeParse(value);
  if (asIndex.success) {
    const manifests = asIndex.data.manifests
      // What is no manifest is of no use here, such as an index inside of an index.
      .filter(({ mediaType }) => (manifestTypes as readonly string[]).includes(mediaType))
      .map(({ platform: { os = "", architecture = "", variant = "" } = {}, ...rest }) => {
        return { ...plain(rest), platform: { os, architecture, variant } };
      });
    return success({ kind: "index", manifests });
  }
  const asManifest = manifest.safeParse(value);
  if (!asManifest.success) return failure("it is neither an index nor a manifest of an image");
  const { config, layers } = asManifest.data;
  if (!configTypes.includes(config.mediaType)) return failure("it is no image that can be run");
  const odd = layers.find(({ mediaType }) => !layerTypes.test(mediaType));
  if (odd !== undefined) return failure("it has a layer of a kind that is not known");
  return success({ kind: "manifest", config: plain(config), layers: layers.map(plain) });
}

function plain({ digest, size }: { readonly digest: string; readonly size: number }): Descriptor {
  return { sha256: digest.slice("sha256:".length), size };
}

/** The manifest of an index that this kind of machine runs; null: it has none. */
export function manifestFor(
  manifests: Extract<ImageDocument, { kind: "index" }>["manifests"],
  architecture: string,
): Descriptor | null {
  // A later variant of amd64 may have instructions that this machine has not; arm64 is v8.
  const plainVariants = ["", architecture === "arm64" ? "v8" : "v1"];
  const found = manifests.find(
    ({ platform }) =>
      platform.os === "linux" &&
      platform.architecture === architecture &&
      plainVariants.includes(platform.variant),
  );
  return found === undefined ? null : { sha256: found.sha256, size: found.size };
}

export function decodeImageConfig(bytes: Uint8Array): Result<ImageConfig, string> {
  const parsed = config.safeParse(jsonOf(bytes));
  if (!parsed.success) return failure("its configuration is not valid");
  const { os, architecture } = parsed.data;
  const variables: [string, string][] = [];
  for (const said of parsed.data.config?.Env ?? []) {
    const equals = said.indexOf("=");
    if (equals < 1 || said.includes("\0")) return failure("its configuration has a variable without a name");
    variables.push([said.slice(0, equals), said.slice(equals + 1)]);
  }
  return success({ os, architecture, environment: Object.fromEntries(variables) });
}

/** Where a token is given, of a `WWW-Authenticate` header; null: it asks for something else. */
export function parseChallenge(header: string): { readonly realm: string; readonly service: string } | null {
  if (header.length > limits.imageTextCharactersMax || !/^bearer /i.test(header)) return null;
  const said = new Map<string, string>();
  for (const [, name = "", value = ""] of header.slice("bearer ".length).matchAll(/\b([a-z_]+)="([^"]*)"/gi))
    said.set(name.toLowerCase(), value);
  const realm = said.get("realm");
  return realm === undefined ? null : { realm, service: said.get("service") ?? "" };
}

/** Null: there is none in it. */
export function decodeToken(bytes: Uint8Array): string | null {
  const parsed = token.safeParse(jsonOf(bytes));
  const found = parsed.success ? (parsed.data.token ?? parsed.data.access_token) : undefined;
  return found !== undefined && /^[\x21-\x7e]+$/.test(found) ? found : null;
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as unknown;
  } catch {
    // What is not JSON is nothing that any of the schemas has.
    return undefined;
  }
}
