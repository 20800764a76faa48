/** What is asked of a node arrives as it was asked, or is refused; it never throws. */

import { assert, property, uint8Array } from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeRequest } from "../../protocol/calls.ts";
import { limits } from "../../protocol/limits.ts";
import { decodeRequest, type Request } from "../../protocol/requests.ts";
import { encodeValue } from "../../protocol/values.ts";

const certificate = Uint8Array.of(1, 2, 3);
const digest = "0".repeat(64);
const digests = [digest, "ab".repeat(32)];

/** One of each call; the compiler misses a call that is not here. */
const requests: { readonly [Call in Request["call"]]: Extract<Request, { call: Call }> } = {
  status: { call: "status", certificate: null },
  watch: { call: "watch", certificate, run: "r", output: true, follow: false },
  "kept-output": { call: "kept-output", certificate: null, run: "r", step: "s", attempt: 1, offset: 0 },
  "find-plan": {
    call: "find-plan",
    certificate,
    wanted: { by: "ref", pipeline: "p", branch: "b", tag: null },
  },
  submit: { call: "submit", certificate, bundle: Uint8Array.of(4) },
  cancel: { call: "cancel", certificate, run: "r", by: "ada" },
  answer: { call: "answer", certificate, answer: Uint8Array.of(6), said: { verdict: "passed", detail: "" } },
  schedules: { call: "schedules", certificate: null },
  "remove-schedule": { call: "remove-schedule", certificate, pipeline: "webapp", by: "ada" },
  peers: { call: "peers", certificate: null },
  "missing-blobs": { call: "missing-blobs", certificate, digests },
  "put-blobs": { call: "put-blobs", certificate },
  "get-blobs": { call: "get-blobs", certificate, digests: [] },
  bundle: { call: "bundle", certificate, run: "r" },
  export: { call: "export", certificate, run: "r" },
  "use-invite": { call: "use-invite", certificate, nonce: "n", peer: "p" },
  join: {
    call: "join",
    certificate: null,
    invite: Uint8Array.of(5),
    application: Uint8Array.of(10),
    addresses: ["/ip4/127.0.0.1/tcp/1"],
    store: "s",
  },
  renew: { call: "renew", certificate, renewal: Uint8Array.of(9) },
  certify: { call: "certify", certificate, fromMs: 7, claim: { kind: "renewal", renewal: Uint8Array.of(9) } },
  control: { call: "control", certificate: null },
  recharter: { call: "recharter", certificate: null, charter: Uint8Array.of(6) },
  "put-document": { call: "put-document", certificate, document: Uint8Array.of(7) },
  documents: { call: "documents", certificate: null, topic: "policy" },
  release: { call: "release", certificate: null, bundle: Uint8Array.of(8) },
  gates: { call: "gates", certificate: null },
  uses: { call: "uses", certificate, all: true },
  provenance: { call: "provenance", certificate, run: "r", step: "s", output: "o", all: true },
  backup: { call: "backup", certificate: null },
  stop: { call: "stop", certificate: null },
};
const all = Object.values(requests);

function decode(value: unknown): ReturnType<typeof decodeRequest> {
  return decodeRequest(encodeValue(value));
}

const unknownCall = { ok: false, problem: "not a call that this version knows" };

describe("a call", () => {
  it.each(all)("arrives as it was asked: $call", (request) => {
    expect(decodeRequest(encodeRequest(request))).toEqual({ ok: true, value: request });
  });

  it.each(all)("arrives without the fields that this version does not know: $call", (request) => {
    expect(decode({ ...request, later: 1 })).toEqual({ ok: true, value: request });
  });

  it.each(all)("is refused without any one of its fields, or with another type in it: $call", (request) => {
    for (const key of Object.keys(request)) {
      const rest = Object.fromEntries(Object.entries(request).filter(([name]) => name !== key));
      expect(decode(rest), key).toEqual(unknownCall);
      expect(decode({ ...request, [key]: { other: 1 } }), key).toEqual(unknownCall);
    }
  });

  it.each(all)("is refused cut short anywhere: $call", (request) => {
    const frame = encodeRequest(request);
    for (let length = 0; length < frame.length; length += 1)
      expect(decodeRequest(frame.subarray(0, length)).ok, `${length} bytes`).toBe(false);
  });
});

describe("a frame that is no call", () => {
  it.each<readonly [string, unknown]>([
    ["null", null],
    ["a list", [requests.stop]],
    ["a call that nobody knows", { call: "shutdown", certificate: null }],
    ["a call that every object has", { call: "constructor", certificate: null }],
    ["a digest in capitals", { ...requests["get-blobs"], digests: ["AB".repeat(32)] }],
    ["a digest that is a path", { ...requests["get-blobs"], digests: ["../".repeat(21) + "x"] }],
    ["a digest with a line more", { ...requests["get-blobs"], digests: [`${digest}\n`] }],
    ["a claim that there is not", { ...requests.certify, claim: { kind: "word", renewal: digest } }],
    ["a time that is no whole number", { ...requests.certify, fromMs: 0.5 }],
    ["a name of 513 characters", { ...requests.join, store: "n".repeat(513) }],
    ["too many addresses", { ...requests.join, addresses: Array.from({ length: 17 }, () => "/a") }],
    ["too many digests", withDigests(limits.digestsPerCallMax + 1)],
  ])("is refused: %s", (_, value) => {
    expect(decode(value)).toEqual(unknownCall);
  });

  it.each<readonly [string, unknown]>([
    ["a name of 512 characters", { ...requests.join, store: "n".repeat(512) }],
    ["as many digests as may be", withDigests(limits.digestsPerCallMax)],
  ])("is refused only beyond a limit, not at it: %s", (_, value) => {
    expect(decode(value)).toEqual({ ok: true, value });
  });

  it("never throws, whatever bytes it has", () => {
    assert(
      property(uint8Array({ maxLength: 200 }), (frame) => !decodeRequest(frame).ok),
      { numRuns: 1_000 },
    );
  });
});

function withDigests(count: number): Request {
  return { ...requests["missing-blobs"], digests: Array.from({ length: count }, () => digest) };
}
