/**
 * Blobs between peers: asked for by digest, sent in chunks under the channel's flow control, hashed as they
 * arrive. What arrived whole is kept, so a transfer that breaks goes on with what is still missing.
 */

import { decodeItem, encodeItem, encodeRequest, errorOf, type Item } from "../../protocol/calls.ts";
import { OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { statSync } from "node:fs";
import type { Blobs } from "./blobs.ts";
import type { Channel } from "./channel.ts";
import { askFor } from "./client.ts";

/** Sends each blob, or says that it is not here. */
export async function sendBlobs(channel: Channel, blobs: Blobs, digests: readonly string[]): Promise<void> {
  for (const digest of digests) {
    if (!blobs.has(digest)) {
      await channel.send(encodeItem({ kind: "blob", digest, size: null }));
      continue;
    }
    const { size } = statSync(blobs.path(digest));
    await channel.send(encodeItem({ kind: "blob", digest, size }));
    for await (const chunk of blobs.read(digest, 0)) {
      for (let from = 0; from < chunk.length; from += limits.blobChunkBytes) {
        const bytes = chunk.subarray(from, from + limits.blobChunkBytes);
        await channel.send(encodeItem({ kind: "chunk", bytes }));
      }
    }
  }
}

/** Stores the blobs that arrive on a channel. Returns when the sender is done. */
export async function receiveBlobs(items: AsyncIterator<Item>, blobs: Blobs): Promise<void> {
  for (let next = await items.next(); next.done !== true; next = await items.next()) {
    const item = next.value;
    if (item.kind === "error") throw errorOf(item);
    if (item.kind === "done") return;
    if (item.kind !== "blob") throw unexpected();
    if (item.size !== null) await blobs.write(item.digest, chunksOf(items, item.size));
  }
}

/** The items of a channel, one by one. */
export async function* itemsOf(channel: Channel): AsyncGenerator<Item, void, void> {
  for await (const frame of channel.frames()) yield decodeItem(frame);
}

/** Brings what of `digests` the other side has and this store lacks. */
export async function fetchFrom(
  channel: Channel,
  blobs: Blobs,
  digests: readonly string[],
  certificate: Uint8Array | null,
): Promise<void> {
  try {
    for (let from = 0; from < digests.length; from += limits.digestsPerCallMax) {
      const some = digests.slice(from, from + limits.digestsPerCallMax);
      await channel.send(encodeRequest({ call: "get-blobs", certificate, digests: some }));
    }
    await channel.close();
    await receiveBlobs(itemsOf(channel), blobs);
  } finally {
    channel.abort();
  }
}

/** Gives blobs to the other side: those that it says it lacks. Two channels: one asks, one sends. */
export async function putTo(
  open: () => Promise<Channel>,
  blobs: Blobs,
  digests: readonly string[],
  certificate: Uint8Array | null,
): Promise<void> {
  const missing: string[] = [];
  for (let from = 0; from < digests.length; from += limits.digestsPerCallMax) {
    const some = digests.slice(from, from + limits.digestsPerCallMax);
    const request = { call: "missing-blobs", certificate, digests: some } as const;
    missing.push(...(await askFor(await open(), request, "missing")).digests);
  }
  if (missing.length === 0) return;
  const sending = await open();
  try {
    await sending.send(encodeRequest({ call: "put-blobs", certificate }));
    await sendBlobs(sending, blobs, missing);
    await sending.send(encodeItem({ kind: "done" }));
    const answer = (await itemsOf(sending).next()).value;
    if (answer?.kind === "error") throw errorOf(answer);
    if (answer?.kind !== "done") throw unexpected();
  } finally {
    sending.abort();
  }
}

async function* chunksOf(items: AsyncIterator<Item>, size: number): AsyncGenerator<Uint8Array, void, void> {
  for (let left = size; left > 0;) {
    const next = await items.next();
    if (next.done === true || next.value.kind !== "chunk" || next.value.bytes.length > left)
      throw unexpected();
    left -= next.value.bytes.length;
    yield next.value.bytes;
  }
}

function unexpected(): OttoError {
  return new OttoError("OTTO_MESSAGE_INVALID", {
    what: "A transfer of files was not what was agreed.",
    state: "What had arrived whole is kept.",
    next: "Try again; only what is missing is sent.",
  });
}
