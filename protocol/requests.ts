/**
 * The requests that a call may begin with, and the one place where bytes from a caller become one. The answers are
 * in `calls.ts`.
 */

import * as z from "zod/mini";
import { answerDetailCharactersMax, verdicts } from "./answers.ts";
import { failure, type Result, success } from "./errors.ts";
import { limits } from "./limits.ts";
import { decodeUntrusted } from "./values.ts";

const text = z.string().check(z.maxLength(512));
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const offset = z.int().check(z.nonnegative());
const digest = z.string().check(z.regex(/^[0-9a-f]{64}$/u));
const digests = z.readonly(z.array(digest).check(z.maxLength(limits.digestsPerCallMax)));
/** Callers over libp2p show who they are; over the local socket the file's rights say it. */
const certificate = z.nullable(bytes);

/** A plan that some run had: by the beginning of its id, or the last one of a ref or of an environment. */
const wantedPlan = z.discriminatedUnion("by", [
  z.object({ by: z.literal("id"), id: text }),
  z.object({ by: z.literal("ref"), pipeline: text, branch: z.nullable(text), tag: z.nullable(text) }),
  z.object({ by: z.literal("environment"), pipeline: text, environment: text }),
]);

const certificateClaim = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("invite"), invite: bytes, application: bytes }),
  z.object({ kind: z.literal("renewal"), renewal: bytes }),
]);

export type WantedPlan = z.infer<typeof wantedPlan>;

const request = z.discriminatedUnion("call", [
  z.object({ call: z.literal("status"), certificate }),
  z.object({
    call: z.literal("watch"),
    certificate,
    run: text,
    /** Also what the steps write. */
    output: z.boolean(),
    /** False: what happened so far, and no more. */
    follow: z.boolean(),
    /** What comes before in each attempt's log is left out. */
    from: z.optional(offset),
    /** The same for these attempts, by `<number>/<step>`: where a watcher is that was cut off. */
    offsets: z.optional(
      z
        .record(z.string().check(z.maxLength(1_024)), offset)
        .check(z.refine((offsets) => Object.keys(offsets).length <= limits.offsetsPerWatchMax)),
    ),
  }),
  /** What a control peer keeps of the output of an attempt, as chunks; `done` comes behind the last. */
  z.object({ call: z.literal("kept-output"), certificate, run: text, step: text, attempt: offset, offset }),
  z.object({ call: z.literal("find-plan"), certificate, wanted: wantedPlan }),
  z.object({ call: z.literal("submit"), certificate, bundle: bytes }),
  z.object({ call: z.literal("cancel"), certificate, run: text, by: text }),
  z.object({
    call: z.literal("answer"),
    certificate,
    /** A signed answer to a step that waits (`answers.ts`). */
    answer: bytes,
    /** What the bearer of a callback says. */
    said: z.nullable(
      z.object({
        verdict: z.enum(verdicts),
        detail: z.string().check(z.maxLength(answerDetailCharactersMax)),
      }),
    ),
  }),
  z.object({ call: z.literal("schedules"), certificate }),
  z.object({ call: z.literal("remove-schedule"), certificate, pipeline: text, by: text }),
  z.object({ call: z.literal("peers"), certificate }),
  z.object({ call: z.literal("missing-blobs"), certificate, digests }),
  z.object({ call: z.literal("put-blobs"), certificate }),
  z.object({ call: z.literal("get-blobs"), certificate, digests }),
  z.object({ call: z.literal("bundle"), certificate, run: text }),
  /** All records of a run, as the chunks of one `otto-run/1`; `done` comes behind the last. */
  z.object({ call: z.literal("export"), certificate, run: text }),
  z.object({ call: z.literal("use-invite"), certificate, nonce: text, peer: text }),
  z.object({
    call: z.literal("join"),
    certificate,
    invite: bytes,
    /** For which keys the invite is used (`invite.ts`). */
    application: bytes,
    addresses: z.readonly(z.array(text).check(z.maxLength(limits.addressesMax))),
    /** The name of the joining peer's database; empty for a person. */
    store: text,
  }),
  /** A certificate like the one that the asking peer or person has (`renewal.ts`). */
  z.object({ call: z.literal("renew"), certificate, renewal: bytes }),
  /** Judge for yourself, and sign: among control peers (`certifying.ts`). */
  z.object({ call: z.literal("certify"), certificate, fromMs: offset, claim: certificateClaim }),
  z.object({ call: z.literal("control"), certificate }),
  z.object({ call: z.literal("recharter"), certificate, charter: bytes }),
  z.object({ call: z.literal("put-document"), certificate, document: bytes }),
  /** Documents of one topic, as they were signed. */
  z.object({ call: z.literal("documents"), certificate, topic: text }),
  /** By a control peer of another domain: a step that was released to this one, and how is it? */
  z.object({ call: z.literal("release"), certificate, bundle: bytes }),
  /** Gates that are closed. */
  z.object({ call: z.literal("gates"), certificate }),
  /** Who used which credential for what: through the asked control peer, or through all of them. */
  z.object({ call: z.literal("uses"), certificate, all: z.boolean(), verify: z.optional(z.boolean()) }),
  /** What an output was made of and by whom, signed by the asked control peer, or by all of them. */
  z.object({
    call: z.literal("provenance"),
    certificate,
    run: text,
    step: text,
    output: text,
    all: z.boolean(),
  }),
  z.object({ call: z.literal("backup"), certificate }),
  z.object({ call: z.literal("stop"), certificate }),
]);

export type Request = z.infer<typeof request>;

export function decodeRequest(frame: Uint8Array): Result<Request, string> {
  const decoded = decodeUntrusted(frame);
  if (!decoded.ok) return decoded;
  const parsed = request.safeParse(decoded.value);
  return parsed.success ? success(parsed.data) : failure("not a call that this version knows");
}
