/** One decoder that made-up bytes are for. */

export type Target = {
  readonly name: string;
  /** What they are made from. */
  readonly valid: readonly Uint8Array[];
  decode(bytes: Uint8Array): unknown;
};
