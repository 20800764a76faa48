/** An envelope opens only for whom, as what and where it was signed. */

import { beforeAll, describe, expect, it } from "vitest";
import { type EnvelopeKind, openEnvelope, sealEnvelope, type Signer } from "../../protocol/envelope.ts";
import { decodeValue, encodeValue } from "../../protocol/values.ts";
import { flipped, owner, stranger } from "./domain.ts";

const expected = { kind: "invite", domain: "d1" } as const;
const value = { hello: "world", list: [1, 2, 3] };
let sealed: Uint8Array;
let parts: unknown[];

beforeAll(() => {
  sealed = sealEnvelope("invite", "d1", value, owner);
  parts = decodeValue(sealed) as unknown[];
});

/** The envelope's parts with some replaced: kind 0, domain 1, signer 2, payload 3, signature 4. */
function replaced(changes: Readonly<Record<number, unknown>>): Uint8Array {
  return encodeValue(parts.map((part, index) => (index in changes ? changes[index] : part)));
}

/** Signs whatever bytes are given as an envelope's payload, canonical or not. */
function sealRaw(kind: EnvelopeKind, domain: string, payload: Uint8Array): Uint8Array {
  const type = `otto/${kind}/1;domain=${domain}`;
  const head = new TextEncoder().encode(`DSSEv1 ${type.length} ${type} ${payload.length} `);
  return encodeValue([kind, domain, owner.peer, payload, owner.sign(Buffer.concat([head, payload]))]);
}

describe("an envelope", () => {
  it("opens as what was sealed, and says who signed it", () => {
    const opened = openEnvelope(sealed, expected, stranger);
    expect(opened).toMatchObject({
      ok: true,
      value: { value, envelope: { kind: "invite", domain: "d1", signer: owner.peer } },
    });
  });

  it("signs what DSSE says: the type and the payload, each with its length", () => {
    expect(sealRaw("invite", "d1", encodeValue(value))).toEqual(sealed);
  });

  it("opens in any domain for a caller who checks the domain himself", () => {
    expect(openEnvelope(sealed, { kind: "invite", domain: null }, owner)).toMatchObject({ ok: true });
  });

  it("of another domain is refused as such", () => {
    expect(openEnvelope(sealed, { kind: "invite", domain: "d2" }, owner)).toEqual({
      ok: false,
      problem: "other-domain",
    });
  });

  it("does not open in another domain by naming it", () => {
    const moved = replaced({ 1: "d2" });
    expect(openEnvelope(moved, { kind: "invite", domain: "d2" }, owner)).toEqual({
      ok: false,
      problem: "bad-signature",
    });
    expect(openEnvelope(moved, { kind: "invite", domain: null }, owner)).toEqual({
      ok: false,
      problem: "bad-signature",
    });
  });

  it("of one kind does not open as another", () => {
    const asCharter = { kind: "charter", domain: "d1" } as const;
    expect(openEnvelope(sealed, asCharter, owner)).toEqual({ ok: false, problem: "malformed" });
    expect(openEnvelope(replaced({ 0: "charter" }), asCharter, owner)).toEqual({
      ok: false,
      problem: "bad-signature",
    });
  });

  it("cannot be claimed by another signer", () => {
    expect(openEnvelope(replaced({ 2: stranger.peer }), expected, owner)).toEqual({
      ok: false,
      problem: "bad-signature",
    });
  });

  it("without a signature is refused as unsigned", () => {
    expect(openEnvelope(replaced({ 4: new Uint8Array() }), expected, owner)).toEqual({
      ok: false,
      problem: "unsigned",
    });
    const silent: Signer = { peer: owner.peer, sign: () => new Uint8Array() };
    expect(openEnvelope(sealEnvelope("invite", "d1", value, silent), expected, owner)).toEqual({
      ok: false,
      problem: "unsigned",
    });
  });

  it("never opens with one bit flipped, in any of its bytes", () => {
    for (const [at, bytes] of flipped(sealed))
      expect(openEnvelope(bytes, expected, owner).ok, `byte ${at}`).toBe(false);
  });

  it("never opens cut short or with something behind it", () => {
    for (let length = 0; length < sealed.length; length += 1)
      expect(openEnvelope(sealed.subarray(0, length), expected, owner).ok, `${length} bytes`).toBe(false);
    expect(openEnvelope(Buffer.concat([sealed, Uint8Array.of(0)]), expected, owner).ok).toBe(false);
  });
});

describe("what is no envelope", () => {
  it.each<readonly [string, () => Uint8Array]>([
    ["no CBOR", () => Uint8Array.of(0xff)],
    ["a map", () => encodeValue({ kind: "invite" })],
    ["null", () => encodeValue(null)],
    ["a part less", () => encodeValue(parts.slice(0, 4))],
    ["a part more", () => encodeValue([...parts, null])],
    ["a domain that is a number", () => replaced({ 1: 7 })],
    ["a signer that is a list", () => replaced({ 2: [owner.peer] })],
    ["a payload that is a text", () => replaced({ 3: "payload" })],
    ["a signature that is null", () => replaced({ 4: null })],
    ["a payload that is no value", () => sealRaw("invite", "d1", Uint8Array.of(0xff))],
    [
      "a payload in no canonical order",
      () => sealRaw("invite", "d1", Uint8Array.of(0xa2, 0x61, 0x62, 1, 0x61, 0x61, 2)),
    ],
  ])("is refused as malformed: %s", (_, bytes) => {
    expect(openEnvelope(bytes(), expected, owner)).toEqual({ ok: false, problem: "malformed" });
  });

  it.each<readonly [string, Readonly<Record<number, unknown>>]>([
    ["of 63 bytes", { 4: new Uint8Array(63).fill(1) }],
    ["of 65 bytes", { 4: new Uint8Array(65).fill(1) }],
    ["of zeros", { 4: new Uint8Array(64) }],
    ["by a signer who is no peer", { 2: "nobody" }],
    ["by a signer without a name", { 2: "" }],
  ])("is refused for its signature %s", (_, changes) => {
    expect(openEnvelope(replaced(changes), expected, owner)).toEqual({
      ok: false,
      problem: "bad-signature",
    });
  });
});
