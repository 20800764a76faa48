/** The caller's side of a call: a request, then items, or the callee's error as an exception. */

import { decodeItem, encodeRequest, errorOf, type Item } from "../../protocol/calls.ts";
import { OttoError } from "../../protocol/errors.ts";
import type { Request } from "../../protocol/requests.ts";
import type { Channel } from "./channel.ts";

export type Answered = Exclude<Item, { readonly kind: "error" }>;

/** Sends a request and yields its items until the callee is done. The channel is closed at the end. */
export async function* callFor(channel: Channel, request: Request): AsyncGenerator<Answered, void, void> {
  try {
    await channel.send(encodeRequest(request));
    for await (const frame of channel.frames()) {
      const item = decodeItem(frame);
      if (item.kind === "error") throw errorOf(item);
      yield item;
    }
  } finally {
    channel.abort();
  }
}

/** The one item of a stated kind that answers a request. */
export async function askFor<Kind extends Answered["kind"]>(
  channel: Channel,
  request: Request,
  kind: Kind,
): Promise<Extract<Answered, { kind: Kind }>> {
  for await (const item of callFor(channel, request))
    if (item.kind === kind) return item as Extract<Answered, { kind: Kind }>;
  throw new OttoError("OTTO_UNREACHABLE", {
    what: "The node ended the call without an answer.",
    next: "Ask again, or ask another peer.",
  });
}
