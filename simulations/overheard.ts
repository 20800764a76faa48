/** What liars know: all that was said lately, by anybody to anybody. They sign with their own keys alone. */

import type { Submission } from "../protocol/manifest.ts";
import type { GrantedLease, Message } from "../protocol/messages.ts";
import type { Ballot } from "../protocol/registers/ballot.ts";
import type { Observation, PeerName } from "./observation.ts";

/** More of each is forgotten. */
const overheardMax = 32;

export class Overheard {
  readonly grants: { readonly to: PeerName; readonly lease: GrantedLease }[] = [];
  readonly results: { readonly from: PeerName; readonly envelope: Uint8Array }[] = [];
  readonly sessions: { readonly of: PeerName; readonly session: string }[] = [];
  readonly entries: Uint8Array[] = [];
  readonly announcements: Uint8Array[] = [];
  readonly ballots: Ballot[] = [];
  readonly accepts: Extract<Message, { kind: "accept" }>[] = [];
  readonly endorses: Extract<Message, { kind: "endorse" }>[] = [];
  readonly endorsed: Extract<Message, { kind: "endorsed" }>[] = [];
  /** What people signed. */
  readonly approvals: Uint8Array[] = [];
  readonly submissions: Submission[] = [];

  observe(observation: Observation): void {
    if (observation.kind === "submitted") remember(this.submissions, observation.submission);
    if (observation.kind === "asked-to-approve") remember(this.approvals, observation.bytes);
    if (observation.kind === "published") remember(this.announcements, observation.bytes);
    if (observation.kind !== "sent") return;
    const { message, peer, to } = observation;
    if (message.kind === "grant") for (const lease of message.leases) remember(this.grants, { to, lease });
    if (message.kind === "result") remember(this.results, { from: peer, envelope: message.envelope });
    if (message.kind === "session") remember(this.sessions, { of: peer, session: message.session });
    if (message.kind === "events") for (const entry of message.entries) remember(this.entries, entry);
    if (message.kind === "accept") remember(this.accepts, message);
    if (message.kind === "endorse") remember(this.endorses, message);
    if (message.kind === "endorsed") remember(this.endorsed, message);
    if (message.kind === "prepare") remember(this.ballots, message.ballot);
  }
}

function remember<Item>(items: Item[], item: Item): void {
  items.push(item);
  if (items.length > overheardMax) items.shift();
}
