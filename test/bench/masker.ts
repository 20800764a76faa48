/** How fast output goes through the masker of a step with 50 secrets, beside the same bytes merely copied. */

import { createHash } from "node:crypto";
import { type Mask, Masker, maskOf } from "../../protocol/credentials/masker.ts";
import { median, type Row } from "./measure.ts";

const secrets = 50;
const chunkBytes = 64 * 1024;
const bytesMeasured = 32 * 1024 * 1024;
const rounds = 5;

/** The same for whoever measures. */
function randomText(seed: string): string {
  return createHash("sha256").update(seed).digest("base64url");
}

/** Lines as builds write them, with digests and a secret once in a thousand. */
function output(): Buffer {
  const lines: string[] = [];
  for (let bytes = 0; bytes < bytesMeasured; bytes += lines.at(-1)?.length ?? 0) {
    const said =
      lines.length % 1_000 === 999 ? randomText(`secret ${lines.length % secrets}`) : "src/a/Button.tsx";
    lines.push(`12:45:26 [info] compiled ${said} to dist in 123 ms, ${randomText(String(lines.length))}\n`);
  }
  return Buffer.from(lines.join(""));
}

function take(bytes: Buffer, through: (chunk: Buffer) => unknown): number {
  const began = performance.now();
  for (let at = 0; at < bytes.length; at += chunkBytes) through(bytes.subarray(at, at + chunkBytes));
  return bytes.length / 1_000 / (performance.now() - began);
}

export function benchMasker(): Promise<Row[]> {
  const values = Array.from({ length: secrets }, (_, index) => Buffer.from(randomText(`secret ${index}`)));
  const began = performance.now();
  const mask = maskOf(values);
  const compiledMs = performance.now() - began;
  if (!mask.ok) throw new Error(mask.problem);
  const bytes = output();
  const masking = (known: Mask): number => {
    const masker = new Masker(known);
    return take(bytes, (chunk) => masker.push(chunk));
  };
  const one = maskOf(values.slice(0, 1));
  const results: Record<"many" | "one" | "copied", number[]> = { many: [], one: [], copied: [] };
  for (let round = 0; round < rounds; round += 1) {
    results.many.push(masking(mask.value));
    if (one.ok) results.one.push(masking(one.value));
    results.copied.push(take(bytes, (chunk) => Buffer.from(chunk)));
  }
  const ratio = { value: median(results.copied) / median(results.many), of: "slower" };
  return Promise.resolve([
    {
      name: "masked, 50 secrets in all forms",
      value: median(results.many),
      unit: "MB/s",
      target: { least: 30 },
    },
    { name: "masked, 1 secret", value: median(results.one), unit: "MB/s" },
    { name: "copied, not masked", value: median(results.copied), unit: "MB/s", ratio },
    { name: "50 secrets made ready, once a step", value: compiledMs, unit: "ms" },
  ]);
}
