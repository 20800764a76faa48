/**
 * A secret as it is known to everybody who may see its record: what it is called, what it is for, and where it may be
 * sent. The value is not in it; `sealed-secret.ts` keeps the two together.
 *
 * Where a secret may be sent is part of the secret: a thief who could change that would have it sent to himself.
 */

import * as z from "zod/mini";
import { limits } from "../limits.ts";
import { isPlainName } from "../names.ts";
import { credentialKinds, type StepCredential } from "../plan.ts";
import { failure, type Result, success } from "../errors.ts";
import { type SshLogin, sshLogin } from "./ssh-login.ts";
import { isSamePlace, sshPlaceOf, sshPlaceWords } from "./ssh-place.ts";
import { isPathTemplate, isUnderPrefix } from "./paths.ts";
import { placeOf } from "./place.ts";

/**
 * `brokered`: the value stays with control peers, who use it in the step's name. `exposed`: a step may be given the value itself,
 * where its plan and the domain's policy say so, too.
 */
const secretClasses = ["brokered", "exposed"] as const;

const text = z.string().check(z.minLength(1), z.maxLength(limits.credentialTextCharactersMax));
const host = z
  .string()
  .check(z.maxLength(255), z.regex(/^(\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?)$/u));
const headerName = z.string().check(z.regex(/^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/u));
const some = limits.secretEntriesMax;

const destination = z.strictObject({
  scheme: z.enum(["https", "http"]),
  host,
  port: z.int().check(z.minimum(1), z.maximum(65_535)),
  /** Upper case; empty for kinds whose protocol says it. */
  methods: z.array(z.string().check(z.regex(/^[A-Z]{1,20}$/u))).check(z.maxLength(some)),
  /** Anchored templates: `{}` stands for one segment, `**` at the end for any that follow. */
  paths: z.array(z.string().check(z.refine(isPathTemplate))).check(z.minLength(1), z.maxLength(some)),
  /** The header that the value is put in, and what comes before it there; with `user` it is HTTP's Basic. */
  slot: z.strictObject({
    header: headerName,
    before: z.string().check(z.maxLength(100), z.regex(/^[\x20-\x7e]*$/u)),
    user: z.nullable(z.string().check(z.maxLength(100), z.regex(/^[\x21-\x39\x3b-\x7e]*$/u))),
  }),
  /** Private networks in which the host may be: `10.0.0.0/8`. Without them its addresses are public ones. */
  networks: z.array(z.string().check(z.regex(/^[0-9a-f.:]{2,45}\/\d{1,3}$/u))).check(z.maxLength(some)),
  /** Who signs for the host, in place of the authorities that everybody trusts. */
  authority: z.nullable(z.string().check(z.maxLength(limits.secretAuthorityCharactersMax))),
});

const header = z.strictObject({
  otto: z.literal("secret/1"),
  name: z.string().check(z.refine(isPlainName)),
  /** That of its register: an older record that is put back is known by it. */
  version: z.int().check(z.minimum(1)),
  /** `burnt`: it was seen by somebody, and is used no more. `removed`: there is none any more. */
  state: z.enum(["sealed", "burnt", "removed"]),
  class: z.enum(secretClasses),
  kind: z.enum(credentialKinds),
  destinations: z.array(destination).check(z.maxLength(some)),
  /** Of git: what may be pushed to, such as `refs/heads/main`. Without any: nothing. */
  pushRefs: z.array(z.string().check(z.regex(/^refs\/[\x21-\x7e]{1,200}$/u))).check(z.maxLength(some)),
  /** Of ssh, in place of destinations. */
  logins: z.array(sshLogin).check(z.maxLength(some)),
  /** Of oidc: for whom tokens are made. There is no value then: the domain makes them. */
  audience: z.optional(text),
  /** Where such a token is exchanged for another one, which is sent in its place. */
  exchange: z.optional(text),
  /** Who can open it: peers, and `recovery`. */
  recipients: z
    .array(z.strictObject({ peer: text, recipient: z.string().check(z.regex(/^age1[a-z0-9]{58}$/u)) }))
    .check(z.maxLength(limits.secretRecipientsMax)),
  createdMs: z.int().check(z.minimum(0)),
});

