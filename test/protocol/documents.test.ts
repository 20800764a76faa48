/** A document counts when whoever may sign one of its topic has signed this version of it, and replaces only the one before it. */

import { describe, expect, it } from "vitest";
import { verifySignature } from "../../node/edge/identity.ts";
import { type Document, openDocument, sealDocument } from "../../protocol/documents.ts";
import type { Signer } from "../../protocol/envelope.ts";
import { limits } from "../../protocol/limits.ts";
import {
  documentOfRegister,
  documentRegister,
  type DocumentValue,
  evaluateDocument,
} from "../../protocol/registers/document.ts";
import { decodeValue, encodeValue } from "../../protocol/values.ts";
import { charter, control, owner, person, stranger, wallMs } from "./domain.ts";

const keys = { verify: verifySignature };
const policy: Document = {
  otto: "document/1",
  topic: "policy",
  name: "domain",
  version: 1,
  timeMs: wallMs,
  body: { text: "" },
};

function opened(document: Document, signer: Signer = owner, domain = charter.domain) {
  return openDocument(sealDocument(document, domain, { keys: signer, certificate: null }), charter, keys);
}

describe("a signed document", () => {
  it("is what its signer said", () => {
    expect(opened(policy)).toMatchObject({
      ok: true,
      value: { document: policy, signer: owner.peer, person: null },
    });
  });

  it.each([
    ["a stranger", stranger],
    ["a person of the domain", person],
    ["a control peer", control],
  ])("that the owner must sign is not taken from %s", (_, signer) => {
    expect(opened(policy, signer)).toEqual({ ok: false, problem: "role" });
  });

  it("of another domain counts for nothing here", () => {
    expect(opened(policy, owner, "another")).toEqual({ ok: false, problem: "other-domain" });
  });

  it("cannot be given another version, name or body", () => {
    const bytes = sealDocument(policy, charter.domain, { keys: owner, certificate: null });
    const [envelope, certificate] = decodeValue(bytes) as [Uint8Array, null];
    const [kind, domain, signer, payload, signature] = decodeValue(envelope) as [
      string,
      string,
      string,
      Uint8Array,
      Uint8Array,
    ];
    for (const change of [{ version: 2 }, { name: "other" }, { body: null }]) {
      const forged = encodeValue({ ...(decodeValue(payload) as object), ...change });
      const whole = encodeValue([encodeValue([kind, domain, signer, forged, signature]), certificate]);
      expect(openDocument(whole, charter, keys)).toEqual({ ok: false, problem: "bad-signature" });
    }
  });

  it.each([
    ["an unknown topic", { topic: "other" }],
    ["a name that leads elsewhere", { name: "../x" }],
    ["no version", { version: 0 }],
  ])("with %s is none", (_, change) => {
    expect(opened({ ...policy, ...change } as Document)).toEqual({ ok: false, problem: "malformed" });
  });

  it("is bounded", () => {
    expect(opened({ ...policy, body: new Uint8Array(limits.documentBytesMax) })).toEqual({
      ok: false,
      problem: "oversized",
    });
  });
});

describe("the register of a document", () => {
  const put = (value: DocumentValue | null, version: number, byte = version) =>
    evaluateDocument(value, { kind: "put-document", version, bytes: Uint8Array.of(byte) });
  const second: DocumentValue = { kind: "document", version: 2, bytes: Uint8Array.of(2) };

  it("takes the version after the one that it has, and no other", () => {
    expect(put(null, 1)).toMatchObject({ kind: "changed", value: { version: 1 } });
    expect(put(second, 3)).toMatchObject({ kind: "changed", value: { version: 3 } });
    for (const version of [1, 4]) expect(put(second, version)).toEqual({ kind: "refused", reason: "stale" });
    expect(put(null, 2)).toEqual({ kind: "refused", reason: "stale" });
  });

  it("tells the same asked again from another that came second", () => {
    expect(put(second, 2)).toEqual({ kind: "refused", reason: "duplicate" });
    expect(put(second, 2, 9)).toEqual({ kind: "refused", reason: "stale" });
  });

  it("is named by topic and name", () => {
    expect(documentOfRegister(documentRegister("policy/domain"))).toBe("policy/domain");
    expect(documentOfRegister("run/x")).toBeNull();
  });
});
