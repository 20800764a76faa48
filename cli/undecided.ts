/**
 * Whether a domain can decide anything now, as the node that was asked sees its control peers: a majority of those that
 * its charter lists must be reachable. A moment later it may be otherwise.
 */

import { OttoError } from "../protocol/errors.ts";
import { controlsOf } from "./domain-documents.ts";
import type { Target } from "./target.ts";

/** One sentence on what is missing; null: a majority is reachable, or the node that was asked cannot tell. */
export async function whyUndecided(target: Target): Promise<string | null> {
  try {
    const { controls, opened } = await controlsOf(target);
    const listed = new Set(opened.controls.map(({ peer }) => peer));
    const reachable = controls.filter(({ peer, state }) => listed.has(peer) && state !== "unlinked").length;
    const takes = Math.floor(opened.size / 2) + 1;
    if (reachable >= takes) return null;
    return `Nothing can be decided now: fewer than a majority of the control peers are reachable (${reachable} of ${opened.size}; it takes ${takes}).`;
  } catch (error) {
    // A worker that reaches none of them says so; any other trouble says nothing about them.
    const isAlone = error instanceof OttoError && error.code === "OTTO_UNREACHABLE";
    return isAlone
      ? "Nothing can be decided now: no control peer is reachable from the node that was asked."
      : null;
  }
}
