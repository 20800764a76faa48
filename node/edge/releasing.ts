/**
 * Tells another domain of a step that was released to it, and asks how it is: any of its control peers will do. Before that it is
 * given the files that the step needs, and afterwards its outputs are brought here.
 */

import { OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { bundleOfRelease } from "../../protocol/manifest.ts";
import { openOutcome } from "../../protocol/release.ts";
import { parseTree } from "../../protocol/tree.ts";
import type { ReleaseAnswer, ReleaseTold } from "../core/effects.ts";
import { fetchFrom, putTo } from "./blob-transfer.ts";
import type { Blobs } from "./blobs.ts";
import { type Channel, impatient } from "./channel.ts";
import { askFor } from "./client.ts";
import { dialForCalls, type Remote } from "./dial-call.ts";
import type { Identity } from "./identity.ts";
import { withPeer } from "./peer-address.ts";

type ReleasingOptions = {
  readonly identity: Identity;
  readonly blobs: Blobs;
  /** The bundle of a run of this domain's. */
  bundle(run: string): Promise<Uint8Array | null>;
  /** Brings a tree and its files here: other control peers may be those that keep it. */
  bring(tree: string): Promise<void>;
};

export class Releasing {
  readonly #options: ReleasingOptions;
  /** A way to each domain, kept while it works. */
  readonly #remotes = new Map<string, Promise<Remote>>();
  /** Releases whose files the other domain has. */
  readonly #sent = new Set<string>();

  constructor(options: ReleasingOptions) {
    this.#options = options;
  }

  async tell(told: ReleaseTold): Promise<ReleaseAnswer> {
    try {
      return await this.#tell(told);
    } catch (error) {
      await this.#hangUp(told.to.domain);
      return { state: "unreachable", detail: error instanceof Error ? error.message : String(error) };
    }
  }

  async close(): Promise<void> {
    for (const domain of this.#remotes.keys()) await this.#hangUp(domain);
  }

  async #tell(told: ReleaseTold): Promise<ReleaseAnswer> {
    const own = await this.#options.bundle(told.run);
    if (own === null) return { state: "unreachable", detail: "the signed plan is not here" };
    const { to, refusedBy } = told;
    if (refusedBy.length === 0) return this.#tellTo(await this.#remote(to.domain, to.controls), told, own);
    // What one refuses is asked of another; who refuses is asked last.
    const others = to.controls.toSorted(
      (one, other) => Number(refusedBy.includes(one.peer)) - Number(refusedBy.includes(other.peer)),
    );
    const remote = await dialForCalls(this.#options.identity, addressesOf(others));
    try {
      this.#sent.delete(`${told.run}/${told.index}`);
      return await this.#tellTo(remote, told, own);
    } finally {
      await remote.close();
    }
  }

  async #tellTo(
    remote: Remote,
    { run, index, release, charter, trees }: ReleaseTold,
    own: Uint8Array,
  ): Promise<ReleaseAnswer> {
    const open = async (): Promise<Channel> => impatient(await remote.open(), limits.transferSilenceMsMax);
    const name = `${run}/${index}`;
    if (!this.#sent.has(name)) {
      for (const tree of trees) await this.#send(tree, open);
      this.#sent.add(name);
    }
    const bundle = bundleOfRelease(own, { release, charter });
    const request = { call: "release", certificate: null, bundle } as const;
    const answer = await askFor(await open(), request, "released");
    if (answer.outcome === null)
      return answer.state === "refused"
        ? { state: "refused", detail: answer.detail, by: remote.peer }
        : { state: "running", detail: answer.detail };
    await this.#bringOutputs(answer.outcome, open);
    this.#sent.delete(name);
    return { state: "done", outcome: answer.outcome };
  }

  async #send(digest: string, open: () => Promise<Channel>): Promise<void> {
    const { blobs } = this.#options;
    await this.#options.bring(digest);
    const tree = parseTree(await blobs.readBytes(digest, limits.sourceBytesMax));
    const files = tree.ok ? tree.value.files.map((file) => file.digest) : [];
    await putTo(open, blobs, [...new Set([...files, digest])], null);
  }

  async #bringOutputs(bytes: Uint8Array, open: () => Promise<Channel>): Promise<void> {
    const { blobs, identity } = this.#options;
    const opened = openOutcome(bytes, identity);
    const trees = opened.ok ? opened.value.outcome.outputs.map(({ tree }) => tree) : [];
    const missing = blobs.missing(trees);
    if (missing.length > 0) await fetchFrom(await open(), blobs, missing, null);
    for (const digest of trees) {
      const tree = parseTree(await blobs.readBytes(digest, limits.sourceBytesMax));
      const files = tree.ok ? blobs.missing([...new Set(tree.value.files.map((file) => file.digest))]) : [];
      if (files.length > 0) await fetchFrom(await open(), blobs, files, null);
    }
  }

  #remote(domain: string, controls: ReleaseTold["to"]["controls"]): Promise<Remote> {
    const known = this.#remotes.get(domain);
    if (known !== undefined) return known;
    const remote = dialForCalls(this.#options.identity, addressesOf(controls));
    this.#remotes.set(domain, remote);
    return remote;
  }

  async #hangUp(domain: string): Promise<void> {
    const remote = this.#remotes.get(domain);
    this.#remotes.delete(domain);
    // One that never answered has nothing to close.
    await remote?.then(
      (known) => known.close(),
      () => undefined,
    );
  }
}

function addressesOf(controls: ReleaseTold["to"]["controls"]): readonly string[] {
  const addresses = controls.flatMap(({ peer, addresses: own }) =>
    own.map((address) => withPeer(address, peer)),
  );
  if (addresses.length > 0) return addresses;
  throw new OttoError("OTTO_UNREACHABLE", {
    what: "No address of the other domain's control peers is known.",
    next: "Name the domain anew with `otto domain trust`.",
  });
}
