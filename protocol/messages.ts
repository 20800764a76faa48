/**
 * Messages: what peers say to each other, and the one place where bytes from a stranger become one.
 *
 * A link is authenticated by its transport (the peer id) and by the certificate in its first message, `hello`;
 * what must be believed beyond the link (manifests, results, log entries) is a signed envelope inside.
 */

import * as z from "zod/mini";
import { type AlikeLeases, apart, together } from "./alike-leases.ts";
import { compiledObject } from "./compiled-object.ts";
import { failure, type Result, success } from "./errors.ts";
import type { ForkEvidence } from "./fork.ts";
import { limits } from "./limits.ts";
import type { Scalar } from "./plan.ts";
import type { ConfigurationMessage, RegisterMessage } from "./registers/messages.ts";
import type { LetCount } from "./attempt-content.ts";
import type { StepReport } from "./report.ts";
import { decodeUntrusted, encodeValue } from "./values.ts";

/** Names one lease: the step's place in the run's plan, and the token it was granted under. */
export type LeaseRef = { readonly run: string; readonly index: number; readonly token: number };

export type GrantedLease = LeaseRef & {
  readonly attempt: number;
  /** Of an exclusive step: higher than whatever was granted to another one before, over all runs of the domain. */
  readonly fence?: number;
  /** Trees of the declared inputs, in the order of the plan. */
  readonly inputs: readonly { readonly name: string; readonly tree: string }[];
  /** Values that other steps said, by the name that this one takes them under; only when there are some. */
  readonly values?: readonly GivenValue[];
  /** Of a guarded step: what a majority of the control peers signed (`permits.ts`). */
  readonly permit?: Uint8Array;
  /** Of the steps before it, those that a gate behind them has let count; only when there are some. */
  readonly letCount?: readonly LetCount[];
};

export type GivenValue = { readonly name: string; readonly value: Scalar };

export type PeerAddresses = { readonly peer: string; readonly addresses: readonly string[] };

type Verdict = "accepted" | "stale" | "duplicate";

/** What a worker signs about an attempt: the payload of a `result` envelope. */
export type SignedResult = LeaseRef & {
  readonly otto: "result/1";
  readonly step: string;
  readonly attempt: number;
  /** What the attempt was given: `inputsDigest` of the inputs in its grant. */
  readonly inputs: string;
  readonly report: StepReport;
};

/**
 * `again`: asked before, perhaps of another home, and not answered: what it was granted then is told again.
 * `atHand`: names of what the worker has, only when they are others than it said to this home before.
 */
export type Pull = {
  readonly session: string;
  readonly nonce: string;
  readonly slots: number;
  readonly again: boolean;
  readonly atHand?: readonly string[];
  /** It reads leases that are told together; absent where there is one slot. */
  readonly alike?: boolean;
};

export type WorkerMessage =
  /** A worker's process is there; `held` are the leases that it still works on. Sent to every control peer. */
  | {
      readonly kind: "session";
      readonly session: string;
      readonly labels: readonly string[];
      readonly slots: number;
      readonly held: readonly LeaseRef[];
    }
  | ({ readonly kind: "pull" } & Pull)
  | {
      readonly kind: "renew";
      readonly session: string;
      /** The worker's own monotonic time at sending; echoed. */
      readonly sentMs: number;
      readonly held: readonly LeaseRef[];
    }
  /** `pull`: the slot that it leaves is free, and one round of the home takes the one and fills the other. */
  | { readonly kind: "result"; readonly envelope: Uint8Array; readonly pull?: Pull }
  /** Given back: before the step had started here, after it was stopped, or since it cannot run here. */
  | {
      readonly kind: "release";
      readonly leases: readonly LeaseRef[];
      readonly how: "unstarted" | "begun" | "refused";
      /** Why it cannot be run, for a person: part of a sentence. */
      readonly why?: string;
    }
  | {
      readonly kind: "output";
      readonly run: string;
      readonly index: number;
      readonly attempt: number;
      readonly offset: number;
      readonly bytes: Uint8Array;
      /** sha256 of the attempt's log from its beginning to the end of these bytes. */
      readonly digest: string;
      /** To be answered with what is kept then; a piece that does not fit is in any case. */
      readonly ask: boolean;
    };

/** What became of a worker's result. */
export type Ack = { readonly lease: LeaseRef; readonly verdict: Verdict };

