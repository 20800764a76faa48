/** The decoders of what a registry of container images says, and of names of images. */

import {
  decodeImageConfig,
  decodeImageDocument,
  decodeToken,
  manifestFor,
  parseChallenge,
} from "../protocol/image-documents.ts";
import { parseImageName } from "../protocol/image-name.ts";
import type { Target } from "./fuzz-target.ts";

export function imageTargets(): readonly Target[] {
  const digest = `sha256:${"0a".repeat(32)}`;
  const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest, size: 7 };
  const layer = { ...config, mediaType: "application/vnd.oci.image.layer.v1.tar+gzip" };
  const manifest = { ...config, mediaType: "application/vnd.oci.image.manifest.v1+json" };
  const platform = { os: "linux", architecture: "arm64", variant: "v8" };
  const documents = [
    { schemaVersion: 2, config, layers: [layer, layer] },
    { schemaVersion: 2, manifests: [{ ...manifest, platform }] },
  ];
  const configs = [{ os: "linux", architecture: "amd64", config: { Env: ["PATH=/bin", "A="] } }];
  const bytesOf = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
  const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
  return [
    {
      name: "documents of images",
      valid: documents.map(bytesOf),
      decode: (bytes) => {
        const decoded = decodeImageDocument(bytes);
        return decoded.ok && decoded.value.kind === "index"
          ? manifestFor(decoded.value.manifests, "arm64")
          : decoded;
      },
    },
    { name: "configurations of images", valid: configs.map(bytesOf), decode: decodeImageConfig },
    {
      name: "tokens of registries",
      valid: [Buffer.from('Bearer realm="https://a/b",service="c"'), bytesOf({ token: "t", expires_in: 1 })],
      decode: (bytes) => [parseChallenge(textOf(bytes)), decodeToken(bytes)],
    },
    {
      name: "names of images",
      valid: [`localhost:5000/team/app:v1.2@${digest}`, `node@${digest}`, `ghcr.io/a__b/c-d@${digest}`].map(
        (name) => Buffer.from(name),
      ),
      decode: (bytes) => parseImageName(textOf(bytes)),
    },
  ];
}
