/** Which of a step's credentials its own image is asked for with: the one for that registry, if it is used through a broker. */

import type { ImageName } from "../image-name.ts";
import type { StepCredential } from "../plan.ts";
import { placeOf } from "./place.ts";

/** Null: the image is asked for as everybody asks. */
export function credentialForImage(
  credentials: readonly StepCredential[],
  { registry }: Pick<ImageName, "registry">,
): StepCredential | null {
  const wanted = placeOf(registry);
  const fits = ({ kind, to, expose }: StepCredential): boolean => {
    const place = placeOf(to);
    const isThere = place?.host === wanted?.host && place?.port === wanted?.port && place?.prefix === "";
    return kind === "oci" && expose === undefined && isThere;
  };
  return wanted === null ? null : (credentials.find(fits) ?? null);
}
