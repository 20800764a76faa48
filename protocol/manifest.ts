/**
 * The manifest: a plan, its source and its submitter, signed as one and addressed by its content.
 *
 * A **bundle** is the manifest's envelope together with the submitter's certificate: all that a peer needs to
 * judge it. The run's id comes from the manifest's CID, and the nonce is in the manifest, so a manifest can be
 * admitted only once, whoever announces it.
 */

import { assert, failure, type Result, success } from "./errors.ts";
import {
  openEnvelope,
  payloadIn,
  recalled,
  type RefusedBecause,
  sealEnvelope,
  type Signer,
  type Verifier,
} from "./envelope.ts";
import { limits } from "./limits.ts";
import { type Certificate, openCertificate } from "./certificate.ts";
import type { Charter, SignedCharter } from "./membership.ts";
import type { Plan } from "./plan.ts";
import { parsePlan } from "./plan-check.ts";
import { saidByQuorum } from "./quorum.ts";
import { isRelease, openRelease, type Release, releasedPlan, runOfRelease } from "./release.ts";
import { isSlotOf, isStandingOrder, runOfSlot, type StandingOrder } from "./standing-order.ts";
import { bytesCid, decodeUntrusted, decodeValue, encodeValue, fieldBytes, sha256Hex } from "./values.ts";

/** Where a run's files come from. */
export type Source =
  /** A tree in the blob store (`protocol/tree.ts`). */
  | { readonly kind: "tree"; readonly tree: string }
  /** A commit that each worker fetches with git. */
  | { readonly kind: "commit"; readonly repository: string; readonly commit: string };

export type Manifest = {
  readonly otto: "manifest/1";
  readonly plan: Plan;
  readonly source: Source;
  /** Random; makes each submission of the same plan a run of its own. */
  readonly nonce: string;
  /**
   * Until when it may be admitted, milliseconds since 1970. Who admitted it remembers so for as long, and no longer. Not in
   * a standing order: an order that was overtaken is never set again, and each slot is fired once.
   */
  readonly validUntilMs?: number;
  /** Only in a standing order: it is no run itself, but is run at each slot. */
  readonly order?: StandingOrder;
};

/** A bundle whose signatures held, whose submitter is a member and whose plan is sound. */
export type Submission = {
  /** Of a standing order: its own id, which is no run's. */
  readonly run: string;
  readonly manifestCid: string;
  readonly planId: string;
  /** sha256 of the bundle: the name of its blob. */
  readonly digest: string;
  readonly manifest: Manifest;
  readonly submitter: Certificate;
  /** The slot whose run this is, milliseconds since 1970; null for a run that a person started, and for an order. */
  readonly slotMs: number | null;
  /** Only of a step that another domain released to this one: `manifest.plan` is that step alone. */
  readonly released?: Released;
};

type Released = {
  readonly release: Release;
  /** Of the domain that released it. */
  readonly from: SignedCharter;
  /** The whole plan that the step is of. */
  readonly plan: Plan;
};

/** Until when a run that a person started may be admitted; null for an order, and for the run of a slot. */
export function validUntilOf({ manifest, slotMs }: Submission): number | null {
  return slotMs === null ? (manifest.validUntilMs ?? null) : null;
}

/** When it was submitted, or later: the slot of an order, the release of a step, else what its last moment allows; milliseconds since 1970. */
export function submittedSinceMs({ manifest, released, slotMs }: Submission): number {
  const { validUntilMs = limits.submissionMsMax } = manifest;
  return released?.release.fromMs ?? slotMs ?? validUntilMs - limits.submissionMsMax;
}

/** An order that is kept and run at its slots, as opposed to a run. */
export function orderOf({ manifest, slotMs }: Submission): StandingOrder | null {
  return slotMs === null ? (manifest.order ?? null) : null;
}

export function sealBundle(
  manifest: Manifest,
  domain: string,
  submitter: Signer,
  certificate: Uint8Array,
): Uint8Array {
  return encodeValue([sealEnvelope("manifest", domain, manifest, submitter), certificate]);
}

/** The bundle of the run of a slot, from the bundle of its order: whoever makes it makes the same bytes. */
export function bundleOfSlot(order: Uint8Array, slotMs: number): Uint8Array {
  const [envelope, certificate] = decodeValue(order) as [Uint8Array, Uint8Array];
  return encodeValue([envelope, certificate, slotMs]);
}

/** The bundle of a step that is released to another domain. */
export function bundleOfRelease(
  bundle: Uint8Array,
  { release, charter }: { readonly release: Uint8Array; readonly charter: Uint8Array },
): Uint8Array {
  const [envelope, certificate] = decodeValue(bundle) as [Uint8Array, Uint8Array];
  return encodeValue([envelope, certificate, release, charter]);
}

