/** A submission that a control peer knows of and that is not closed, and what it says of it to others. */

import type { Submission } from "../../protocol/manifest.ts";
import type { Message } from "../../protocol/messages.ts";

export type Known = {
  readonly submission: Submission;
  readonly bytes: Uint8Array;
  source: "asked" | "here" | "missing";
  /** Who is to hear of its admission. */
  readonly announcers: Set<string>;
  /** Other control peers that have its plan and files on their disks. */
  readonly holders: Set<string>;
  /** True when this peer has heard that the domain admitted it. */
  admitted: boolean;
};

/** Of a run, or of an order: it was set, or came too late to be. */
export function admittedMessage(run: string): Message {
  return { kind: "announced", run, state: "admitted", reason: "" };
}

export function holdsMessage({ submission: { run, digest } }: Known): Message {
  return { kind: "holds", run, bundle: digest };
}
