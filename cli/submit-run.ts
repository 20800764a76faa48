/** From a folder to a submitted run: the plan, its source in the blob store, the signed bundle. */

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type Channel, impatient } from "../node/edge/channel.ts";
import { putTo } from "../node/edge/blob-transfer.ts";
import { type Blobs, openBlobs } from "../node/edge/blobs.ts";
import { askFor } from "../node/edge/client.ts";
import { ottoHome } from "../node/edge/data-folder.ts";
import { snapshotCommit, snapshotWorkingTree } from "../node/edge/snapshot.ts";
import { limits } from "../protocol/limits.ts";
import { type Manifest, sealBundle, type Source } from "../protocol/manifest.ts";
import { assert, type ExitCode, exitCodes, OttoError } from "../protocol/errors.ts";
import { libraryTrees } from "../protocol/plan.ts";
import type { StandingOrder } from "../protocol/standing-order.ts";
import { parseTree } from "../protocol/tree.ts";
import { notSupported, unsupportedIn } from "../protocol/unsupported.ts";
import type { LoadedPlan } from "./load-plan.ts";
import { person } from "./person.ts";
import type { Target } from "./target.ts";

export type SourceOptions = {
  /** A revision to run instead of the working tree. */
  readonly commit?: string;
  /** With `commit`: workers fetch it from this repository themselves. */
  readonly repository?: string;
};

export type Submitted = { readonly run: string; readonly notices: readonly string[] };

/**
 * @param into the node's own blob store, when this process may write there; otherwise files are staged in this
 *   user's store and what the node lacks is sent. With an order nothing runs yet: `run` is then the order's id.
 */
export async function submitRun(
  loaded: LoadedPlan,
  target: Target,
  options: SourceOptions & { readonly into?: string; readonly order?: StandingOrder },
): Promise<Submitted> {
  const [unsupported] = unsupportedIn(loaded.plan, null);
  if (unsupported !== undefined) throw notSupported(`${unsupported.step}: ${unsupported.why}`);
  const blobs = await openBlobs(options.into ?? join(ottoHome(), "blobs"));
  const { source, notices } = await sourceOf(loaded.root, blobs, options);
  const libraries = await storeLibraries(loaded, blobs);
  const trees = source.kind === "tree" ? [source.tree, ...libraries] : libraries;
  if (options.into === undefined) for (const tree of trees) await sendTree(tree, blobs, target);
  const manifest: Manifest = {
    otto: "manifest/1",
    plan: loaded.plan,
    source,
    nonce: randomBytes(16).toString("base64url"),
    ...(options.order === undefined
      ? { validUntilMs: Date.now() + limits.submissionMsDefault }
      : { order: options.order }),
  };
  const { domain, certificate } = target.standing();
  const bundle = sealBundle(manifest, domain, person(), certificate);
  if (bundle.length > limits.manifestBytesMax)
    throw new OttoError("OTTO_FILE_TOO_LARGE", {
      what: `The plan has ${bundle.length} bytes; a peer takes at most ${limits.manifestBytesMax}.`,
      state: "Nothing was submitted.",
      next: "Split the pipeline, or move long commands into scripts of the repository.",
    });
  const channel = await target.open();
  const shown = target.certificate;
  const { run } = await askFor(channel, { call: "submit", certificate: shown, bundle }, "submitted");
  return { run, notices };
}

/** The event that was named is none that starts the pipeline: one sentence says so, and all is well. */
export function tellNotStarted(because: string, { json }: { readonly json?: boolean }): ExitCode {
  const text = json === true ? JSON.stringify({ otto: "not-started/1", because }) : because;
  process.stdout.write(`${text}\n`);
  return exitCodes.passed;
}

async function sourceOf(
  root: string,
  blobs: Blobs,
  { commit, repository }: SourceOptions,
): Promise<{ readonly source: Source; readonly notices: readonly string[] }> {
  if (commit === undefined) {
    if (repository !== undefined) throw commitMissing();
    const { tree, notices } = await snapshotWorkingTree(root, blobs);
    return { source: { kind: "tree", tree }, notices };
  }
  if (repository === undefined) {
    const { tree, notices } = await snapshotCommit(root, commit, blobs);
    return { source: { kind: "tree", tree }, notices };
  }
  return { source: { kind: "commit", repository, commit }, notices: [] };
}

/** The folders of the step libraries that the plan uses, as trees. */
async function storeLibraries({ plan, brought }: LoadedPlan, blobs: Blobs): Promise<readonly string[]> {
  const trees = libraryTrees(plan);
  for (const digest of trees) {
    const folder = brought.libraries.get(digest);
    assert(folder !== undefined, "what a plan uses was brought along");
    for (const { bytes } of folder.files) await blobs.writeBytes(bytes);
    await blobs.writeBytes(folder.tree);
  }
  return trees;
}

async function sendTree(digest: string, blobs: Blobs, target: Target): Promise<void> {
  const tree = parseTree(await blobs.readBytes(digest, limits.sourceBytesMax));
  const files = tree.ok ? tree.value.files.map((file) => file.digest) : [];
  const open = async (): Promise<Channel> => impatient(await target.open(), limits.transferSilenceMsMax);
  await putTo(open, blobs, [...new Set([...files, digest])], target.certificate);
}

function commitMissing(): OttoError {
  return new OttoError("OTTO_USAGE", {
    what: "--repository names where workers fetch a commit, but no commit is named.",
    state: "Nothing was submitted.",
    next: "Add --commit with the full id of the commit.",
  });
}
