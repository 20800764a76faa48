/**
 * Waiting until a stream takes more. libp2p's own `onDrain` remembers its first drain for ever and resolves at once
 * from then on (3.3), so that whoever relies on it fills the stream's buffer without bound.
 */

import type { Stream } from "@libp2p/interface";

/** Resolves when everything that was handed to the stream is on its way; rejects when the stream is over before. */
export async function drained(stream: Stream): Promise<void> {
  while (stream.writableNeedsDrain || stream.writeBufferLength > 0) {
    await nextEvent(stream);
    // The stream goes on sending in a microtask of its own, and may be full again.
    await Promise.resolve();
    await Promise.resolve();
  }
}

function nextEvent(stream: Stream): Promise<void> {
  return new Promise((resolve, reject) => {
    const forget = (): void => {
      stream.removeEventListener("drain", happened);
      stream.removeEventListener("idle", happened);
      stream.removeEventListener("close", broke);
    };
    const happened = (): void => {
      forget();
      resolve();
    };
    const broke = (): void => {
      forget();
      reject(new Error("the stream is closed"));
    };
    stream.addEventListener("drain", happened);
    stream.addEventListener("idle", happened);
    stream.addEventListener("close", broke);
    if (stream.writeStatus === "closed") broke();
  });
}
