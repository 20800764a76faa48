/** What is gossiped is believed only when the peer that it names as its author has said it. */

import { encodeMessage, type Message } from "../../protocol/messages.ts";
import { sha256Hex } from "../../protocol/values.ts";
import { type Checker, type PeerName, Violation } from "../observation.ts";

export function announcementsChecker(): Checker {
  const published = new Set<string>();
  return {
    name: "announcements",
    looksAt: ["published", "heard-of"],
    observe: (observation) => {
      if (observation.kind === "published") published.add(nameOf(observation.peer, observation.message));
      if (observation.kind !== "heard-of" || published.has(nameOf(observation.from, observation.message)))
        return;
      throw new Violation(
        "announcements",
        `${observation.peer} believes that ${observation.from} announced what it never did`,
      );
    },
    finish: () => undefined,
  };
}

function nameOf(author: PeerName, message: Message): string {
  return `${author} ${sha256Hex(encodeMessage(message))}`;
}
