/**
 * What a control peer and its vault say to each other, over the vault's standard input and output. Both are of the same
 * build, so these are checked by the compiler alone.
 */

export type ToVault =
  | { readonly id: number; readonly kind: "recipient" }
  | {
      readonly id: number;
      readonly kind: "open";
      /** The header, as it was signed, and the age file that belongs to it. */
      readonly header: Uint8Array;
      readonly body: Uint8Array;
      /** Where the value is about to be sent: the header must say so too. */
      readonly origin: string;
    };

export type FromVault =
  | { readonly id: number; readonly kind: "recipient"; readonly recipient: string }
  | { readonly id: number; readonly kind: "value"; readonly value: Uint8Array }
  | { readonly id: number; readonly kind: "refused"; readonly why: string };
