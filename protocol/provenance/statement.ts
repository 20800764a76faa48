/**
 * What control peers say of an output: an in-toto statement with a SLSA provenance, and the bytes of it that are signed.
 *
 * Equal facts give equal bytes, so that several peers, each from its own records, sign the same.
 *
 * @source https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
 * @source https://slsa.dev/spec/v1.0/provenance
 * @source https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
 */

import { Buffer } from "node:buffer";
import * as z from "zod/mini";
import { failure, type Result, success } from "../errors.ts";

export const payloadType = "application/vnd.in-toto+json";
const statementType = "https://in-toto.io/Statement/v1";
const predicateType = "https://slsa.dev/provenance/v1";
const buildType = "urn:otto:build-type:step:1";
const builderPrefix = "urn:otto:domain:";

const text = z.string();
const digests = z.record(text, text);

/** What in-toto calls a resource descriptor, as far as it is used here. */
const resource = z.object({
  name: z.optional(text),
  uri: z.optional(text),
  digest: z.optional(digests),
  content: z.optional(text),
});

const statement = z.object({
  _type: z.literal(statementType),
  subject: z.array(z.object({ name: text, digest: digests })).check(z.minLength(1)),
  predicateType: z.literal(predicateType),
  predicate: z.object({
    buildDefinition: z.object({
      buildType: z.literal(buildType),
      externalParameters: z.object({
        pipeline: text,
        plan: text,
        step: text,
        output: text,
        /** Absent: none is known. */
        ref: z.optional(text),
      }),
      internalParameters: z.object({
        run: text,
        attempt: z.int(),
        worker: text,
        /** Secrets that the step, or one that it came after, was given itself; absent: none. */
        exposed: z.optional(z.array(z.object({ step: text, secret: text }))),
      }),
      resolvedDependencies: z.array(resource),
    }),
    runDetails: z.object({
      builder: z.object({ id: text }),
      metadata: z.object({ invocationId: text, otto_level: text }),
      byproducts: z.array(resource),
    }),
  }),
});

export type Statement = z.infer<typeof statement>;
export type Resource = z.infer<typeof resource>;

export type BuildFacts = {
  readonly domain: string;
  /** As its owner signed it: who checks needs nothing else. */
  readonly charter: Uint8Array;
  readonly run: string;
  readonly pipeline: string;
  readonly plan: string;
  readonly step: string;
  readonly output: string;
  /** A branch, `tag:` and a tag, or `pull-request:` and a branch; "": none is known. */
  readonly ref: string;
  readonly attempt: number;
  readonly worker: string;
  readonly level: string;
  readonly exposed: readonly { readonly step: string; readonly secret: string }[];
  readonly dependencies: readonly Resource[];
  readonly tree: string;
  /** Of each regular file; none when they are too many, and the tree stands for them. */
  readonly files: readonly { readonly path: string; readonly digest: string }[];
};

export function statementOf(facts: BuildFacts): Statement {
  const { domain, run, pipeline, plan, step, output, ref, attempt, worker, level } = facts;
  const named = facts.files.map(({ path, digest }) => ({ name: path, digest: { sha256: digest } }));
  return {
    _type: statementType,
    subject: [{ name: treeName(output), digest: { sha256: facts.tree } }, ...named],
    predicateType,
    predicate: {
      buildDefinition: {
        buildType,
        externalParameters: { pipeline, plan, step, output, ...(ref === "" ? {} : { ref }) },
        internalParameters: {
          run,
          attempt,
          worker,
          ...(facts.exposed.length === 0 ? {} : { exposed: [...facts.exposed] }),
        },
        resolvedDependencies: [...facts.dependencies],
      },
      runDetails: {
        builder: { id: builderPrefix + domain },
        metadata: { invocationId: `urn:otto:run:${run}:${attempt}`, otto_level: level },
        byproducts: [{ name: "charter", content: Buffer.from(facts.charter).toString("base64") }],
      },
    },
  };
}

/** The subject that is all files together, by the digest of their tree. No file has such a name. */
export function treeName(output: string): string {
  return `${output}/`;
}

export function encodeStatement(said: Statement): Uint8Array {
  return Buffer.from(JSON.stringify(said));
}

/** Reads bytes whose signature holds, or will be looked at. */
export function decodeStatement(payload: Uint8Array): Result<Statement, string> {
  try {
    const parsed = statement.safeParse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload)));
    return parsed.success ? success(parsed.data) : failure("it is no provenance of an output of Otto's");
  } catch {
    return failure("it is no JSON");
  }
}

/** The id of the domain that says so; null: it is nobody that could be checked. */
export function domainOf({ predicate }: Statement): string | null {
  const { id } = predicate.runDetails.builder;
  return id.startsWith(builderPrefix) ? id.slice(builderPrefix.length) : null;
}

export function charterIn({ predicate }: Statement): Uint8Array | null {
  const found = predicate.runDetails.byproducts.find(({ name }) => name === "charter")?.content;
  return found === undefined ? null : Buffer.from(found, "base64");
}

/** What a signature is over. */
export function toBeSigned(payload: Uint8Array): Uint8Array {
  const head = `DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}
