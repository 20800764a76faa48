/**
 * Whom an SSH key logs in as, where, and by which keys that host is known: part of the secret, like the destinations of others.
 */

import { Buffer } from "node:buffer";
import * as z from "zod/mini";
import { limits } from "../limits.ts";
import { hostPattern, userPattern } from "./ssh-place.ts";

export const sshLogin = z.strictObject({
  user: z.string().check(z.regex(userPattern)),
  host: z.string().check(z.maxLength(255), z.regex(hostPattern)),
  port: z.int().check(z.minimum(1), z.maximum(65_535)),
  /** As the second and third word of a line in `known_hosts`. */
  hostKeys: z
    .array(
      z
        .string()
        .check(
          z.maxLength(limits.credentialTextCharactersMax),
          z.regex(/^[a-z0-9-]{1,64} [A-Za-z0-9+/]+={0,2}$/u),
        ),
    )
    .check(z.minLength(1), z.maxLength(limits.secretEntriesMax)),
});

export type SshLogin = z.infer<typeof sshLogin>;
/** The part of a host key's line that is compared. */
export function hostKeyBytes(hostKey: string): Uint8Array {
  return Buffer.from(hostKey.split(" ")[1] ?? "", "base64");
}
