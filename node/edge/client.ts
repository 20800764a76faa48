/** The caller's side of a call: a request, then items, or the callee's error as an exception. */

import { decodeItem, encodeRequest, errorOf, type Item } from "../../protocol/calls.ts";
import { OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type { Request } from "../../protocol/requests.ts";
import type { Channel } from "./channel.ts";

export type Answered = Exclude<Item, { readonly kind: "error" }>;

/**
 * Sends a request and yields its items until the callee is done. The channel is closed at the end. A callee from which
 * nothing at all is heard in time is given up: its process may be frozen while its machine still answers.
 */
export async function* callFor(channel: Channel, request: Request): AsyncGenerator<Answered, void, void> {
  let isSilent = false;
  const timer = setTimeout(() => {
    isSilent = true;
    channel.abort();
  }, limits.answerMsMax);
  try {
    await channel.send(encodeRequest(request));
    for await (const frame of channel.frames()) {
      clearTimeout(timer);
      const item = decodeItem(frame);
      if (item.kind === "error") throw errorOf(item);
      yield item;
    }
    if (isSilent) throw silent(null);
  } catch (error) {
    throw isSilent ? silent(error) : error;
  } finally {
    clearTimeout(timer);
    channel.abort();
  }
}

function silent(cause: unknown): OttoError {
  return new OttoError("OTTO_TIMED_OUT", {
    what: `The node took the call and said nothing for ${limits.answerMsMax / 1_000} s.`,
    state: "Whether it did what was asked is not known.",
    next: "Look whether its process is stopped or its machine overloaded, or ask another peer.",
    cause,
  });
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
