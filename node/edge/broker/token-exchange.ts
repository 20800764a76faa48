/**
 * The exchange of a token of the domain for one that another service gives for it, as clouds do: on the control peer, at the
 * address that the secret names, so that a step has neither.
 *
 * @source RFC 8693, OAuth 2.0 Token Exchange
 */

import { placeOf } from "../../../protocol/credentials/place.ts";
import type { Destination } from "../../../protocol/credentials/secret.ts";
import { askUpstream } from "./ask-upstream.ts";
import type { Resolver } from "./upstream.ts";

export type ExchangeAt = {
  readonly url: string;
  readonly audience: string;
  /** Of the secret: in which networks hosts may be, and who signs for them. */
  readonly destination: Destination;
  readonly resolve: Resolver | undefined;
};

/** @returns the other token, and for how long it is good. Throws when none was given. */
export async function exchangeToken(
  token: string,
  { url, audience, destination, resolve }: ExchangeAt,
): Promise<{ readonly text: string; readonly seconds: number }> {
  const place = placeOf(url);
  if (place === null) throw new Error("its token is exchanged nowhere");
  const { scheme, host, port, prefix } = place;
  const body = new URLSearchParams({
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    requested_token_type: "urn:ietf:params:oauth:token-type:access_token",
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    subject_token: token,
    audience,
  }).toString();
  const headers = {
    "content-type": "application/x-www-form-urlencoded",
    "content-length": String(Buffer.byteLength(body)),
  };
  const asked = { path: prefix === "" ? "/" : prefix, headers, body };
  const { answer, text } = await askUpstream({ ...destination, scheme, host, port }, asked, resolve);
  const given = answer.statusCode === 200 ? (JSON.parse(text) as Record<string, unknown>) : {};
  const { access_token: other, expires_in: seconds } = given;
  if (typeof other !== "string" || !/^[\x21-\x7e]{4,4000}$/u.test(other))
    throw new Error(`its token was exchanged for none (${answer.statusCode})`);
  return { text: other, seconds: typeof seconds === "number" ? Math.max(0, seconds) : 0 };
}
