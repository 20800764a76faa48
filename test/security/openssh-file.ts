/** Ed25519 keys that begin with a zero, as one of 512 does, in the file of OpenSSH: `ssh-keygen` is not asked until one comes. */

import { createPrivateKey, createPublicKey, randomBytes } from "node:crypto";

const pkcs8 = Buffer.from("302e020100300506032b657004220420", "hex");
const spkiBytes = 12;

function field(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function pointOf(seed: Buffer): Buffer {
  const key = createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: "der", type: "pkcs8" });
  return createPublicKey(key).export({ format: "der", type: "spki" }).subarray(spkiBytes);
}

/** Behind which a number would be told apart from a negative one without it: then it is left out. */
export function hasZero(bytes: Buffer): boolean {
  return bytes[0] === 0 && (bytes[1] ?? 0) < 0x80;
}

/** A key whose seed and whose point both begin with a zero. */
export function keyWithZeros(): { readonly text: string; readonly key: Buffer } {
  for (;;) {
    const seed = Buffer.concat([Buffer.of(0, 1), randomBytes(30)]);
    const point = pointOf(seed);
    if (!hasZero(point)) continue;
    const key = Buffer.concat([field("ssh-ed25519"), field(point)]);
    const own = Buffer.concat([Buffer.alloc(8, 7), key, field(Buffer.concat([seed, point])), field("")]);
    const padding = Buffer.from(Array.from({ length: (8 - (own.length % 8)) % 8 }, (_, at) => at + 1));
    const file = Buffer.concat([
      Buffer.from("openssh-key-v1\0"),
      field("none"),
      field("none"),
      field(""),
      Buffer.of(0, 0, 0, 1),
      field(key),
      field(Buffer.concat([own, padding])),
    ]);
    const lines = file.toString("base64").match(/.{1,70}/gu) ?? [];
    return {
      text: `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join("\n")}\n-----END OPENSSH PRIVATE KEY-----\n`,
      key,
    };
  }
}
