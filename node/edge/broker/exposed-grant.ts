/**
 * A secret that a step itself is given: what the plan, whoever set the secret and the owner of the domain have all said. From then on it
 * is in the hands of whoever wrote the step's code; that it was given is in the book of uses.
 */

import type { StepCredential } from "../../../protocol/plan.ts";
import { GrantLife } from "./grant-life.ts";
import type { Holder } from "./grants.ts";

export class ExposedGrant {
  readonly holder: Holder;
  readonly binding: { readonly name: string };
  readonly life = new GrantLife();
  readonly #credential: StepCredential;
  readonly #value: () => Promise<Uint8Array>;

  /** @param value made, or opened, for each time that it is given. */
  constructor(holder: Holder, credential: StepCredential, value: () => Promise<Uint8Array>) {
    this.holder = holder;
    this.binding = { name: credential.name };
    this.#credential = credential;
    this.#value = value;
  }

  get as(): string {
    return this.#credential.expose ?? "file";
  }

  value(): Promise<Uint8Array> {
    return this.#value();
  }

  end(): void {
    this.life.end();
  }
}