/**
 * Judges a bundle from anybody: size, both signatures, the submitter's standing at `wallMs`, the plan's soundness.
 * The signature covers the whole plan, byte for byte.
 */
export function openBundle(
  bytes: Uint8Array,
  charter: Charter,
  wallMs: number,
  keys: Verifier,
): Result<Submission, BundleProblem> {
  if (bytes.length > limits.manifestBytesMax) return refused("oversized", `${bytes.length} bytes`);
  const parts = recalled(keys, { what: "bundle", domain: "" }, bytes, () => partsOf(bytes));
  if (parts === null) return refused("malformed", "not a bundle");
  return parts.released === null
    ? openSubmitted(bytes, parts, { charter, wallMs }, keys)
    : openReleased(bytes, parts, parts.released, keys);
}

function openSubmitted(
  bytes: Uint8Array,
  parts: BundleParts,
  { charter, wallMs }: { readonly charter: Charter; readonly wallMs: number },
  keys: Verifier,
): Result<Submission, BundleProblem> {
  const opened = openEnvelope(parts.envelope, { kind: "manifest", domain: charter.domain }, keys);
  if (!opened.ok) return refused(opened.problem, "the manifest's envelope");
  const certificate = openCertificate(parts.certificate, charter, wallMs, keys);
  if (!certificate.ok) return refused(certificate.problem, "the submitter's certificate");
  const { envelope, value } = opened.value;
  if (certificate.value.peer !== envelope.signer) return refused("stranger", "the certificate is another's");
  if (certificate.value.role !== "person") return refused("role", "only a person submits");
  const judged = recalled(keys, { what: "manifest of a bundle", domain: "" }, bytes, () =>
    judgeManifest(bytes, envelope.payload, value, parts.slot),
  );
  return judged.ok ? success({ ...judged.value, submitter: certificate.value }) : judged;
}

/**
 * A submission of another domain's, of which one step was released to this one. Whether that domain is trusted is not judged
 * here. Its submitter was a member of it when the step was released.
 */
function openReleased(
  bytes: Uint8Array,
  parts: BundleParts,
  sealed: NonNullable<BundleParts["released"]>,
  keys: Verifier,
): Result<Submission, BundleProblem> {
  const opened = openRelease(sealed, keys);
  if (!opened.ok) return refused(opened.problem, "the release");
  const { release, from } = opened.value;
  const whole = openSubmitted(bytes, parts, { charter: from.charter, wallMs: release.fromMs }, keys);
  if (!whole.ok) return whole;
  const { manifest, manifestCid } = whole.value;
  const { plan } = manifest;
  const isOfIt = manifestCid === release.manifest && plan.steps[release.index]?.name === release.step;
  if (!isOfIt) return refused("malformed", "the release is of another submission");
  const { order: _, ...rest } = manifest;
  const alone = releasedPlan(plan, release.index);
  return success({
    ...whole.value,
    run: runOfRelease(release),
    slotMs: null,
    manifest: { ...rest, plan: alone, validUntilMs: release.untilMs },
    released: { release, from, plan },
  });
}

type BundleProblem = { readonly because: RefusedBecause; readonly detail: string };

type BundleParts = {
  readonly envelope: Uint8Array;
  readonly certificate: Uint8Array;
  /** What the bundle says of the slot whose run it is; null where it says nothing. */
  readonly slot: { readonly slotMs: unknown } | null;
  /** Of a released step: what the other domain signed, and its charter. */
  readonly released: { readonly release: Uint8Array; readonly charter: Uint8Array } | null;
};

/** Null: the bytes are no bundle. */
function partsOf(bytes: Uint8Array): BundleParts | null {
  const decoded = decodeUntrusted(bytes);
  if (!decoded.ok || !Array.isArray(decoded.value) || decoded.value.length < 2 || decoded.value.length > 4)
    return null;
  const [envelope, certificate, third, charter] = decoded.value as unknown[];
  if (!(envelope instanceof Uint8Array) || !(certificate instanceof Uint8Array)) return null;
  const { length } = decoded.value as unknown[];
  if (length < 4)
    return { envelope, certificate, slot: length === 3 ? { slotMs: third } : null, released: null };
  if (!(third instanceof Uint8Array) || !(charter instanceof Uint8Array)) return null;
  return { envelope, certificate, slot: null, released: { release: third, charter } };
}

