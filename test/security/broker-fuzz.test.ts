/** The attacker sends bytes: to the judge, to the decoders, and in whatever pieces he likes through the masker. */

import * as fc from "fast-check";
import { expect, it } from "vitest";
import { PushReader } from "../../protocol/credentials/git.ts";
import { decodeAnswer, decodeHello } from "../../protocol/credentials/hello.ts";
import { judgeRequest } from "../../protocol/credentials/judge.ts";
import { Masker, maskOf } from "../../protocol/credentials/masker.ts";
import { decodeHeader, valueIn } from "../../protocol/credentials/sealed-secret.ts";
import type { Binding } from "../../protocol/credentials/secret.ts";
import { matchesTemplate, pathProblem } from "../../protocol/credentials/paths.ts";

const runs = { numRuns: 10_000, seed: 5 };
const secret = Buffer.from("canary-7f3a9b2c");

const binding: Binding = {
  name: "token",
  kind: "http",
  prefix: "",
  pushRefs: [],
  destination: {
    scheme: "https",
    host: "api.example.org",
    port: 443,
    methods: ["GET"],
    paths: ["/apps/{}/releases", "/v1/**"],
    slot: { header: "authorization", before: "Bearer ", user: null },
    networks: [],
    authority: null,
  },
};

it("decoders of what a peer or a file says never throw, whatever the bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      decodeHello(bytes);
      decodeAnswer(bytes);
      decodeHeader(bytes);
      valueIn(bytes, bytes);
      new PushReader(["refs/heads/main"]).push(bytes);
    }),
    runs,
  );
});

it("a path that is let through is the same to whoever reads it in another way", () => {
  const part = fc.constantFrom(
    "/",
    ".",
    "..",
    "%2e",
    "%2f",
    "%5c",
    "\\",
    ";",
    "apps",
    "v1",
    "x",
    "releases",
    "%00",
    "?",
    "#",
    "%",
    "é",
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 10 }), (parts) => {
      const target = parts.join("");
      const rawHeaders = ["host", "api.example.org"];
      const judged = judgeRequest(binding, { method: "GET", target, rawHeaders }, null);
      if (!judged.ok) return;
      const [path = ""] = target.split("?");
      expect(pathProblem(path)).toBeNull();
      // As a server resolves it that decodes first and takes dots away then.
      const resolved = new URL(decodeURIComponent(path), "https://api.example.org").pathname;
      expect(resolved).toBe(path);
      expect(binding.destination.paths.some((template) => matchesTemplate(template, resolved))).toBe(true);
    }),
    runs,
  );
});

it("what is masked is the same however it is cut into pieces, as long as before, and without the secret", () => {
  const hex = secret.toString("hex");
  const base64 = Buffer.concat([Buffer.from("x"), secret, Buffer.from("y")]).toString("base64");
  const pieces = fc.constantFrom(
    secret.toString(),
    hex,
    base64,
    hex.slice(0, 9),
    "canary-",
    "-7f3a9b2c",
    "some text ",
    "\n",
  );
  fc.assert(
    fc.property(
      fc.array(pieces, { maxLength: 12 }),
      fc.array(fc.nat(30), { maxLength: 20 }),
      (parts, cuts) => {
        const whole = Buffer.from(parts.join(""));
        const masked = maskIn([whole]);
        const chunks: Buffer[] = [];
        let at = 0;
        for (const length of cuts) chunks.push(whole.subarray(at, (at += length)));
        expect(maskIn([...chunks, whole.subarray(at)]).equals(masked)).toBe(true);
        expect(masked.length).toBe(whole.length);
        for (const form of [secret.toString(), hex]) expect(masked.includes(form)).toBe(false);
      },
    ),
    { ...runs, numRuns: 2_000 },
  );
});

function maskIn(chunks: readonly Buffer[]): Buffer {
  const mask = maskOf([secret]);
  if (!mask.ok) throw new Error(mask.problem);
  const masker = new Masker(mask.value);
  return Buffer.concat([...chunks.map((chunk) => masker.push(chunk)), masker.end()]);
}
