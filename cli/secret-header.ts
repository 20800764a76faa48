/** From the options of `otto secret set` to what a secret is for: where it may be sent, and how it goes there. */

import { readFileSync } from "node:fs";
import { placeOf } from "../protocol/credentials/place.ts";
import { type Destination, isSecretHeader, type SecretHeader } from "../protocol/credentials/secret.ts";
import { type SshPlace, sshPlaceOf } from "../protocol/credentials/ssh-place.ts";
import { OttoError } from "../protocol/errors.ts";
import { credentialKinds, type StepCredential } from "../protocol/plan.ts";

export type PurposeOptions = {
  readonly kind?: string;
  readonly to?: readonly string[];
  readonly method?: readonly string[];
  readonly path?: readonly string[];
  readonly header?: string;
  readonly user?: string;
  readonly network?: readonly string[];
  readonly authority?: string;
  readonly push?: readonly string[];
  readonly hostKey?: readonly string[];
  readonly audience?: string;
  readonly exchange?: string;
  readonly exposable?: boolean;
};

export type Purpose = Pick<
  SecretHeader,
  "kind" | "class" | "destinations" | "pushRefs" | "logins" | "audience" | "exchange"
>;

type Kind = StepCredential["kind"];

/** The methods that are allowed when none are named: those that change nothing. */
const reading = ["GET", "HEAD"];
/** Who a token logs in as, where it goes as a password and nobody said. */
const usualUsers: Readonly<Partial<Record<Kind, string>>> = { git: "x-access-token", pip: "__token__" };

export function purposeOf(options: PurposeOptions): Purpose {
  const { kind: named = "http", push = [], hostKey = [], audience } = options;
  const kind = credentialKinds.find((known) => known === named);
  if (kind === undefined)
    throw wrong(`${named} is no kind of credential`, `Use one of: ${credentialKinds.join(", ")}.`);
  if (push.length > 0 && kind !== "git") throw wrong("--push is for git", "Say --kind git.");
  const { to = [] } = options;
  const example = kind === "ssh" ? "--to USER@HOST" : "--to https://HOST";
  if (to.length === 0) throw wrong("it does not say where the secret may be used", `Say ${example}.`);
  if (hostKey.length > 0 && kind !== "ssh") throw wrong("--host-key is for ssh", "Say --kind ssh.");
  if (kind === "ssh") {
    if (options.exposable === true)
      throw wrong("a key for SSH is given to no step", "Leave --exposable out.");
    const hostKeys = hostKey.map(hostKeyIn);
    if (hostKeys.length === 0)
      throw wrong("it does not say by which keys the host is known", "Say --host-key 'ssh-ed25519 AAAA...'.");
    const logins = to.map((place) => ({ ...loginOf(place), hostKeys }));
    return { kind, class: "brokered", destinations: [], pushRefs: [], logins };
  }
  if (audience !== undefined && kind !== "oidc") throw wrong("--audience is for oidc", "Say --kind oidc.");
  if (kind === "oidc" && (audience === undefined || to.length > 1))
    throw wrong("tokens are for one audience, and go to one host", "Say --audience NAME, and --to once.");
  const { exchange } = options;
  if (exchange !== undefined && (kind !== "oidc" || placeOf(exchange) === null))
    throw wrong("--exchange is for oidc, and an address", "Say --kind oidc --exchange https://HOST/PATH.");
  const destinations = to.map((place) => destinationOf(place, kind, options));
  return {
    kind,
    class: options.exposable === true ? "exposed" : "brokered",
    destinations,
    pushRefs: [...push],
    logins: [],
    ...(audience === undefined ? {} : { audience }),
    ...(exchange === undefined ? {} : { exchange }),
  };
}

function loginOf(to: string): SshPlace {
  const place = sshPlaceOf(to);
  if (place === null) throw wrong(`${to} is no place to log in at`, "Write USER@HOST or USER@HOST:PORT.");
  return place;
}

/** A line of a `.pub` file, or of `known_hosts`. */
function hostKeyIn(line: string): string {
  const [, key] = /(?:^|\s)((?:ssh|ecdsa)-[a-z0-9-]+ [A-Za-z0-9+/]+={0,2})(?:\s|$)/u.exec(line) ?? [];
  if (key === undefined)
    throw wrong(`${line} is no key of a host`, "Write 'ssh-ed25519 AAAA...', as in the host's .pub file.");
  return key;
}

/** Throws when something of it is not as it must be: what is wrong is found before a value is asked for. */
export function checkHeader(header: SecretHeader): SecretHeader {
  if (isSecretHeader(header)) return header;
  throw wrong("a path, a method, a network or a header of it is none", "See `otto secret set --help`.");
}

function destinationOf(to: string, kind: Kind, options: PurposeOptions): Destination {
  const place = placeOf(to);
  if (place === null)
    throw wrong(`${to} is no place`, "Write https://HOST, https://HOST:PORT or https://HOST/PATH.");
  const { scheme, host, port, prefix } = place;
  const { method = reading, path, network = [], authority } = options;
  return {
    scheme,
    host,
    port,
    methods: method.map((word) => word.toUpperCase()),
    paths: path === undefined ? [`${prefix}/**`] : [...path],
    slot: slotOf(kind, options),
    networks: [...network],
    authority: authority === undefined ? null : readFileSync(authority, "utf8"),
  };
}

/** `--header 'X-Api-Key: {}'`, or a user for HTTP's Basic, or what the kind usually takes. */
function slotOf(kind: Kind, { header, user = usualUsers[kind] }: PurposeOptions): Destination["slot"] {
  if (header === undefined)
    return user === undefined
      ? { header: "authorization", before: "Bearer ", user: null }
      : { header: "authorization", before: "Basic ", user };
  const [, name, before] = /^([^:\s]+):\s*([^{}]*)\{\}$/u.exec(header) ?? [];
  if (name === undefined || before === undefined)
    throw wrong(
      `${header} is no header`,
      "Write 'NAME: {}', with {} where the value goes: 'Authorization: Bearer {}'.",
    );
  return { header: name.toLowerCase(), before, user: null };
}

function wrong(why: string, next: string): OttoError {
  return new OttoError("OTTO_USAGE", {
    what: `The secret cannot be set like this: ${why}.`,
    state: "Nothing was changed.",
    next,
  });
}