export type Destination = z.infer<typeof destination>;
export type SecretHeader = z.infer<typeof header>;

export function isSecretHeader(value: unknown): value is SecretHeader {
  return header.safeParse(value).success;
}

/** A step's right to use a secret: one destination of it, narrowed to what the plan says. */
export type Binding = {
  readonly name: string;
  readonly kind: StepCredential["kind"];
  readonly destination: Destination;
  /** Requests are below it; empty: all of the destination's. */
  readonly prefix: string;
  readonly pushRefs: readonly string[];
  readonly exchange?: string;
};

/** What a plan asks for, held against what the secret is for. A refusal is a sentence. */
export function bind(credential: StepCredential, secret: SecretHeader): Result<Binding, string> {
  const { name, kind, to } = credential;
  const unusable = whyUnusable(credential, secret);
  if (unusable !== null) return failure(unusable);
  if (kind === "oidc") return bindAudience(credential, secret);
  const wanted = placeOf(to);
  if (wanted === null)
    return failure(`The plan wants ${name} for ${to}, which is no place that it can be sent to.`);
  for (const destination of secret.destinations) {
    const { scheme, host, port } = destination;
    if (host !== wanted.host || port !== wanted.port || scheme !== wanted.scheme) continue;
    if (!destination.paths.some((template) => isUnderPrefix(template, wanted.prefix))) continue;
    // Indexes name files elsewhere on their host: there the secret's own paths are what counts.
    const prefix = kind === "npm" || kind === "pip" ? "" : wanted.prefix;
    return success({ name, kind, destination, prefix, pushRefs: secret.pushRefs });
  }
  const places = secret.destinations.map(originOf).join(", ");
  return failure(`The secret ${name} may be sent to ${places || "nowhere"}, and the plan asks for ${to}.`);
}

function bindAudience({ name, kind, to }: StepCredential, secret: SecretHeader): Result<Binding, string> {
  const { audience, destinations, pushRefs, exchange } = secret;
  const [destination] = destinations;
  if (destination === undefined || audience !== to)
    return failure(`The secret ${name} is for the audience ${audience}, and the plan asks for ${to}.`);
  return success({
    name,
    kind,
    destination,
    prefix: "",
    pushRefs,
    ...(exchange === undefined ? {} : { exchange }),
  });
}

/** A step's right to log in as somebody, by a key that it does not have. */
export type LoginBinding = { readonly name: string; readonly login: SshLogin };

/** As `bind`, for a plan that asks for a login. */
export function bindLogin(credential: StepCredential, secret: SecretHeader): Result<LoginBinding, string> {
  const { name, to } = credential;
  const unusable = whyUnusable(credential, secret);
  if (unusable !== null) return failure(unusable);
  const wanted = sshPlaceOf(to);
  const login = wanted === null ? undefined : secret.logins.find((known) => isSamePlace(known, wanted));
  if (login !== undefined) return success({ name, login });
  const places = secret.logins.map(sshPlaceWords).join(", ");
  return failure(`The secret ${name} may log in as ${places || "nobody"}, and the plan asks for ${to}.`);
}

function whyUnusable({ name, kind }: StepCredential, secret: SecretHeader): string | null {
  if (secret.state === "removed") return `There is no secret ${name} in this domain.`;
  if (secret.state === "burnt")
    return `The secret ${name} was burnt: it is used no more until it has a new value.`;
  return secret.kind === kind
    ? null
    : `The secret ${name} is for ${secret.kind}, and the plan asks for it as ${kind}.`;
}

export function originOf({ scheme, host, port }: Pick<Destination, "scheme" | "host" | "port">): string {
  return `${scheme}://${authorityOf({ scheme, host, port })}`;
}

/** Host and port as a `Host` header has them. */
export function authorityOf({ scheme, host, port }: Pick<Destination, "scheme" | "host" | "port">): string {
  return port === (scheme === "https" ? 443 : 80) ? host : `${host}:${port}`;
}
