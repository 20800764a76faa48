/**
 * How a registry of container images is asked: it says where to get a token for what is asked, the password goes there and
 * nowhere else, and the token goes with the request. The client, which is behind the broker, is asked for neither.
 *
 * @source https://distribution.github.io/distribution/spec/auth/token/
 */

import { placeOf } from "../../../protocol/credentials/place.ts";
import { type Destination, originOf } from "../../../protocol/credentials/secret.ts";
import { limits } from "../../../protocol/limits.ts";
import type { RequestAuth } from "./grants.ts";
import { type Answered, askUpstream } from "./ask-upstream.ts";
import { AddressRefused, type Resolver } from "./upstream.ts";

type Token = { readonly text: string; readonly untilMs: number };

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
    const headers: Record<string, string> = password === null ? {} : { authorization: password };
    return askUpstream(destination, { path, headers, body: null }, this.#resolve);
  }
}

/** What a token must be good for; empty: for nothing but to be known. */
function scopeOf({ method, path }: { readonly method: string; readonly path: string }): string {
  const name = /^\/v2\/(.+?)\/(?:manifests|blobs|tags|referrers)\//u.exec(path)?.[1];
  if (name === undefined) return "";
  return `repository:${name}:${method === "GET" || method === "HEAD" ? "pull" : "pull,push"}`;
}
