/**
 * How fast one peer is listened to. Who says more than `limits` allow is read more slowly, not cut off: its stream is
 * paused, its window closes, and it is its own queue that grows.
 */

import type { Stream } from "@libp2p/interface";
import { limits } from "../../protocol/limits.ts";
import type { Clock } from "../ports.ts";

/** Words a peer may say at once after it was silent for a while, in seconds of its rate. */
const burstSeconds = 2;

export class InboundRate {
  readonly #clock: Pick<Clock, "monotonicMs" | "setTimer">;
  /** Messages, and bytes, that may be taken before the stream is paused. */
  #messages = limits.messagesPerSecondMax * burstSeconds;
  #bytes = limits.messageBytesPerSecondMax * burstSeconds;
  #countedMs: number;

  constructor(clock: Pick<Clock, "monotonicMs" | "setTimer">) {
    this.#clock = clock;
    this.#countedMs = clock.monotonicMs();
  }

  /** Counts what was read, and pauses the stream for as long as that was too much. */
  took(stream: Stream, read: { readonly messages: number; readonly bytes: number }): void {
    const nowMs = this.#clock.monotonicMs();
    const seconds = (nowMs - this.#countedMs) / 1_000;
    this.#countedMs = nowMs;
    const earned = (left: number, perSecond: number): number =>
      Math.min(left + seconds * perSecond, perSecond * burstSeconds);
    this.#messages = earned(this.#messages, limits.messagesPerSecondMax) - read.messages;
    this.#bytes = earned(this.#bytes, limits.messageBytesPerSecondMax) - read.bytes;
    const owedSeconds = Math.max(
      -this.#messages / limits.messagesPerSecondMax,
      -this.#bytes / limits.messageBytesPerSecondMax,
    );
    if (owedSeconds <= 0 || stream.readStatus !== "readable") return;
    stream.pause();
    this.#clock.setTimer(Math.ceil(owedSeconds * 1_000), () => {
      if (stream.readStatus === "paused") stream.resume();
    });
  }
}
