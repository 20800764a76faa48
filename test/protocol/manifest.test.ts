/** A bundle is believed only as its submitter signed it, and only if a person of the domain signed a sound plan. */

import { describe, expect, it } from "vitest";
import { type RefusedBecause, sealEnvelope, type Signer } from "../../protocol/envelope.ts";
import { limits } from "../../protocol/limits.ts";
import { type Manifest, openBundle, planOfBundle, sealBundle, type Source } from "../../protocol/manifest.ts";
import { domainId } from "../../protocol/membership.ts";
import type { Plan } from "../../protocol/plan.ts";
import { decodeValue, encodeValue, sha256Hex, valueCid } from "../../protocol/values.ts";
import { certify, charter, control, flipped, owner, person, personal, stranger, wallMs } from "./domain.ts";

const { domain } = charter;

const plan: Plan = {
  otto: 1,
  pipeline: "web",
  origin: { kind: "file", path: "otto.yaml" },
  context: { branch: "main", tag: null, commit: null, trigger: "manual", parameters: {} },
  environments: {},
  steps: [
    {
      name: "build",
      from: "build",
      cell: {},
      included: true,
      reason: "always",
      commands: ["make"],
      needs: [],
      environment: null,
      variables: {},
      inputs: [],
      outputs: [],
      timeoutMs: 60_000,
      retry: { attemptsMax: 1, on: [] },
      effect: false,
      labels: [],
    },
  ],
};

const manifest: Manifest = {
  otto: "manifest/1",
  plan,
  source: { kind: "tree", tree: "0".repeat(64) },
  nonce: "first",
  validUntilMs: 1_000,
};

const { validUntilMs: _, ...withoutValidity } = manifest;

function seal(value: unknown = manifest, certificate: Uint8Array = certify(), signer: Signer = person) {
  return encodeValue([sealEnvelope("manifest", domain, value, signer), certificate]);
}

/** Replaces one part of the bundle's envelope: kind 0, domain 1, signer 2, payload 3, signature 4. */
function withPart(index: number, part: unknown): Uint8Array {
  const [envelope, certificate] = decodeValue(seal()) as [Uint8Array, Uint8Array];
  const parts = decodeValue(envelope) as unknown[];
  return encodeValue([encodeValue(parts.with(index, part)), certificate]);
}

function open(bytes: Uint8Array) {
  return openBundle(bytes, charter, wallMs, owner);
}

function submission(value: Manifest) {
  const opened = open(sealBundle(value, domain, person, certify()));
  if (!opened.ok) throw new Error(opened.problem.detail);
  return opened.value;
}

describe("a bundle", () => {
  it("opens as the manifest that the person signed, with the names of its parts", () => {
    const bytes = sealBundle(manifest, domain, person, certify());
    const manifestCid = valueCid(manifest);
    expect(open(bytes)).toEqual({
      ok: true,
      value: {
        run: manifestCid.slice(-12),
        manifestCid,
        planId: valueCid(plan),
        digest: sha256Hex(bytes),
        manifest,
        submitter: personal,
        slotMs: null,
      },
    });
    expect(planOfBundle(bytes)).toEqual({ plan, planId: valueCid(plan) });
  });

  it("is a run of its own for each nonce, of one and the same plan", () => {
    const first = submission(manifest);
    const again = submission(manifest);
    const second = submission({ ...manifest, nonce: "second" });
    expect(again.run).toBe(first.run);
    expect(second.run).not.toBe(first.run);
    expect(second.manifestCid).not.toBe(first.manifestCid);
    expect(second.planId).toBe(first.planId);
  });

  it("is the same run under another certificate of the same person: it cannot be admitted twice", () => {
    const renewed = open(seal(manifest, certify({ expiresMs: wallMs + 99 })));
    expect(renewed).toMatchObject({ ok: true, value: { run: submission(manifest).run } });
  });

  it("has another plan id when anything in the plan is another", () => {
    const other = submission({ ...manifest, plan: { ...plan, pipeline: "api" } });
    expect(other.planId).not.toBe(submission(manifest).planId);
  });

  it.each<readonly [string, Source]>([
    ["a tree", { kind: "tree", tree: "a1".repeat(32) }],
    ["a commit by sha1", { kind: "commit", repository: "https://forge.test/r.git", commit: "b2".repeat(20) }],
    ["a commit by sha256", { kind: "commit", repository: "git@forge.test:r.git", commit: "b2".repeat(32) }],
  ])("takes its files from %s", (_, source) => {
    expect(submission({ ...manifest, source }).manifest.source).toEqual(source);
  });
});

