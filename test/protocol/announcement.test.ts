/** An announcement counts only from a member, in its own words, in its domain. */

import { assert, property, uint8Array } from "fast-check";
import { describe, expect, it } from "vitest";
import { openAnnouncements, sealAnnouncements } from "../../protocol/announcement.ts";
import { type RefusedBecause, sealEnvelope, type Signer } from "../../protocol/envelope.ts";
import { failure } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { openCertificate } from "../../protocol/certificate.ts";
import { domainId } from "../../protocol/membership.ts";
import { encodeMessage } from "../../protocol/messages.ts";
import { encodeValue } from "../../protocol/values.ts";
import { simulatedVerifier } from "../../simulations/keys.ts";
import { certify, charter, control, flipped, owner, person, stranger, wallMs } from "./domain.ts";

const { domain } = charter;
const message = { kind: "announce", run: "r1", bundle: "0".repeat(64) } as const;
const said = encodeMessage(message);

function open(bytes: Uint8Array) {
  const certified = (shown: Uint8Array) => openCertificate(shown, charter, wallMs, owner);
  return openAnnouncements(bytes, { domain, keys: owner, certified });
}

function seal(bytes: Uint8Array, of: string, signer: Signer, certificate: Uint8Array): Uint8Array {
  return sealAnnouncements([bytes], { domain: of, signer, certificate, nonce: "1" });
}

describe("an announcement", () => {
  it.each([
    ["a person", person, "person"],
    ["a worker", person, "worker"],
    ["a control peer", control, "control"],
  ] as const)("of %s opens as what was said, and by whom", (_, signer, role) => {
    const bytes = seal(said, domain, signer, certify({ peer: signer.peer, role }));
    expect(open(bytes)).toEqual({ ok: true, value: { from: signer.peer, messages: [message] } });
  });

  it("carries as many messages as are gathered", () => {
    const all = Array.from({ length: limits.announcementsGatheredMax }, () => said);
    const certificate = certify();
    const opened = open(sealAnnouncements(all, { domain, signer: person, certificate, nonce: "1" }));
    expect(opened.ok && opened.value.messages).toHaveLength(limits.announcementsGatheredMax);
  });

  it("that others in this process have read is judged by each for itself, in each one's domain", () => {
    const bytes = seal(said, domain, person, certify());
    const keys = { ...simulatedVerifier, ...owner };
    const certified = (shown: Uint8Array) => openCertificate(shown, charter, wallMs, owner);
    const later = (shown: Uint8Array) => openCertificate(shown, charter, Infinity, owner);
    expect(openAnnouncements(bytes, { domain, keys, certified }).ok).toBe(true);
    expect(openAnnouncements(bytes, { domain, keys, certified: later })).toEqual(failure("stranger"));
    expect(openAnnouncements(bytes, { domain: ops, keys, certified })).toEqual(failure("other-domain"));
  });

  const ops = domainId("ops", owner.peer);
  const sealed = (value: unknown) =>
    encodeValue([sealEnvelope("announcement", domain, value, person), certify()]);

  it.each<readonly [string, RefusedBecause, () => Uint8Array]>([
    ["no CBOR", "malformed", () => Uint8Array.of(0xff)],
    ["no pair", "malformed", () => encodeValue([said])],
    ["a pair of texts", "malformed", () => encodeValue(["announce", "me"])],
    [
      "without a certificate",
      "malformed",
      () => encodeValue([sealEnvelope("announcement", domain, said, person), null]),
    ],
    ["larger than what is gossiped", "oversized", () => new Uint8Array(limits.gossipBytesMax + 1)],
    ["exactly as large, for its shape alone", "malformed", () => new Uint8Array(limits.gossipBytesMax)],
    [
      "signed as something else",
      "malformed",
      () => encodeValue([sealEnvelope("result", domain, said, person), certify()]),
    ],
    ["for another domain", "other-domain", () => seal(said, ops, person, certify())],
    [
      "by a stranger",
      "stranger",
      () => seal(said, domain, stranger, certify({ peer: stranger.peer }, stranger)),
    ],
    ["by a stranger with a member's certificate", "stranger", () => seal(said, domain, stranger, certify())],
    [
      "under a certificate that expired",
      "stranger",
      () => seal(said, domain, person, certify({ expiresMs: wallMs - 1 })),
    ],
    ["of bytes that are no message", "malformed", () => seal(Uint8Array.of(1), domain, person, certify())],
    [
      "of a message that is not gossiped",
      "malformed",
      () => seal(encodeMessage({ kind: "release", leases: [], how: "unstarted" }), domain, person, certify()),
    ],
    ["of a value that is no bytes", "malformed", () => sealed(message)],
    ["of null", "malformed", () => sealed(null)],
    ["of nothing", "malformed", () => sealed(["1", []])],
    ["of one message and one thing that is none", "malformed", () => sealed(["1", [said, Uint8Array.of(1)]])],
    ["without a nonce", "malformed", () => sealed([1, [said]])],
    [
      "of more than are gathered",
      "malformed",
      () => sealed(["1", Array.from({ length: limits.announcementsGatheredMax + 1 }, () => said)]),
    ],
  ])("is refused: %s (%s)", (_, problem, bytes) => {
    expect(open(bytes())).toEqual({ ok: false, problem });
  });

  it("is refused with one bit flipped, in any of its bytes", () => {
    const bytes = seal(said, domain, person, certify());
    for (const [at, damaged] of flipped(bytes)) expect(open(damaged).ok, `byte ${at}`).toBe(false);
  });

  it("never throws, whatever was gossiped", () => {
    assert(property(uint8Array({ maxLength: 200 }), (bytes) => !open(bytes).ok));
    const envelope = uint8Array({ maxLength: 100 });
    assert(property(envelope, envelope, (left, right) => !open(encodeValue([left, right])).ok));
  });
});