type HomeMessage =
  | { readonly kind: "welcome"; readonly home: string | null; readonly leaseMs: number }
  | {
      readonly kind: "grant";
      readonly nonce: string;
      readonly leases: readonly GrantedLease[];
      /** True for leases that travel together (`alike-leases.ts`), as the pull allowed. */
      readonly alike?: boolean;
      /** Digests of the runs' bundles, by run: the worker checks the submitters' signatures itself. */
      readonly bundles: Readonly<Record<string, string>>;
      /** What was decided in the same round about results of this worker's; only when something was. */
      readonly acks?: readonly Ack[];
    }
  | { readonly kind: "renewed"; readonly sentMs: number; readonly superseded: readonly LeaseRef[] }
  | ({ readonly kind: "ack" } & Ack)
  /** So much of an attempt's output is kept here. */
  | {
      readonly kind: "output-kept";
      readonly run: string;
      readonly index: number;
      readonly attempt: number;
      readonly end: number;
    }
  | { readonly kind: "revoke"; readonly lease: LeaseRef; readonly cause: "cancelled" | "superseded" };

type SharedMessage =
  | { readonly kind: "hello"; readonly certificate: Uint8Array; readonly charter: Uint8Array }
  /** Who is a peer of the domain no more, as it was signed (`revocation.ts`). */
  | { readonly kind: "revocations"; readonly documents: readonly Uint8Array[] }
  /** What the domain demands, as its owner signed it last (`documents.ts`). */
  | { readonly kind: "policy"; readonly document: Uint8Array }
  /** The sender has heard of nothing that the domain demands. A kind of its own: earlier versions pass over it. */
  | { readonly kind: "no-policy" }
  /** Where the sender, and control peers that it knows of, can be reached. A hint: whoever answers there proves who it is. */
  | { readonly kind: "addresses"; readonly peers: readonly PeerAddresses[] }
  /** A bundle exists and can be fetched from the sender by its digest. */
  | { readonly kind: "announce"; readonly run: string; readonly bundle: string }
  /** A control peer has the bundle with this digest, and all the files that the run starts from, on its disk. */
  | { readonly kind: "holds"; readonly run: string; readonly bundle: string }
  | {
      readonly kind: "announced";
      readonly run: string;
      readonly state: "admitted" | "refused";
      readonly reason: string;
    }
  /** `answer`: what the receiver asked for, and there may be more; else what has just happened. */
  | { readonly kind: "events"; readonly entries: readonly Uint8Array[]; readonly answer: boolean }
  /** Does the receiver hold this log through that entry? It answers what it holds. */
  | { readonly kind: "confirm"; readonly log: string; readonly seq: number }
  | { readonly kind: "confirmed"; readonly log: string; readonly seq: number }
  /** How far the sender is with every log of a region (`log-tree.ts`); the receiver sends what is missing. */
  | {
      readonly kind: "vector";
      readonly prefix: string;
      readonly heads: Readonly<Record<string, readonly [seq: number, hash: string]>>;
      /** Logs that the sender knows to fork: there is nothing more to have of them. */
      readonly frozen: readonly string[];
    }
  /** The hashes of the parts of a region with many logs; the receiver says which of them differ. */
  | { readonly kind: "log-parts"; readonly prefix: string; readonly parts: Readonly<Record<string, string>> }
  | { readonly kind: "parts-differ"; readonly prefixes: readonly string[] }
  /** Judge for yourself, and sign: a permit, a release or an outcome; with what people signed about it. */
  | {
      readonly kind: "endorse";
      readonly what: "permit" | "release" | "outcome";
      readonly statement: Uint8Array;
      readonly evidence: readonly Uint8Array[];
    }
  | {
      readonly kind: "endorsed";
      readonly what: "permit" | "release" | "outcome";
      readonly run: string;
      readonly index: number;
      readonly envelope: Uint8Array;
    }
  | {
      readonly kind: "not-endorsed";
      readonly what: "permit" | "release" | "outcome";
      readonly run: string;
      readonly index: number;
      readonly why: string;
    }
  /** Two entries that cannot both be in one log (`fork.ts`). */
  | { readonly kind: "fork"; readonly evidence: ForkEvidence };

export type Message = RegisterMessage | ConfigurationMessage | WorkerMessage | HomeMessage | SharedMessage;

