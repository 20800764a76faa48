/**
 * How many certificates and permits one core judges a second, beside bare checks of as many Ed25519 signatures; and what a step
 * that uses no credential pays for there being any.
 */

import { generateKeyPairSync, sign, verify } from "node:crypto";
import { Gateway } from "../../node/edge/broker/gateway.ts";
import { sealEnvelope } from "../../protocol/envelope.ts";
import { openCertificate } from "../../protocol/certificate.ts";
import { openCharter, sealCharter } from "../../protocol/membership.ts";
import { openPermit } from "../../protocol/permits.ts";
import { sealQuorum } from "../../protocol/quorum.ts";
import { assignmentOf } from "../contracts/witness.ts";
import { certify, charter, newIdentity, owner, stranger, wallMs } from "../protocol/domain.ts";
import { median, type Row } from "./measure.ts";

const certificates = 500;
const rounds = 9;

function perSecond(count: number, work: (index: number) => unknown): number {
  const began = performance.now();
  for (let index = 0; index < count; index += 1) work(index);
  return (count * 1_000) / (performance.now() - began);
}

export async function benchCertificates(): Promise<Row[]> {
  const shown = Array.from({ length: certificates }, (_, index) => certify({ name: `worker ${index}` }));
  const controls = [newIdentity(), newIdentity(), newIdentity()];
  const three = {
    ...charter,
    size: 3,
    controls: controls.map(({ peer }) => ({ peer, store: "s", addresses: [] })),
  };
  const both = shown.map((_, index) =>
    sealQuorum(controls.slice(0, 2).map((keys) => certify({ name: `worker ${index}` }, keys))),
  );
  const permit = { otto: "permit/1", run: "r", manifest: "m", index: 0, step: "s", given: "0" };
  const times = { approvedBy: [], fromMs: wallMs, untilMs: wallMs + 1 };
  const signed = controls
    .slice(0, 2)
    .map((keys) => sealEnvelope("permit", charter.domain, { ...permit, ...times }, keys));
  const [permitBytes, charterBytes] = [sealQuorum(signed), sealCharter(charter, owner)];
  const bytes = Buffer.alloc(300, 7);
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const signature = sign(null, bytes, privateKey);
  const gateway = new Gateway(() => Promise.reject(new Error("A step without credentials asks nobody.")));
  const plain = assignmentOf("", ["true"]);
  const seen: Record<"certificate" | "quorum" | "permit" | "charter" | "bare" | "open", number[]> = {
    certificate: [],
    permit: [],
    charter: [],
    quorum: [],
    bare: [],
    open: [],
  };
  for (let round = 0; round < rounds; round += 1) {
    seen.bare.push(perSecond(certificates, () => verify(null, bytes, publicKey, signature)));
    seen.certificate.push(
      perSecond(certificates, (index) => openCertificate(shown[index] ?? bytes, charter, wallMs, stranger)),
    );
    seen.quorum.push(
      perSecond(certificates, (index) => openCertificate(both[index] ?? bytes, three, wallMs, stranger)),
    );
    seen.permit.push(perSecond(certificates, () => openPermit(permitBytes, three, stranger)));
    seen.charter.push(perSecond(certificates, () => openCharter(charterBytes, null, stranger)));
    const began = performance.now();
    for (let step = 0; step < certificates; step += 1) await gateway.open(plain, "/nowhere");
    seen.open.push(((performance.now() - began) * 1_000) / certificates);
  }
  const bare = median(seen.bare);
  const row = (name: string, values: readonly number[]): Row => {
    const value = median(values);
    return { name, value, unit: "a second", ratio: { value: value / bare, of: "a bare check" } };
  };
  return [
    { name: "Ed25519 signatures checked", value: bare, unit: "a second" },
    row("certificates checked", seen.certificate),
    row("certificates of two signatures checked", seen.quorum),
    row("permits of two signatures checked", seen.permit),
    row("charters checked", seen.charter),
    { name: "opening no credentials, a step", value: median(seen.open), unit: "us" },
  ];
}
