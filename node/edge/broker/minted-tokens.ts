/**
 * Tokens that the domain makes for a step, for one audience, each good for minutes. They are made while lease and permit
 * hold, go to the hosts that the secret names, and are in the memory of the control peer alone: the step and its worker see none.
 */

import { randomUUID } from "node:crypto";
import {
  type OpenedIssuer,
  type StepClaims,
  subjectOf,
  type TokenClaims,
} from "../../../protocol/credentials/issuer.ts";
import { limits } from "../../../protocol/limits.ts";
import { type ExchangeAt, exchangeToken } from "./token-exchange.ts";
import type { RequestAuth } from "./grants.ts";
import type { Vault } from "./vault.ts";

export type MintSources = {
  readonly issuer: () => OpenedIssuer | null;
  readonly vault: Pick<Vault, "mint">;
  readonly audience: string;
  /** What is said of the step now; null: it is not leased any more, or its gate is closed again. */
  readonly claims: () => StepClaims | null;
  readonly wallMs: () => number;
  /** Where others are given for them; null: they are sent as they are. */
  readonly exchange: ExchangeAt | null;
};

type Token = {
  readonly text: string;
  /** It is sent until then: one that is about to end would end on its way. */
  readonly sentUntilMs: number;
  readonly untilMs: number;
};

export class MintedTokens implements RequestAuth {
  readonly #sources: MintSources;
  /** The newest first. */
  #made: readonly Token[] = [];
  /** The domain's own, for which the newest was given. */
  #exchanged: Token | null = null;

  constructor(sources: MintSources) {
    this.#sources = sources;
  }

  get tokens(): readonly Uint8Array[] {
    const own = this.#exchanged === null ? [] : [this.#exchanged];
    return [...this.#made, ...own].map(({ text }) => Buffer.from(text));
  }

  async headerFor(_request: unknown, before: string): Promise<string> {
    return before + (await this.token());
  }

  async token(): Promise<string> {
    const nowMs = this.#sources.wallMs();
    this.#made = this.#made.filter(({ untilMs }) => untilMs > nowMs);
    const [newest] = this.#made;
    const isFresh = newest !== undefined && newest.sentUntilMs > nowMs;
    const claims = this.#sources.claims();
    if (claims === null) throw new Error("the step may use it no more");
    if (isFresh) return newest.text;
    const minted = await this.#mint(claims, nowMs);
    const { exchange } = this.#sources;
    if (exchange === null) return this.#keep(minted);
    const { text, seconds } = await exchangeToken(minted.text, exchange);
    // Known, so that it does not come back, and never sent itself.
    this.#exchanged = minted;
    return this.#keep(tokenOf(text, nowMs, Math.min(seconds * 1_000, limits.tokenMs)));
  }

  #keep(made: Token): string {
    this.#made = [made, ...this.#made];
    return made.text;
  }

  async #mint(step: StepClaims, nowMs: number): Promise<Token> {
    const { issuer: find, vault, audience } = this.#sources;
    const known = find();
    if (known === null)
      throw new Error("the domain makes no tokens: its owner has it do so with `otto domain oidc`");
    const { issuer, header, sealed: body } = known;
    const iat = Math.floor(nowMs / 1_000);
    const exp = iat + Math.floor(limits.tokenMs / 1_000);
    const times = { iat, nbf: iat, exp, jti: randomUUID() };
    const claims: TokenClaims = {
      ...step,
      iss: issuer.issuer,
      sub: subjectOf(step),
      aud: audience,
      ...times,
    };
    const made = await vault.mint({ header, body, claims });
    if ("why" in made) throw new Error(`the domain's key could not be used: ${made.why}`);
    return tokenOf(made.token, nowMs, limits.tokenMs);
  }
}

function tokenOf(text: string, nowMs: number, lifeMs: number): Token {
  return { text, sentUntilMs: nowMs + lifeMs / 2, untilMs: nowMs + lifeMs };
}