const text = z.string().check(z.maxLength(512));
const count = z.int().check(z.nonnegative());
const logName = z.string().check(z.regex(/^[0-9a-f]{32}$/u));
const logPrefix = z.string().check(z.regex(/^[0-9a-f]{0,32}$/u));
const bytes = z.instanceof(Uint8Array);
const ballot = compiledObject({ configuration: count, epoch: count, peer: text, incarnation: text });
const position = compiledObject({ ballot, round: count });
const names = z.array(text).check(z.minLength(1), z.maxLength(limits.batchRecordsMax));
const record = compiledObject({ names, value: bytes });
const records = z.array(record).check(
  z.maxLength(limits.batchRecordsMax),
  z.refine((all) => all.reduce((sum, one) => sum + one.names.length, 0) <= limits.batchRecordsMax),
);
const promised = compiledObject({ name: text, value: bytes, ballot, round: count });
const promisedRecords = z.array(promised).check(z.maxLength(limits.batchRecordsMax));
const lease = compiledObject({ run: text, index: count, token: count });
const leases = z.array(lease).check(z.maxLength(limits.leasesPerMessageMax));
const countersigned = z.enum(["permit", "release", "outcome"]);
const input = compiledObject({ name: text, tree: text });
const pull = {
  session: text,
  nonce: text,
  slots: count.check(z.maximum(limits.pullSlotsMax)),
  again: z.boolean(),
  atHand: z.optional(z.array(text).check(z.maxLength(limits.warmCachesMax + limits.warmTreesMax))),
  alike: z.optional(z.boolean()),
};
const ack = { lease, verdict: z.enum(["accepted", "stale", "duplicate"]) };
const said = z.union([z.string(), z.boolean(), z.number()]);
const letCount = compiledObject({
  index: count,
  given: text,
  ended: compiledObject({
    token: count,
    outcome: text,
    outputs: z.array(input),
    values: z.optional(z.record(text, said)),
  }),
  permit: bytes,
});
const lent = {
  run: text,
  token: count,
  attempt: count,
  fence: z.optional(count),
  inputs: z.array(input),
  values: z.optional(z.array(compiledObject({ name: text, value: said }))),
  permit: z.optional(bytes),
  letCount: z.optional(z.array(letCount)),
};
const granted = compiledObject({ ...lent, index: count });
const alike = compiledObject({ ...lent, indexes: z.array(count).check(z.maxLength(limits.pullSlotsMax)) });

function kind<Kind extends string, Fields extends z.core.$ZodLooseShape>(name: Kind, fields: Fields) {
  return compiledObject({ kind: z.literal(name), ...fields });
}

