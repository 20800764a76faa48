/**
 * The judge of a brokered request: what a step sent, held against what its credential is for.
 *
 * Pure: from a binding and the raw head of a request to what is sent on, or to why it is refused. Nothing is repaired:
 * a request that two programs could read in two ways is refused, since the judge must judge what the upstream serves.
 */

import { failure, type Result, success } from "../errors.ts";
import { limits } from "../limits.ts";
import { gitServiceOf } from "./git.ts";
import { authorityOf, type Binding, originOf } from "./secret.ts";
import { matchesTemplate, pathProblem } from "./paths.ts";

/** A step may show this where a client insists on a credential; the real one takes its place. */
export const placeholderPrefix = "otto-placeholder-";

export type RequestHead = {
  readonly method: string;
  /** As it stands in the request line. */
  readonly target: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
};

export type Allowed = {
  /** Path and query, to be sent. */
  readonly path: string;
  /** By which of the binding's templates. */
  readonly template: string;
  /** Its body says what it changes, which is to be judged before any of it is sent. */
  readonly isPush: boolean;
  /** Without the slot of the credential, the host, and whatever is between two hops only. */
  readonly headers: readonly (readonly [name: string, value: string])[];
};

export type Refusal = {
  /** A stable word for the audit. */
  readonly code: "smuggling" | "host" | "method" | "path" | "header" | "ref" | "misplaced";
  /** The end of a sentence. */
  readonly why: string;
};

/** Between two hops only, or about where a request came from; the broker has its own. */
const dropped: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "host",
  "accept-encoding",
  "expect",
  "forwarded",
  "via",
  "x-real-ip",
  // It goes on as HTTP/1.1, as a server that does not know the other protocol would.
  "upgrade",
  "http2-settings",
]);

/** By these some servers serve another method or path than the one that was judged. */
const overriding: ReadonlySet<string> = new Set([
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "x-original-url",
  "x-original-uri",
  "x-rewrite-url",
]);

/** The methods of kinds whose protocol says them. */
const methodsOf: Readonly<Partial<Record<Binding["kind"], readonly string[]>>> = {
  git: ["GET", "POST"],
  pip: ["GET", "HEAD"],
};