describe("a bundle is refused", () => {
  const ops = domainId("ops", owner.peer);
  const unsound = { ...plan, steps: [{ ...plan.steps[0], needs: [{ step: "none", outcomes: ["passed"] }] }] };

  it.each<readonly [string, RefusedBecause, () => Uint8Array]>([
    ["that is no CBOR", "malformed", () => Uint8Array.of(0xff)],
    ["that is a manifest without its envelope", "malformed", () => encodeValue(manifest)],
    [
      "without a certificate",
      "malformed",
      () => encodeValue([sealEnvelope("manifest", domain, manifest, person)]),
    ],
    ["with something more in it", "malformed", () => encodeValue([...(decodeValue(seal()) as unknown[]), 1])],
    [
      "whose certificate is null",
      "malformed",
      () => encodeValue([sealEnvelope("manifest", domain, manifest, person), null]),
    ],
    ["whose envelope is a text", "malformed", () => encodeValue(["manifest", certify()])],
    ["whose certificate is no certificate", "malformed", () => seal(manifest, Uint8Array.of(1))],
    ["that is larger than the limit", "oversized", () => new Uint8Array(limits.manifestBytesMax + 1)],
    [
      "that is exactly as large as the limit, for its shape alone",
      "malformed",
      () => new Uint8Array(limits.manifestBytesMax),
    ],
    ["without a signature", "unsigned", () => withPart(4, new Uint8Array())],
    ["with a signature of zeros", "bad-signature", () => withPart(4, new Uint8Array(64))],
    [
      "whose plan was exchanged after it was signed",
      "bad-signature",
      () => withPart(3, encodeValue({ ...manifest, plan: { ...plan, pipeline: "api" } })),
    ],
    ["that names another signer", "bad-signature", () => withPart(2, stranger.peer)],
    ["for another domain", "other-domain", () => sealBundle(manifest, ops, person, certify())],
    [
      "whose certificate is for another domain",
      "other-domain",
      () => seal(manifest, sealEnvelope("certificate", ops, personal, owner)),
    ],
    ["of a stranger with a person's certificate", "stranger", () => seal(manifest, certify(), stranger)],
    [
      "of a stranger who certified himself",
      "stranger",
      () => seal(manifest, certify({ peer: stranger.peer }, stranger), stranger),
    ],
    ["whose certificate has expired", "stranger", () => seal(manifest, certify({ expiresMs: wallMs - 1 }))],
    ["of a worker", "role", () => seal(manifest, certify({ role: "worker" }))],
    [
      "of a control peer",
      "role",
      () => seal(manifest, certify({ peer: control.peer, role: "control" }), control),
    ],
    ["whose plan is unsound", "malformed", () => seal({ ...manifest, plan: unsound })],
    ["without a plan", "malformed", () => seal({ ...manifest, plan: null })],
    ["that is null", "malformed", () => seal(null)],
    ["of another version", "malformed", () => seal({ ...manifest, otto: "manifest/2" })],
    ["without a nonce", "malformed", () => seal({ otto: "manifest/1", plan, source: manifest.source })],
    ["without its last moment", "malformed", () => seal(withoutValidity)],
    ["with one that is no number", "malformed", () => seal({ ...manifest, validUntilMs: "1000" })],
    ["with a nonce that is a number", "malformed", () => seal({ ...manifest, nonce: 1 })],
  ])("%s: %s", (_, because, bytes) => {
    expect(open(bytes())).toMatchObject({ ok: false, problem: { because } });
  });

  it("with one bit flipped, in any of its bytes", () => {
    for (const [at, bytes] of flipped(seal())) expect(open(bytes).ok, `byte ${at}`).toBe(false);
  });

  it("cut short anywhere", () => {
    const bytes = seal();
    for (let length = 0; length < bytes.length; length += 1)
      expect(open(bytes.subarray(0, length)).ok, `${length} bytes`).toBe(false);
  });
});

describe("a source is refused", () => {
  const commit = "b".repeat(40);
  it.each<readonly [string, unknown]>([
    ["nothing", null],
    ["a text", "tree"],
    ["of an unknown kind", { kind: "folder", path: "/" }],
    ["a tree without a digest", { kind: "tree" }],
    ["a tree in capitals", { kind: "tree", tree: "A".repeat(64) }],
    ["a tree with a line more", { kind: "tree", tree: `${"0".repeat(64)}\n` }],
    ["a commit without a repository", { kind: "commit", commit }],
    ["a branch", { kind: "commit", repository: "https://forge.test/r", commit: "main" }],
    [
      "a commit that is an option",
      { kind: "commit", repository: "https://forge.test/r", commit: "--exec=x" },
    ],
    ["a repository that is an option", { kind: "commit", repository: "--upload-pack=touch:x", commit }],
    ["a repository that is a folder here", { kind: "commit", repository: "/srv/r.git", commit }],
  ])("that is %s", (_, source) => {
    expect(open(seal({ ...manifest, source }))).toEqual({
      ok: false,
      problem: { because: "malformed", detail: "not a manifest" },
    });
  });
});

it("reads no plan from what is no bundle", () => {
  for (const value of [
    null,
    1,
    [],
    [1],
    [Uint8Array.of(0xff)],
    [encodeValue(1)],
    [encodeValue([1, 2, 3, 4])],
  ])
    expect(planOfBundle(encodeValue(value))).toBeNull();
  expect(planOfBundle(Uint8Array.of(0xff))).toBeNull();
  const { steps: _, ...stepless } = plan;
  for (const manifest of [null, {}, { plan: null }, { plan: stepless }]) {
    const signed = sealEnvelope("manifest", charter.domain, manifest, person);
    expect(planOfBundle(encodeValue([signed, certify()]))).toBeNull();
  }
});