const message = z.discriminatedUnion("kind", [
  kind("canvass", { ballot }),
  kind("willing", { ballot }),
  kind("prepare", { ballot }),
  kind("promise", { ballot, at: position }),
  kind("reign", { ballot, base: position }),
  kind("configuration", {
    configuration: count,
    store: text,
    addresses: z.array(text).check(z.maxLength(limits.addressesMax)),
  }),
  kind("install", {
    charter: bytes,
    records: promisedRecords,
    at: position,
    chosen: position,
    first: z.boolean(),
    last: z.boolean(),
  }),
  kind("accept", { ballot, round: count, chosen: count, records }),
  kind("accepted", { ballot, round: count }),
  kind("gap", {
    ballot,
    ask: text,
    since: position,
    names: z.array(text).check(z.maxLength(limits.repairNamesMax)),
  }),
  kind("repair", {
    ballot,
    ask: text,
    page: count,
    last: z.boolean(),
    at: position,
    chosen: position,
    ballots: z.array(ballot).check(z.maxLength(limits.batchRecordsMax)),
    records: z
      .array(compiledObject({ name: text, value: bytes, ballot: count, round: count }))
      .check(z.maxLength(limits.batchRecordsMax)),
  }),
  kind("more", { ballot, ask: text, page: count }),
  kind("nack", { ballot, promised: ballot }),
  kind("heartbeat", { ballot, sentMs: z.number(), round: count, chosen: count }),
  kind("heard", { ballot, sentMs: z.number() }),
  kind("session", {
    session: text,
    labels: z.array(text).check(z.maxLength(64)),
    slots: count,
    held: leases,
  }),
  kind("pull", pull),
  kind("renew", { session: text, sentMs: z.number(), held: leases }),
  kind("result", { envelope: bytes, pull: z.optional(compiledObject(pull)) }),
  kind("release", { leases, how: z.enum(["unstarted", "begun", "refused"]), why: z.optional(text) }),
  kind("output", {
    run: text,
    index: count,
    attempt: count,
    offset: count,
    bytes,
    digest: text,
    ask: z.boolean(),
  }),
  kind("output-kept", { run: text, index: count, attempt: count, end: count }),
  kind("welcome", { home: z.nullable(text), leaseMs: count }),
  kind("grant", {
    nonce: text,
    leases: z.array(granted).check(z.maxLength(limits.pullSlotsMax)),
    alike: z.optional(z.array(alike).check(z.maxLength(limits.pullSlotsMax))),
    bundles: z.record(text, text),
    acks: z.optional(z.array(compiledObject(ack)).check(z.maxLength(limits.leasesPerMessageMax))),
  }),
  kind("renewed", { sentMs: z.number(), superseded: leases }),
  kind("ack", ack),
  kind("revoke", { lease, cause: z.enum(["cancelled", "superseded"]) }),
  kind("hello", { certificate: bytes, charter: bytes }),
  kind("revocations", {
    documents: z.array(bytes).check(z.maxLength(limits.revocationsPerMessageMax)),
  }),
  kind("policy", { document: bytes }),
  kind("no-policy", {}),
  kind("addresses", {
    peers: z
      .array(
        compiledObject({
          peer: text,
          addresses: z.array(text).check(z.maxLength(limits.addressesPerPeerMax)),
        }),
      )
      .check(z.maxLength(limits.addressedPeersMax)),
  }),
  kind("announce", { run: text, bundle: text }),
  kind("holds", { run: text, bundle: text }),
  kind("announced", { run: text, state: z.enum(["admitted", "refused"]), reason: text }),
  kind("events", {
    entries: z.array(bytes).check(z.maxLength(limits.batchRecordsMax)),
    answer: z.boolean(),
  }),
  kind("confirm", { log: logName, seq: count }),
  kind("confirmed", { log: logName, seq: count }),
  kind("vector", {
    prefix: logPrefix,
    heads: z
      .record(logName, z.tuple([count, text]))
      .check(z.refine((heads) => Object.keys(heads).length <= limits.logsListedMax)),
    frozen: z.array(logName).check(z.maxLength(limits.logsListedMax)),
  }),
  kind("log-parts", { prefix: logPrefix, parts: z.record(z.string().check(z.regex(/^[0-9a-f]$/u)), text) }),
  kind("parts-differ", { prefixes: z.array(logPrefix).check(z.maxLength(limits.partsFollowedMax)) }),
  kind("endorse", {
    what: countersigned,
    statement: bytes,
    evidence: z.array(bytes).check(z.maxLength(limits.policyEntriesMax)),
  }),
  kind("endorsed", { what: countersigned, run: text, index: count, envelope: bytes }),
  kind("not-endorsed", { what: countersigned, run: text, index: count, why: z.string() }),
  kind("fork", { evidence: z.tuple([bytes, bytes]) }),
]);

/** Every kind of message that this version knows. */
export const messageKinds: readonly string[] = message._zod.def.options.map((option) =>
  String(option._zod.def.shape.kind._zod.def.values[0]),
);

/** What a message of a home's tells a worker of its results. */
export function acksIn(message: Message): readonly Ack[] {
  if (message.kind === "ack") return [message];
  return message.kind === "grant" ? (message.acks ?? []) : [];
}

export function encodeMessage(value: Message): Uint8Array {
  if (value.kind !== "grant" || value.alike !== true) return encodeValue(value);
  return encodeValue({ ...value, leases: [], alike: together(value.leases) });
}

const kinds: ReadonlySet<unknown> = new Set(messageKinds);

/**
 * A message from bytes that anybody may have sent. Fields that this version does not know are dropped, and so is a
 * message of a kind that it does not know: a peer of a later version says it to those who understand it.
 */
export function decodeMessage(frame: Uint8Array): Result<Message, "malformed" | "oversized" | "unknown"> {
  if (frame.length > limits.frameBytesMax) return failure("oversized");
  const decoded = decodeUntrusted(frame);
  if (!decoded.ok) return failure("malformed");
  const parsed = message.safeParse(decoded.value);
  if (parsed.success) return unfolded(parsed.data);
  const kind = (decoded.value as { readonly kind?: unknown } | null)?.kind;
  return failure(typeof kind === "string" && !kinds.has(kind) ? "unknown" : "malformed");
}

/** Leases that travelled together are apart again. */
function unfolded(read: z.infer<typeof message>): Result<Message, "malformed"> {
  if (read.kind !== "grant" || read.alike === undefined) return success(read as Message);
  const all = read.alike as AlikeLeases[];
  const length = all.reduce((sum, { indexes }) => sum + indexes.length, read.leases.length);
  if (length > limits.pullSlotsMax) return failure("malformed");
  return success({ ...read, leases: [...read.leases, ...apart(all)], alike: true } as Message);
}