/** @param host what the client takes the broker for: it may name it, and the destination, and nobody else. */
export function judgeRequest(
  binding: Binding,
  head: RequestHead,
  host: string | null,
): Result<Allowed, Refusal> {
  const headers = headersOf(head.rawHeaders);
  if (!headers.ok) return headers;
  const broken = framingProblem(headers.value);
  if (broken !== null) return refuse("smuggling", broken);
  if (!isNamed(binding, headers.value, host)) return refuse("host", "it names another host");
  const target = originForm(binding, head.target, host);
  if (target === null) return refuse("host", "it is addressed to another host");
  const queryAt = target.indexOf("?");
  const path = queryAt === -1 ? target : target.slice(0, queryAt);
  const query = queryAt === -1 ? "" : target.slice(queryAt);
  if (target.includes(placeholderPrefix)) return misplaced("the address");
  const judged = binding.kind === "npm" ? unscoped(path) : path;
  const problem = pathProblem(judged);
  if (problem !== null) return refuse("path", `of its path: ${problem}`);
  if (/[^\x21-\x7e]|\\|#/u.test(query) || query.length > limits.credentialPathCharactersMax)
    return refuse("path", "of its query, which is too long or has characters that do not belong there");
  const { methods, paths, slot } = binding.destination;
  if (!(methodsOf[binding.kind] ?? methods).includes(head.method))
    return refuse("method", `the credential is not for ${head.method}`);
  const { prefix } = binding;
  const isBelow = prefix === "" || judged === prefix || judged.startsWith(`${prefix}/`);
  const template = isBelow ? paths.find((known) => matchesTemplate(known, judged)) : undefined;
  if (template === undefined) return refuse("path", `the credential is not for ${path}`);
  const service = binding.kind === "git" ? gitServiceOf(head.method, path, query) : "fetch";
  if (service === null)
    return refuse("path", `the credential is for git, and ${path} is none of its requests`);
  if (service === "push" && binding.pushRefs.length === 0)
    return refuse("ref", "the credential is for fetching, and for no push");
  if (service === "push" && headers.value.some(([name]) => name === "content-encoding"))
    return refuse("ref", "what a push changes must be legible");
  const sent: (readonly [string, string])[] = [];
  const hops = hopsOf(headers.value);
  for (const [name, value] of headers.value) {
    if (overriding.has(name)) return refuse("header", `${name} would have it served as another request`);
    if (dropped.has(name) || name.startsWith("x-forwarded-") || hops.has(name)) continue;
    if (name === slot.header) continue;
    if (value.includes(placeholderPrefix) || name.includes(placeholderPrefix))
      return misplaced(`the header ${name}`);
    sent.push([name, value]);
  }
  return success({
    path: target,
    template,
    headers: sent,
    isPush: service === "push" && head.method === "POST",
  });
}

function misplaced(where: string): Result<never, Refusal> {
  return refuse("misplaced", `the placeholder of a credential stands in ${where}, where none belongs`);
}

function refuse(code: Refusal["code"], why: string): Result<never, Refusal> {
  return failure({ code, why });
}

/** Lower-case names; a name or a value that is none is refused. */
function headersOf(raw: readonly string[]): Result<(readonly [string, string])[], Refusal> {
  const headers: (readonly [string, string])[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const [name = "", value = ""] = raw.slice(at, at + 2);
    if (!/^[a-z0-9!#$%&'*+.^_`|~-]+$/iu.test(name)) return refuse("smuggling", "of the name of a header");
    if (/[^\t\x20-\x7e]/u.test(value))
      return refuse("header", `of control or non-ASCII characters in the header ${name.toLowerCase()}`);
    headers.push([name.toLowerCase(), value]);
  }
  if (headers.length > limits.brokerHeadersMax) return refuse("header", "it has too many headers");
  return success(headers);
}

/** How long a request is must be said once, and in one way. */
function framingProblem(headers: readonly (readonly [string, string])[]): string | null {
  const all = (wanted: string): readonly string[] =>
    headers.filter(([name]) => name === wanted).map(([, value]) => value);
  const lengths = all("content-length");
  const codings = all("transfer-encoding");
  if (all("host").length !== 1) return "it must name one host";
  if (lengths.length > 1) return "it says its length twice";
  if (lengths.length > 0 && codings.length > 0) return "it says its length in two ways";
  if (lengths.some((length) => !/^\d{1,15}$/u.test(length))) return "its length is no number";
  if (codings.length > 1 || codings.some((coding) => coding.toLowerCase() !== "chunked"))
    return "it comes in a transfer coding other than chunked";
  return null;
}

/** A client names whom it speaks to: where the broker listens, or the host itself. */
function isNamed(
  { destination }: Binding,
  headers: readonly (readonly [string, string])[],
  host: string | null,
): boolean {
  const named = headers.find(([name]) => name === "host")?.[1].toLowerCase() ?? "";
  return named === host || named === authorityOf(destination);
}

/** Path and query of a target; null when it leads to another host. */
function originForm({ destination }: Binding, target: string, host: string | null): string | null {
  if (target.startsWith("/")) return target;
  for (const origin of [originOf(destination), ...(host === null ? [] : [`http://${host}`])])
    if (target.toLowerCase().startsWith(`${origin}/`)) return target.slice(origin.length);
  return null;
}

/** Headers that the client says are for this hop only. */
function hopsOf(headers: readonly (readonly [string, string])[]): ReadonlySet<string> {
  return new Set(
    headers
      .filter(([name]) => name === "connection")
      .flatMap(([, value]) => value.split(",").map((hop) => hop.trim().toLowerCase())),
  );
}

/** npm writes `/@scope%2fname` for what is `/@scope/name`: the one encoded slash that means one thing. */
function unscoped(path: string): string {
  return path.replace(/(^|\/)@([a-z0-9._~-]+)%2f(?=[a-z0-9._~-]+(\/|$))/iu, "$1@$2/");
}
