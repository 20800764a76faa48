import { describe, expect, it } from "vitest";
import { type Channel, impatient } from "../../node/edge/channel.ts";

/** A channel whose other side says these frames and is then silent, and takes nothing. */
function silentAfter(...said: readonly Uint8Array[]): {
  readonly channel: Channel;
  readonly aborted: () => number;
} {
  let aborts = 0;
  let breakOff: (cause: Error) => void = () => undefined;
  const broken = new Promise<never>((_, reject) => (breakOff = reject));
  broken.catch(() => undefined);
  const channel: Channel = {
    peer: "p",
    send: () => broken,
    async *frames() {
      yield* said;
      await broken;
    },
    close: () => Promise.resolve(),
    abort: () => {
      aborts += 1;
      breakOff(new Error("broken"));
    },
    onClosed: () => undefined,
  };
  return { channel, aborted: () => aborts };
}

describe("an impatient channel", () => {
  it("hands on what comes, and breaks when the other side is silent", async () => {
    const { channel, aborted } = silentAfter(Uint8Array.of(1), Uint8Array.of(2));
    const heard: number[] = [];
    const listening = (async () => {
      for await (const [first] of impatient(channel, 20).frames()) heard.push(first ?? 0);
    })();
    await expect(listening).rejects.toThrow("broken");
    expect(heard).toEqual([1, 2]);
    expect(aborted()).toBe(1);
  });

  it("breaks when the other side takes nothing", async () => {
    const { channel } = silentAfter();
    await expect(impatient(channel, 20).send(Uint8Array.of(1))).rejects.toThrow("broken");
  });

  it("waits for ever while nobody waits for the other side", async () => {
    const { channel, aborted } = silentAfter(Uint8Array.of(1));
    const frames = impatient(channel, 5).frames();
    await frames.next();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(aborted()).toBe(0);
  });
});
