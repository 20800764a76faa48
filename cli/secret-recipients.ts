/** Who can open what was sealed, and who should: why something must be sealed anew, by a new value. */

import { type Recipient, recoveryDocument } from "../protocol/credentials/sealed-secret.ts";
import type { Charter } from "../protocol/membership.ts";

/** Those who could open it and are control peers no more. */
export function gone(recipients: readonly Recipient[], { controls }: Charter): readonly Recipient[] {
  return recipients.filter(
    ({ peer }) => peer !== recoveryDocument.name && controls.every((control) => control.peer !== peer),
  );
}

/** @param now who should be able to. @returns the end of a sentence; null: all is as it should be. */
export function whyRotate(
  recipients: readonly Recipient[],
  charter: Charter,
  now: readonly Recipient[],
): string | null {
  const left = gone(recipients, charter);
  const named = (some: readonly Recipient[]): string => some.map(({ peer }) => peer).join(", ");
  if (left.length > 0) return `${named(left)} could open it, and is no control peer any more`;
  const without = now.filter(({ recipient }) => recipients.every((known) => known.recipient !== recipient));
  return without.length > 0 ? `${named(without)} cannot open it` : null;
}