function judgeManifest(
  bundle: Uint8Array,
  payload: Uint8Array,
  value: unknown,
  slot: BundleParts["slot"],
): Result<Omit<Submission, "submitter">, BundleProblem> {
  const manifest = value as Manifest;
  if (manifest?.otto !== "manifest/1" || typeof manifest.nonce !== "string" || !isSource(manifest.source))
    return refused("malformed", "not a manifest");
  if (manifest.order !== undefined && !isStandingOrder(manifest.order))
    return refused("malformed", "not a standing order");
  if (Number.isSafeInteger(manifest.validUntilMs) === (manifest.order !== undefined))
    return refused("malformed", "until when it may be admitted is not said, or is said of a standing order");
  const slotMs = slot?.slotMs;
  const isSlot = manifest.order !== undefined && isSlotOf(manifest.order, slotMs);
  if (slot !== null && !isSlot) return refused("malformed", "not a slot of this order");
  const plan = parsePlan(manifest.plan);
  if (!plan.ok) return refused("malformed", plan.problem);
  const manifestCid = bytesCid(payload);
  return success({
    run: isSlot ? runOfSlot(manifestCid, slotMs) : manifestCid.slice(-12),
    manifestCid,
    planId: planIdIn(payload),
    digest: sha256Hex(bundle),
    manifest: { ...manifest, plan: plan.value },
    slotMs: isSlot ? slotMs : null,
  });
}

function isSource(source: unknown): source is Source {
  if (typeof source !== "object" || source === null || !("kind" in source)) return false;
  if (source.kind === "tree") return "tree" in source && isDigest(source.tree);
  if (source.kind !== "commit" || !("repository" in source) || !("commit" in source)) return false;
  const { repository, commit } = source;
  // A repository that starts with a dash would be read as an option by git.
  const named = typeof repository === "string" && /^(https?|ssh|git|file):\/\/|^[^-][^:]*:/u.test(repository);
  return named && typeof commit === "string" && /^[0-9a-f]{40}([0-9a-f]{24})?$/u.test(commit);
}

function isDigest(text: unknown): boolean {
  return typeof text === "string" && /^[0-9a-f]{64}$/u.test(text);
}

function refused(because: RefusedBecause, detail: string): Result<never, BundleProblem> {
  return failure({ because, detail });
}

/** Why nobody may submit the run of a slot. */
export const slotsAreTheDomains = {
  because: "role",
  detail: "a slot's run is started by the domain",
} as const;

/** What a list of three values begins with (RFC 8949). */
const listOfThree = 0x83;

/** True for the bundle of the run of a slot; nothing about it is judged. */
export function isBundleOfSlot(bytes: Uint8Array): boolean {
  // Almost all are of two parts, and need not be read whole to know that.
  if (bytes[0] !== listOfThree) return false;
  const decoded = decodeUntrusted(bytes);
  return decoded.ok && Array.isArray(decoded.value) && decoded.value.length === 3;
}

/** What a bundle calls itself, not judged: the run it would be, and the name of its blob. Null: it is no bundle. */
export function nameBundle(bytes: Uint8Array): { readonly run: string; readonly digest: string } | null {
  const payload = payloadOfBundle(bytes);
  if (payload === null) return null;
  const cid = bytesCid(payload);
  const [, , third] = decodeValue(bytes) as unknown[];
  const digest = sha256Hex(bytes);
  if (third instanceof Uint8Array) {
    const release = releaseIn(third);
    return release === null ? null : { run: runOfRelease(release), digest };
  }
  return { run: typeof third === "number" ? runOfSlot(cid, third) : cid.slice(-12), digest };
}

/** What a release says, not judged. */
function releaseIn(bytes: Uint8Array): Release | null {
  const said = saidByQuorum(bytes);
  return isRelease(said) ? said : null;
}

/** The plan in a bundle, whoever signed it; null: it holds none. */
export function planOfBundle(bytes: Uint8Array): { readonly plan: Plan; readonly planId: string } | null {
  const payload = payloadOfBundle(bytes);
  const manifest = payload === null ? null : decodeUntrusted(payload);
  if (payload === null || manifest?.ok !== true) return null;
  const planBytes = fieldBytes(payload, "plan");
  if (planBytes === null) return null;
  const parsed = parsePlan((manifest.value as Manifest).plan);
  if (!parsed.ok) return null;
  const plan = parsed.value;
  const [, , third] = decodeValue(bytes) as unknown[];
  const release = third instanceof Uint8Array ? releaseIn(third) : null;
  return { plan: release === null ? plan : releasedPlan(plan, release.index), planId: bytesCid(planBytes) };
}

/** The CID of a sound manifest's plan, from its bytes: encoding thousands of steps anew takes a tenth of a second. */
function planIdIn(payload: Uint8Array): string {
  const plan = fieldBytes(payload, "plan");
  assert(plan !== null, "a manifest has a plan");
  return bytesCid(plan);
}

function payloadOfBundle(bytes: Uint8Array): Uint8Array | null {
  const decoded = decodeUntrusted(bytes);
  const sealed: unknown = decoded.ok && Array.isArray(decoded.value) ? decoded.value[0] : null;
  return sealed instanceof Uint8Array ? payloadIn(sealed) : null;
}
