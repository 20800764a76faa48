/** Who belongs to a domain is said by its owner, and by nobody else. */

import { describe, expect, it } from "vitest";
import { sealEnvelope } from "../../protocol/envelope.ts";
import { openCertificate } from "../../protocol/certificate.ts";
import { type Invite, openInvite, sealInvite } from "../../protocol/invite.ts";
import { type Charter, domainId, isFormed, openCharter, sealCharter } from "../../protocol/membership.ts";
import { encodeValue } from "../../protocol/values.ts";
import { certify, charter, control, flipped, owner, person, personal, stranger, wallMs } from "./domain.ts";

const { domain } = charter;

describe("a domain", () => {
  it("is named by its name and its owner together", () => {
    expect(domain).toMatch(/^[0-9a-f]{32}$/);
    expect(domainId("dev", owner.peer)).toBe(domain);
    expect(domainId("ops", owner.peer)).not.toBe(domain);
    expect(domainId("dev", stranger.peer)).not.toBe(domain);
  });

  it("is formed once every control peer is known", () => {
    expect(isFormed(charter)).toBe(true);
    expect(isFormed({ ...charter, size: 3 })).toBe(false);
  });
});

describe("a charter", () => {
  const sealed = sealCharter(charter, owner);

  it("opens as what its owner sealed, in its domain and at the first contact", () => {
    expect(openCharter(sealed, domain, stranger)).toEqual({ ok: true, value: charter });
    expect(openCharter(sealed, null, stranger)).toEqual({ ok: true, value: charter });
  });

  it("is refused where another domain is expected", () => {
    const other = domainId("ops", owner.peer);
    expect(openCharter(sealed, other, owner)).toEqual({ ok: false, problem: "other-domain" });
  });

  it.each<readonly [string, Charter]>([
    ["for the owner by a stranger", charter],
    ["by a stranger who calls himself the owner", { ...charter, owner: stranger.peer }],
  ])("is refused when it was signed %s", (_, forged) => {
    const bytes = sealCharter(forged, stranger);
    expect(openCharter(bytes, domain, owner)).toEqual({ ok: false, problem: "stranger" });
    expect(openCharter(bytes, null, owner)).toEqual({ ok: false, problem: "stranger" });
  });

  it("is refused when a control peer signed it", () => {
    expect(openCharter(sealCharter(charter, control), domain, owner)).toEqual({
      ok: false,
      problem: "stranger",
    });
  });

  it("is refused under another name, though its owner signed it", () => {
    expect(openCharter(sealCharter({ ...charter, name: "ops" }, owner), domain, owner)).toEqual({
      ok: false,
      problem: "stranger",
    });
  });

  it("is refused when it speaks of another domain than its envelope", () => {
    const other = { ...charter, name: "ops", domain: domainId("ops", owner.peer) };
    const bytes = sealEnvelope("charter", domain, other, owner);
    expect(openCharter(bytes, domain, owner)).toEqual({ ok: false, problem: "stranger" });
  });

  it.each<readonly [string, unknown]>([
    ["null", null],
    ["a text", "charter/1"],
    ["of another version", { ...charter, otto: "charter/2" }],
    ["without a name", Object.fromEntries(Object.entries(charter).filter(([key]) => key !== "name"))],
    ["without an owner", Object.fromEntries(Object.entries(charter).filter(([key]) => key !== "owner"))],
    ["without a list of control peers", { ...charter, controls: { length: 1 } }],
  ])("is refused as malformed when it is %s", (_, value) => {
    const bytes = sealEnvelope("charter", domain, value, owner);
    expect(openCharter(bytes, domain, owner)).toEqual({ ok: false, problem: "malformed" });
  });

  it("is refused with one bit flipped, in any of its bytes", () => {
    for (const [at, bytes] of flipped(sealed))
      expect(openCharter(bytes, domain, owner).ok, `byte ${at}`).toBe(false);
  });
});

describe("a certificate", () => {
  it.each([
    ["the owner", owner],
    ["a control peer", control],
  ])("opens when %s signed it", (_, signer) => {
    expect(openCertificate(certify({}, signer), charter, wallMs, stranger)).toEqual({
      ok: true,
      value: personal,
    });
  });

  it.each([
    ["a stranger", stranger],
    ["the one whom it certifies", person],
  ])("is refused when %s signed it", (_, signer) => {
    expect(openCertificate(certify({}, signer), charter, wallMs, owner)).toEqual({
      ok: false,
      problem: "stranger",
    });
  });

  it("of a control peer is refused once the charter no longer lists that peer", () => {
    const bytes = certify({}, control);
    expect(openCertificate(bytes, { ...charter, controls: [] }, wallMs, owner)).toEqual({
      ok: false,
      problem: "stranger",
    });
  });

  it("holds up to its last millisecond and not one longer", () => {
    const bytes = certify({ expiresMs: wallMs });
    expect(openCertificate(bytes, charter, wallMs, owner)).toMatchObject({ ok: true });
    expect(openCertificate(bytes, charter, wallMs + 1, owner)).toEqual({ ok: false, problem: "stranger" });
  });

  it("of one domain is refused in another of the same owner", () => {
    const ops = { ...charter, name: "ops", domain: domainId("ops", owner.peer) };
    expect(openCertificate(certify(), ops, wallMs, owner)).toEqual({ ok: false, problem: "other-domain" });
  });

  it.each<readonly [string, unknown]>([
    ["null", null],
    ["a charter", charter],
  ])("is refused as malformed when it is %s", (_, value) => {
    const bytes = sealEnvelope("certificate", domain, value, owner);
    expect(openCertificate(bytes, charter, wallMs, owner)).toEqual({ ok: false, problem: "malformed" });
  });

  it("is not a charter, nor an invite, nor the other way round", () => {
    const malformed = { ok: false, problem: "malformed" };
    expect(openCertificate(sealCharter(charter, owner), charter, wallMs, owner)).toEqual(malformed);
    expect(openCharter(certify(), domain, owner)).toEqual(malformed);
    expect(openInvite(certify(), owner)).toEqual(malformed);
  });

  it("is refused with one bit flipped, in any of its bytes", () => {
    for (const [at, bytes] of flipped(certify()))
      expect(openCertificate(bytes, charter, wallMs, owner).ok, `byte ${at}`).toBe(false);
  });
});

describe("an invite", () => {
  const invite: Invite = {
    otto: "invite/1",
    nonce: "0123456789abcdef",
    role: "worker",
    expiresMs: wallMs,
    addresses: charter.controls.flatMap(({ addresses }) => addresses),
  };
  const sealed = sealInvite(domain, invite, { keys: control, certificate: null });

  it("says for which domain and by whom it was made", () => {
    expect(openInvite(sealed, stranger)).toEqual({
      ok: true,
      value: { invite, domain, signer: control.peer },
    });
  });

  it.each<readonly [string, unknown]>([
    ["null", null],
    ["a certificate", personal],
    ["without addresses", { ...invite, addresses: null }],
  ])("is refused as malformed when it is %s", (_, value) => {
    const bytes = encodeValue([sealEnvelope("invite", domain, value, control), null]);
    expect(openInvite(bytes, owner)).toEqual({ ok: false, problem: "malformed" });
  });

  it("is refused when it was damaged in any of its bytes, or cut", () => {
    for (const [at, bytes] of flipped(sealed)) expect(openInvite(bytes, owner).ok, `byte ${at}`).toBe(false);
    expect(openInvite(sealed.subarray(0, -1), owner)).toEqual({ ok: false, problem: "malformed" });
  });
});
