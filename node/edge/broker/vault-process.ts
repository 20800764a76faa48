/**
 * The vault: a process of its own, without network, that holds a control peer's key and opens secrets with it.
 *
 * It opens no socket, and reads and writes nothing but its key and its standard input and output. It ends with its
 * parent. A value is given out only for a header that it belongs to, and for a place that this header names; an SSH key is
 * given out to nobody, nor is the one that signs the domain's tokens: they sign here, what their headers allow.
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { JWK } from "jose";
import { Decrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import { decodeIssuer, isToken, type TokenClaims } from "../../../protocol/credentials/issuer.ts";
import { decodeHeader, valueIn } from "../../../protocol/credentials/sealed-secret.ts";
import { originOf } from "../../../protocol/credentials/secret.ts";
import { isSamePlace } from "../../../protocol/credentials/ssh-place.ts";
import { encodeFrame, FrameDecoder } from "../../../protocol/frames.ts";
import { decodeValue, encodeValue } from "../../../protocol/values.ts";
import { readSshKey, signLogin } from "./ssh-keys.ts";
import type { FromVault, Sealed, ToVault } from "./vault-messages.ts";

const [, , keyFile = ""] = process.argv;
const identity = await ownIdentity();
const recipient = await identityToRecipient(identity);

async function ownIdentity(): Promise<string> {
  if (existsSync(keyFile)) return readFileSync(keyFile, "utf8").trim();
  const made = await generateX25519Identity();
  writeFileSync(keyFile, `${made}\n`, { mode: 0o600, flag: "wx", flush: true });
  return made;
}

async function answer(request: ToVault): Promise<FromVault> {
  const { id } = request;
  if (request.kind === "recipient") return { id, kind: "recipient", recipient };
  if (request.kind === "mint") return { id, ...(await mint(request)) };
  const { header } = request;
  const opened = decodeHeader(header);
  if (opened === null) return { id, kind: "refused", why: "its header is none" };
  if (request.kind === "open") {
    const { origin } = request;
    if (opened.kind === "ssh") return { id, kind: "refused", why: "an SSH key signs, and is sent nowhere" };
    if (origin === null && opened.class !== "exposed")
      return { id, kind: "refused", why: "whoever set it has not said that steps may be given it" };
    const isNamed = opened.destinations.some((destination) => originOf(destination) === origin);
    if (origin !== null && !isNamed) return { id, kind: "refused", why: `it may not be sent to ${origin}` };
  }
  const value = await valueOf(request);
  if ("why" in value) return { id, kind: "refused", ...value };
  if (request.kind === "open") return { id, kind: "value", ...value };
  if (opened.kind !== "ssh") return { id, kind: "refused", why: "it is for no SSH" };
  const key = await readSshKey(value.value);
  if ("why" in key) return { id, kind: "refused", ...key };
  if (request.kind === "ssh-key") return { id, kind: "made", bytes: key.public };
  const login = opened.logins.find((known) => isSamePlace(known, request.place));
  if (login === undefined) return { id, kind: "misused", refusal: "user" };
  const signed = await signLogin(key, login, request);
  return signed.ok
    ? { id, kind: "made", bytes: signed.value }
    : { id, kind: "misused", refusal: signed.problem };
}

/** The key signs tokens of its own issuer, for one audience and for minutes, and nothing else. */
async function mint({
  header,
  body,
  claims,
}: Sealed & { readonly claims: TokenClaims }): Promise<
  { readonly kind: "minted"; readonly token: string } | { readonly kind: "refused"; readonly why: string }
> {
  const issuer = decodeIssuer(header);
  const [key] = issuer?.keys ?? [];
  if (issuer === null || key === undefined || !isToken(claims, issuer))
    return { kind: "refused", why: "it is no token of this domain, or for too long" };
  const value = await valueOf({ header, body });
  if ("why" in value) return { kind: "refused", ...value };
  const { importJWK, SignJWT } = await import("jose");
  const own = await importJWK(JSON.parse(Buffer.from(value.value).toString()) as JWK, "ES256");
  const signing = new SignJWT({ ...claims }).setProtectedHeader({ alg: "ES256", kid: key.kid, typ: "JWT" });
  return { kind: "minted", token: await signing.sign(own) };
}

async function valueOf({ header, body }: Sealed): Promise<{ value: Uint8Array } | { why: string }> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  const plaintext = await decrypter.decrypt(body).catch(() => null);
  if (plaintext === null) return { why: "it is not sealed for this control peer" };
  const value = valueIn(plaintext, header);
  return value === null ? { why: "its value was sealed under another header" } : { value };
}

const decoder = new FrameDecoder();
process.stdin.on("data", (chunk: Buffer) => {
  const frames = decoder.push(chunk);
  if (frames === "oversized") process.exit(1);
  for (const frame of frames)
    void answer(decodeValue(frame) as ToVault).then((said) =>
      process.stdout.write(encodeFrame(encodeValue(said))),
    );
});
process.stdin.on("end", () => process.exit(0));
