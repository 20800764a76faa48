/** What the links between peers keep to, over TCP or simulated. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Message } from "../../protocol/messages.ts";

export type Heard =
  | { readonly kind: "up" | "down"; readonly peer: string }
  | { readonly kind: "message"; readonly peer: string; readonly message: Message };

export type NetworkUnderTest = {
  /** The names of two peers that are to be linked. */
  readonly one: string;
  readonly other: string;
  readonly send: (from: string, to: string, message: Message) => void;
  /** Everything that the peer was told, in order. */
  readonly heard: (peer: string) => readonly Heard[];
  /** Resolves when the condition holds; whoever makes the network gives up after a while. */
  readonly until: (condition: () => boolean) => Promise<void>;
  /** Breaks the link between the two; it comes back by itself. */
  readonly breakLink: () => void;
  readonly cleanUp: () => Promise<void>;
};

export function networkContract(name: string, make: () => Promise<NetworkUnderTest>): void {
  describe(`${name} keeps the contract of networks`, () => {
    let network: NetworkUnderTest;
    beforeEach(async () => {
      network = await make();
      const { one, other } = network;
      await network.until(() => isUp(network, one) && isUp(network, other));
    });
    afterEach(() => network.cleanUp());

    it("tells both sides that a link is up before any message of it", () => {
      const { one, other } = network;
      expect(network.heard(one)[0]).toEqual({ kind: "up", peer: other });
      expect(network.heard(other)[0]).toEqual({ kind: "up", peer: one });
    });

    it("delivers in order, each message once, both ways at once", async () => {
      const { one, other } = network;
      for (let count = 0; count < 300; count += 1) {
        network.send(one, other, numbered(count));
        network.send(other, one, numbered(count));
      }
      const all = Array.from({ length: 300 }, (_, count) => count);
      await network.until(() => numbers(network, one).length >= 300 && numbers(network, other).length >= 300);
      expect(numbers(network, one)).toEqual(all);
      expect(numbers(network, other)).toEqual(all);
    });

    it("drops without a word what is sent to a peer that nobody is linked to", () => {
      const { one } = network;
      expect(() => network.send(one, "nobody", numbered(1))).not.toThrow();
    });

    it("tells both sides of a break, brings the link back, and delivers a gapless beginning of what was sent", async () => {
      const { one, other } = network;
      for (let count = 0; count < 50; count += 1) network.send(one, other, numbered(count));
      network.breakLink();
      await network.until(() => downs(network, one) > 0 && downs(network, other) > 0);
      const before = numbers(network, other);
      expect(before).toEqual(before.map((_, index) => index));
      await network.until(() => isUp(network, one) && isUp(network, other));
      network.send(one, other, numbered(1_000));
      await network.until(() => numbers(network, other).includes(1_000));
      const after = numbers(network, other);
      expect(after.filter((count) => count < 1_000)).toEqual(before);
    });
  });
}

function numbered(count: number): Message {
  return { kind: "announce", run: String(count), bundle: "" };
}

function numbers(network: NetworkUnderTest, peer: string): number[] {
  return network
    .heard(peer)
    .flatMap((heard) =>
      heard.kind === "message" && heard.message.kind === "announce" ? [Number(heard.message.run)] : [],
    );
}

function downs(network: NetworkUnderTest, peer: string): number {
  return network.heard(peer).filter(({ kind }) => kind === "down").length;
}

function isUp(network: NetworkUnderTest, peer: string): boolean {
  return network.heard(peer).findLast(({ kind }) => kind !== "message")?.kind === "up";
}
