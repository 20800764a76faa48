/**
 * What a control peer and its vault say to each other, over the vault's standard input and output. Both are of the same
 * build, so these are checked by the compiler alone.
 */

import type { TokenClaims } from "../../../protocol/credentials/issuer.ts";
import type { SessionBind, SignRequest } from "../../../protocol/credentials/ssh-agent.ts";
import type { AgentRefusal } from "../../../protocol/credentials/ssh-judge.ts";
import type { SshPlace } from "../../../protocol/credentials/ssh-place.ts";

/** The header, as it was signed, and the age file that belongs to it. */
export type Sealed = { readonly header: Uint8Array; readonly body: Uint8Array };

export type ToVault =
  | { readonly id: number; readonly kind: "recipient" }
  | (Sealed & {
      readonly id: number;
      readonly kind: "open";
      /** Where the value is about to be sent: the header must say so too. Null: to a step itself. */
      readonly origin: string | null;
    })
  /** A token of the domain, by the key that its owner has sealed. */
  | (Sealed & { readonly id: number; readonly kind: "mint"; readonly claims: TokenClaims })
  /** The public half of an SSH key. */
  | (Sealed & { readonly id: number; readonly kind: "ssh-key" })
  /** A signature by an SSH key, for a login that the header allows. */
  | (Sealed & {
      readonly id: number;
      readonly kind: "ssh-sign";
      readonly place: SshPlace;
      readonly bind: SessionBind;
      readonly request: SignRequest;
    });

export type FromVault =
  | { readonly id: number; readonly kind: "recipient"; readonly recipient: string }
  | { readonly id: number; readonly kind: "value"; readonly value: Uint8Array }
  | { readonly id: number; readonly kind: "minted"; readonly token: string }
  /** A public key, or a signature. */
  | { readonly id: number; readonly kind: "made"; readonly bytes: Uint8Array }
  /** What is against a signature, as a word for the audit. */
  | { readonly id: number; readonly kind: "misused"; readonly refusal: AgentRefusal }
  | { readonly id: number; readonly kind: "refused"; readonly why: string };
