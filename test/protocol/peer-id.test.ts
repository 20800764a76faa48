/** A peer id is the public key as libp2p writes it. */

import { generateKeyPair, publicKeyFromRaw } from "@libp2p/crypto/keys";
import { assert, property, string, uint8Array } from "fast-check";
import { describe, expect, it } from "vitest";
import { verifySignature } from "../../node/edge/identity.ts";
import { peerIdOf, publicKeyOf } from "../../protocol/peer-id.ts";
import { newIdentity, owner } from "./domain.ts";

describe("a peer id", () => {
  it("is what libp2p says of a key that libp2p made", async () => {
    for (let count = 0; count < 20; count += 1) {
      const { publicKey } = await generateKeyPair("Ed25519");
      expect(peerIdOf(publicKey.raw)).toBe(publicKey.toString());
      expect(publicKeyOf(publicKey.toString())).toEqual(publicKey.raw);
    }
  });

  it("is what libp2p says of a key of ours", () => {
    for (let count = 0; count < 20; count += 1) {
      const { peer, raw } = newIdentity();
      expect(peer).toBe(publicKeyFromRaw(raw.subarray(32)).toString());
      expect(peer).toMatch(/^12D3KooW/);
    }
  });

  it("gives back any 32 bytes that it was made of", () => {
    assert(
      property(uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
        expect(publicKeyOf(peerIdOf(key))).toEqual(key);
      }),
    );
  });

  it("verifies what its key signed, and nothing else", () => {
    const bytes = Uint8Array.of(1, 2, 3);
    const signature = owner.sign(bytes);
    expect(verifySignature(owner.peer, bytes, signature)).toBe(true);
    expect(verifySignature(owner.peer, Uint8Array.of(1, 2, 4), signature)).toBe(false);
    expect(verifySignature(newIdentity().peer, bytes, signature)).toBe(false);
  });
});

describe("a text that is no peer id", () => {
  it.each([
    ["nothing", ""],
    ["a word", "nobody"],
    ["characters that base58 lacks", "0OIl".repeat(13)],
    ["a peer id that lost its last character", owner.peer.slice(0, -1)],
    ["a peer id with one more", `${owner.peer}1`],
    ["a peer id with its multibase prefix", `z${owner.peer}`],
    ["a peer id with a space", `${owner.peer} `],
    ["the id of an RSA key", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"],
    ["the id of a secp256k1 key", "16Uiu2HAm2jLxWxuRVDh8hPvmJJbgFbXCcrhxqVzMjGXZ3Q1zFqJr"],
    ["a key of 31 bytes", peerIdOf(new Uint8Array(31))],
    ["a key of 33 bytes", peerIdOf(new Uint8Array(33))],
  ])("has no key: %s", (_, text) => {
    expect(publicKeyOf(text)).toBeNull();
  });

  it("never throws, and what has a key is the one text of that key", () => {
    assert(
      property(string({ maxLength: 60 }), (text) => {
        const key = publicKeyOf(text);
        expect(key === null || peerIdOf(key) === text).toBe(true);
      }),
    );
  });
});
