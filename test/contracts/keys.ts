/** What every Keys keeps to, with real or with fake signatures. */

import { describe, expect, it } from "vitest";
import type { Keys } from "../../node/ports.ts";
import { publicKeyOf } from "../../protocol/peer-id.ts";

const bytes = new TextEncoder().encode("what is signed");

export function keysContract(name: string, make: (who: string) => Keys): void {
  describe(`${name} keep the contract of keys`, () => {
    const one = make("one");
    const other = make("other");

    it("belong to a peer of their own", () => {
      expect(publicKeyOf(one.peer)).toHaveLength(32);
      expect(one.peer).not.toBe(other.peer);
    });

    it("sign what anybody can check", () => {
      expect(other.verify(one.peer, bytes, one.sign(bytes))).toBe(true);
      expect(one.verify(one.peer, new Uint8Array(), one.sign(new Uint8Array()))).toBe(true);
    });

    it("tell another's signature, other bytes and a damaged signature apart", () => {
      const signature = one.sign(bytes);
      expect(one.verify(other.peer, bytes, signature)).toBe(false);
      expect(one.verify(one.peer, bytes.subarray(1), signature)).toBe(false);
      for (let at = 0; at < signature.length; at += 1) {
        const damaged = Uint8Array.from(signature);
        damaged[at] = (damaged[at] ?? 0) ^ 1;
        expect(one.verify(one.peer, bytes, damaged)).toBe(false);
      }
    });

    it("refuse nonsense without a word", () => {
      expect(one.verify("nobody", bytes, one.sign(bytes))).toBe(false);
      expect(one.verify(one.peer, bytes, new Uint8Array())).toBe(false);
    });
  });
}
