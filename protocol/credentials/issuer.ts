/**
 * The domain as an issuer of tokens (OpenID Connect): who it is to others, its keys, and what a token says of a step. The
 * private half of its key is sealed for control peers as secrets are; the rest is public, as files on any web server.
 */

import * as z from "zod/mini";
import { type Document, openDocument } from "../documents.ts";
import type { Verifier } from "../envelope.ts";
import { limits } from "../limits.ts";
import type { Charter } from "../membership.ts";
import { decodeUntrusted, encodeValue } from "../values.ts";

export const issuerDocument = { topic: "issuer", name: "issuer" } as const;

const coordinate = z.string().check(z.regex(/^[A-Za-z0-9_-]{43}$/u));
const key = z.strictObject({
  kid: z.string().check(z.regex(/^[A-Za-z0-9_-]{43}$/u)),
  x: coordinate,
  y: coordinate,
  /** When the last token by it has ended, milliseconds since 1970; null: it signs now. */
  untilMs: z.nullable(z.int()),
});

const header = z.strictObject({
  otto: z.literal("issuer/1"),
  /** Its address, below which the public files are. */
  issuer: z.string().check(z.maxLength(300), z.regex(/^https?:\/\/[a-z0-9.:[\]-]+(\/[A-Za-z0-9._~-]+)*$/u)),
  /** The one that signs comes first. */
  keys: z.array(key).check(z.minLength(1), z.maxLength(limits.issuerKeysMax)),
  /** Who can sign by it: control peers. */
  recipients: z
    .array(z.strictObject({ peer: z.string(), recipient: z.string().check(z.regex(/^age1[a-z0-9]{58}$/u)) }))
    .check(z.maxLength(limits.secretRecipientsMax)),
});

export type IssuerKey = z.infer<typeof key>;
export type IssuerHeader = z.infer<typeof header>;

/** What a token says besides who made it, for whom, and until when. */
export type StepClaims = {
  readonly domain: string;
  readonly pipeline: string;
  readonly run: string;
  readonly step: string;
  readonly attempt: number;
  readonly plan_digest: string;
  readonly trigger: string;
  readonly submitter: string;
  readonly environment?: string;
  readonly repository?: string;
  readonly ref?: string;
  readonly commit?: string;
  /** Digests of the files that the step is given, by their names. */
  readonly artifacts: Readonly<Record<string, string>>;
};

export type TokenClaims = StepClaims & {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string;
  readonly iat: number;
  readonly nbf: number;
  readonly exp: number;
  readonly jti: string;
};

/** Whom others give rights to. What comes by a pull request is never taken for the pipeline itself. */
export function subjectOf({ domain, pipeline, environment, ref, trigger }: StepClaims): string {
  const whose = `domain:${domain}:pipeline:${pipeline}`;
  if (trigger === "pull-request") return `${whose}:pull-request`;
  if (environment !== undefined) return `${whose}:environment:${environment}`;
  return ref === undefined ? whose : `${whose}:ref:${ref}`;
}

export function encodeIssuer(issuer: IssuerHeader): Uint8Array {
  return encodeValue(issuer);
}

export function isIssuer(value: unknown): value is IssuerHeader {
  return header.safeParse(value).success;
}

export function decodeIssuer(bytes: Uint8Array): IssuerHeader | null {
  const decoded = decodeUntrusted(bytes);
  return decoded.ok && isIssuer(decoded.value) ? decoded.value : null;
}

export type OpenedIssuer = {
  readonly issuer: IssuerHeader;
  readonly header: Uint8Array;
  readonly sealed: Uint8Array;
};

/** Null: the document is none, or its signature does not hold. */
export function openIssuer(bytes: Uint8Array, charter: Charter, keys: Verifier): OpenedIssuer | null {
  const opened = openDocument(bytes, charter, keys);
  return opened.ok ? issuerIn(opened.value.document) : null;
}

export function issuerIn({ topic, name, body }: Document): OpenedIssuer | null {
  if (topic !== issuerDocument.topic || name !== issuerDocument.name) return null;
  const { header: own, sealed } = (body ?? {}) as { header?: unknown; sealed?: unknown };
  if (!(own instanceof Uint8Array) || !(sealed instanceof Uint8Array)) return null;
  const issuer = decodeIssuer(own);
  return issuer === null ? null : { issuer, header: own, sealed };
}

/**
 * The keys by which tokens may be signed that still count, as another key takes over at this moment.
 *
 * @param former null also when somebody else may have its keys: then no token by them counts any more.
 */
export function keysAfter(former: IssuerHeader | null, next: IssuerKey, nowMs: number): IssuerKey[] {
  const untilMs = nowMs + limits.tokenMs + limits.issuerKeysCachedMs;
  const left = (former?.keys ?? [])
    .map((known) => ({ ...known, untilMs: known.untilMs ?? untilMs }))
    .filter((known) => known.untilMs > nowMs);
  return [next, ...left].slice(0, limits.issuerKeysMax);
}

const claimNames =
  "iss sub aud iat nbf exp jti domain pipeline repository ref commit environment step run attempt plan_digest trigger submitter artifacts";

/** The public files, by their paths below the issuer's address. */
export function publicFiles(
  { issuer, keys }: IssuerHeader,
  nowMs: number,
): Readonly<Record<string, unknown>> {
  const good = keys.filter(({ untilMs }) => untilMs === null || untilMs > nowMs);
  const fixed = { kty: "EC", crv: "P-256", alg: "ES256", use: "sig" };
  return {
    ".well-known/openid-configuration": {
      issuer,
      jwks_uri: `${issuer}/jwks.json`,
      response_types_supported: ["id_token"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["ES256"],
      claims_supported: claimNames.split(" "),
    },
    "jwks.json": { keys: good.map(({ kid, x, y }) => ({ ...fixed, kid, x, y })) },
  };
}

/** Whether a control peer may sign it: in this domain's name, for one audience, and for minutes. */
export function isToken(claims: TokenClaims, { issuer }: Pick<IssuerHeader, "issuer">): boolean {
  const { iss, sub, aud, iat, nbf, exp } = claims;
  const seconds = exp - iat;
  const isShort = seconds > 0 && seconds * 1_000 <= limits.tokenMs && nbf >= iat;
  return iss === issuer && typeof aud === "string" && aud !== "" && isShort && sub === subjectOf(claims);
}
