/**
 * A grant: the right of one attempt to use one credential, with the value, for as long as its lease lives.
 *
 * The value is in the memory of this process only while a grant is there, and is overwritten when it ends. Whatever is
 * under way in a grant's name ends with it.
 */

import { type Mask, maskOf } from "../../../protocol/credentials/masker.ts";
import type { Binding } from "../../../protocol/credentials/secret.ts";
import type { Result } from "../../../protocol/errors.ts";
import type { LeasedStep } from "../../core/leased-step.ts";
import { GrantLife } from "./grant-life.ts";
import { RegistryAuth } from "./registry-auth.ts";
import { openUpstream, type Resolver, type Upstream } from "./upstream.ts";

/** The attempt that may use a credential, as the control peer's own table and plan have it. */
export type Holder = Omit<LeasedStep, "credentials" | "owner">;

export type RequestAuth = {
  /** Those that are known now: like the value they must not come back. */
  readonly tokens: readonly Uint8Array[];
  /** What stands in the header for this request. @param usual what would stand there with the value itself. */
  headerFor(request: { readonly method: string; readonly path: string }, usual: string): Promise<string>;
};

export class Grant {
  readonly holder: Holder;
  readonly binding: Binding;
  readonly upstream: Upstream;
  readonly life = new GrantLife();
  /** Placeholders of all credentials of the attempt: none of them may leave in a body. */
  readonly placeholders: readonly string[];
  /** What goes in the header in place of the value itself: a token that is got for it, or made. */
  readonly auth: RequestAuth | null;
  readonly #value: Buffer;
  #masked: { readonly known: string; readonly mask: Result<Mask, string> } | null = null;

  constructor(
    holder: Holder,
    {
      binding,
      value,
      placeholders,
      resolve,
      minted = null,
    }: {
      readonly binding: Binding;
      readonly value: Uint8Array;
      readonly placeholders: readonly string[];
      readonly resolve?: Resolver | undefined;
      readonly minted?: RequestAuth | null;
    },
  ) {
    this.holder = holder;
    this.binding = binding;
    this.placeholders = placeholders;
    this.#value = Buffer.from(value);
    this.auth = binding.kind === "oci" ? new RegistryAuth(binding.destination, resolve) : minted;
    this.upstream = openUpstream(binding.destination, resolve);
  }

  get value(): Buffer {
    return this.#value;
  }

  /** What stands in the header of the credential. */
  get slot(): { readonly header: string; readonly value: string } {
    const { header, before, user } = this.binding.destination.slot;
    const text = this.#value.toString("latin1");
    const value = user === null ? text : Buffer.from(`${user}:${text}`, "latin1").toString("base64");
    return { header, value: before + value };
  }

  /** Takes out of answers what must not come back: the value, what is made of it for its header, and tokens got for it. */
  get masked(): Result<Mask, string> {
    const { user } = this.binding.destination.slot;
    const tokens = this.auth?.tokens ?? [];
    const known = tokens.map(String).join(" ");
    if (this.#masked?.known === known) return this.#masked.mask;
    const own = this.#value.length === 0 ? [] : [this.#value];
    const login = user === null ? [] : own.map((value) => Buffer.concat([Buffer.from(`${user}:`), value]));
    const mask = maskOf([...own, ...login, ...tokens]);
    this.#masked = { known, mask };
    return mask;
  }

  get mask(): Mask {
    const { masked } = this;
    if (masked.ok) return masked.value;
    throw new Error(masked.problem);
  }

  end(): void {
    this.life.end();
    this.upstream.close();
    this.#value.fill(0);
    this.#masked = null;
  }
}
