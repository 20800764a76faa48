/**
 * How a registry of container images is asked: it says where to get a token for what is asked, the password goes there and
 * nowhere else, and the token goes with the request. The client, which is behind the broker, is asked for neither.
 *
 * @source https://distribution.github.io/distribution/spec/auth/token/
 */

import { type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { type Destination, originOf, placeOf } from "../../../protocol/credentials/secret.ts";
import { limits } from "../../../protocol/limits.ts";
import type { RequestAuth } from "./grants.ts";
import { AddressRefused, openUpstream, type Resolver, type Upstream } from "./upstream.ts";

type Token = { readonly text: string; readonly untilMs: number };
type Answered = { readonly answer: IncomingMessage; readonly text: string };

export class RegistryAuth implements RequestAuth {
  readonly #registry: Destination;
  readonly #resolve: Resolver | undefined;
  readonly #tokens = new Map<string, Token>();
  #challenge: string | null = null;

  constructor(registry: Destination, resolve: Resolver | undefined) {
    this.#registry = registry;
    this.#resolve = resolve;
  }

  get tokens(): readonly Uint8Array[] {
    return [...this.#tokens.values()].map(({ text }) => Buffer.from(text));
  }

  /** @param password what goes to whoever gives tokens, or to the registry when it asks for no token. */
  async headerFor(
    request: { readonly method: string; readonly path: string },
    password: string,
  ): Promise<string> {
    this.#challenge ??=
      (await this.#ask(this.#registry, "/v2/", null)).answer.headers["www-authenticate"] ?? "";
    const realm = /^bearer .*?realm="([^"]+)"/iu.exec(this.#challenge)?.[1];
    if (realm === undefined) return password;
    const service = /service="([^"]+)"/iu.exec(this.#challenge)?.[1] ?? "";
    const scope = scopeOf(request);
    const known = this.#tokens.get(scope);
    if (known !== undefined && known.untilMs > performance.now()) return `Bearer ${known.text}`;
    const token = await this.#fetch(realm, { service, scope }, password);
    if (this.#tokens.size >= limits.registryTokensMax) this.#tokens.clear();
    this.#tokens.set(scope, token);
    return `Bearer ${token.text}`;
  }

  async #fetch(
    realm: string,
    { service, scope }: { readonly service: string; readonly scope: string },
    password: string,
  ): Promise<Token> {
    const place = placeOf(realm);
    // A registry that was taken over would have the password sent to its new owner.
    if (place === null || originOf(place) !== originOf(this.#registry))
      throw new AddressRefused(`its registry wants the password at ${realm}, which the secret does not name`);
    const query = new URLSearchParams({
      ...(service === "" ? {} : { service }),
      ...(scope === "" ? {} : { scope }),
    });
    const { answer, text } = await this.#ask(this.#registry, `${place.prefix}?${query.toString()}`, password);
    const given = answer.statusCode === 200 ? (JSON.parse(text) as Record<string, unknown>) : {};
    const token = given["token"] ?? given["access_token"];
    if (typeof token !== "string" || !/^[\x21-\x7e]+$/u.test(token))
      throw new Error(`it gave no token (${answer.statusCode})`);
    const seconds = typeof given["expires_in"] === "number" ? given["expires_in"] : 60;
    return { text: token, untilMs: performance.now() + Math.max(0, seconds - 10) * 1_000 };
  }

  #ask(destination: Destination, path: string, password: string | null): Promise<Answered> {
    const { scheme, host, port } = destination;
    const upstream: Upstream = openUpstream(destination, this.#resolve);
    const headers = password === null ? {} : { authorization: password };
    const { agent, lookup } = upstream;
    return new Promise<Answered>((resolve, reject) => {
      const dial = scheme === "https" ? httpsRequest : httpRequest;
      const options = { agent, lookup, host, port, path, headers, timeout: limits.requestMsMax };
      const asked = dial(options, (answer) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        answer.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes <= limits.secretBytesMax * 4) chunks.push(chunk);
        });
        answer.once("end", () => resolve({ answer, text: Buffer.concat(chunks).toString() }));
        answer.once("error", reject);
      });
      asked.once("timeout", () => asked.destroy(new Error("it did not answer in time")));
      asked.once("error", reject);
      asked.end();
    }).finally(() => upstream.close());
  }
}

/** What a token must be good for; empty: for nothing but to be known. */
function scopeOf({ method, path }: { readonly method: string; readonly path: string }): string {
  const name = /^\/v2\/(.+?)\/(?:manifests|blobs|tags|referrers)\//u.exec(path)?.[1];
  if (name === undefined) return "";
  return `repository:${name}:${method === "GET" || method === "HEAD" ? "pull" : "pull,push"}`;
}
