/**
 * Answers: what a person says to a step that waits, signed with that person's key over exactly this submission and
 * step, so that a yes for one run never serves another.
 *
 * An answer without a verdict is a callback: whoever shows it may say how the outside system found things, and the
 * person who made it answers for that. It is a secret of those who are given it.
 */

import { failure, type Result, success } from "./errors.ts";
import { openEnvelope, type RefusedBecause, sealEnvelope, type Signer, type Verifier } from "./envelope.ts";
import { limits } from "./limits.ts";
import { type Certificate, openCertificate } from "./certificate.ts";
import type { Charter } from "./membership.ts";
import { isStepName } from "./names.ts";
import type { SignedStatement } from "./provenance/bundle.ts";
import { decodeUntrusted, encodeValue } from "./values.ts";

export const verdicts = ["passed", "failed", "inconclusive"] as const;
export type Verdict = (typeof verdicts)[number];

export type Answer = {
  readonly otto: "answer/1";
  readonly run: string;
  /** CID of the manifest: the submission that the person looked at. */
  readonly manifest: string;
  readonly step: string;
  /** Null: a callback; its bearer says the verdict. */
  readonly verdict: Verdict | null;
  readonly detail: string;
  /** At a gate: the digest of the files and values that the step is given, which the person looked at. */
  readonly given?: string;
  /** At a gate: provenances of what the step is given, as the control peers of a domain signed them. */
  readonly provenances?: readonly SignedStatement[];
};

export const answerBytesMax = 8 * 1024;
/** With provenances: it is kept in a register, so that an output of very many files is none that can be shown. */
export const shownProvenanceBytesMax = 64 * 1024;
const provenancesMax = 8;
export const answerDetailCharactersMax = 1_000;

export type OpenedAnswer = { readonly answer: Answer; readonly person: Certificate };

export function sealAnswer(
  answer: Answer,
  domain: string,
  person: { readonly keys: Signer; readonly certificate: Uint8Array },
): Uint8Array {
  return encodeValue([sealEnvelope("answer", domain, answer, person.keys), person.certificate]);
}

/** Judges an answer from anybody: size, signature, and that its signer is a person of the domain at `wallMs`. */
export function openAnswer(
  bytes: Uint8Array,
  charter: Charter,
  wallMs: number,
  keys: Verifier,
): Result<OpenedAnswer, RefusedBecause> {
  if (bytes.length > shownProvenanceBytesMax) return failure("oversized");
  const decoded = decodeUntrusted(bytes);
  if (!decoded.ok || !Array.isArray(decoded.value) || decoded.value.length !== 2) return failure("malformed");
  const [envelope, certificate] = decoded.value as unknown[];
  if (!(envelope instanceof Uint8Array) || !(certificate instanceof Uint8Array)) return failure("malformed");
  const opened = openEnvelope(envelope, { kind: "answer", domain: charter.domain }, keys);
  if (!opened.ok) return opened;
  const person = openCertificate(certificate, charter, wallMs, keys);
  if (!person.ok) return person;
  if (person.value.peer !== opened.value.envelope.signer) return failure("stranger");
  if (person.value.role !== "person") return failure("role");
  const { value } = opened.value;
  if (!isAnswer(value)) return failure("malformed");
  if (value.provenances === undefined && bytes.length > answerBytesMax) return failure("oversized");
  return success({ answer: value, person: person.value });
}

function isAnswer(value: unknown): value is Answer {
  const answer = value as Answer | null;
  return (
    answer?.otto === "answer/1" &&
    typeof answer.run === "string" &&
    typeof answer.manifest === "string" &&
    typeof answer.step === "string" &&
    isStepName(answer.step.replace(/ \(.*\)$/s, "")) &&
    (answer.verdict === null || verdicts.includes(answer.verdict)) &&
    (answer.given === undefined || typeof answer.given === "string") &&
    (answer.provenances === undefined || areProvenances(answer.provenances)) &&
    typeof answer.detail === "string" &&
    answer.detail.length <= answerDetailCharactersMax
  );
}

function areProvenances(value: unknown): value is readonly SignedStatement[] {
  if (!Array.isArray(value) || value.length > provenancesMax) return false;
  return (value as (SignedStatement | null)[]).every(
    (one) =>
      one?.payload instanceof Uint8Array &&
      Array.isArray(one.signatures) &&
      one.signatures.length <= limits.controlPeersMax &&
      (one.signatures as (SignedStatement["signatures"][number] | null)[]).every(
        (signed) => typeof signed?.peer === "string" && signed.signature instanceof Uint8Array,
      ),
  );
}
