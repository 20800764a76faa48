/** Brings blobs and bundles from other peers: first from whom is said to have them, then from the control peers, then from anybody. */

import { encodeRequest } from "../../protocol/calls.ts";
import { OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type { Source } from "../../protocol/manifest.ts";
import { parseTree } from "../../protocol/tree.ts";
import { sha256Hex } from "../../protocol/values.ts";
import { fetchFrom, itemsOf, putTo } from "./blob-transfer.ts";
import type { Blobs } from "./blobs.ts";
import { callFor } from "./client.ts";
import type { AttemptName } from "./outputs.ts";
import { type Channel, impatient } from "./channel.ts";
import type { RealNetwork } from "./network.ts";

export class Fetching {
  readonly #network: RealNetwork;
  readonly #blobs: Blobs;
  readonly #certificate: () => Uint8Array;

  constructor(network: RealNetwork, blobs: Blobs, certificate: () => Uint8Array) {
    this.#network = network;
    this.#blobs = blobs;
    this.#certificate = certificate;
  }

  /** Makes sure that the blobs are in the store. Throws when no linked peer has them all. */
  async blobs(digests: readonly string[], first: string | null = null): Promise<void> {
    let missing = this.#blobs.missing(digests);
    const problems: string[] = [];
    for (const peer of this.#candidates(first)) {
      if (missing.length === 0) return;
      try {
        await fetchFrom(await this.#open(peer), this.#blobs, missing, this.#certificate());
      } catch (error) {
        if (error instanceof OttoError && error.code === "OTTO_DISK_FULL") throw error;
        problems.push(error instanceof Error ? error.message : String(error));
      }
      missing = this.#blobs.missing(missing);
    }
    if (missing.length === 0) return;
    throw new OttoError("OTTO_BLOB_MISSING", {
      what: `${missing.length} files of this run are on no peer that can be reached${problems.length > 0 ? ` (${problems[0]})` : ""}.`,
      next: "Wait for the peer that has them, or submit the run again.",
    });
  }

  /** All files of a run's source, and of the step libraries that it uses. */
  async source(source: Source, libraries: readonly string[], first: string | null): Promise<void> {
    if (source.kind === "tree") await this.#tree(source.tree, first);
    for (const library of libraries) await this.#tree(library, first);
  }

  async #tree(digest: string, first: string | null): Promise<void> {
    await this.blobs([digest], first);
    const tree = parseTree(await this.#blobs.readBytes(digest, limits.sourceBytesMax));
    if (!tree.ok)
      throw new OttoError("OTTO_MESSAGE_INVALID", {
        what: `The source of the run, or a library of it, is not a tree of files: ${tree.problem}.`,
        next: "Submit the run again.",
      });
    await this.blobs([...new Set(tree.value.files.map((file) => file.digest))], first);
  }

  /**
   * The bundle of a run with this digest (null: any), from whoever has it. Else another one of the run's: what another domain has released comes
   * in several, signed by different majorities. Null: nobody has any.
   */
  async bundle(
    { run, digest }: { readonly run: string; readonly digest: string | null },
    first: string | null,
  ): Promise<{ bytes: Uint8Array; from: string } | null> {
    let other: { bytes: Uint8Array; from: string } | null = null;
    for (const peer of this.#candidates(first)) {
      try {
        const channel = await this.#open(peer);
        try {
          await channel.send(encodeRequest({ call: "bundle", certificate: this.#certificate(), run }));
          const item = (await itemsOf(channel).next()).value;
          if (item?.kind !== "bundle" || item.bytes === null) continue;
          const found = { bytes: item.bytes, from: peer };
          if (digest === null || sha256Hex(found.bytes) === digest) return found;
          other ??= found;
        } finally {
          channel.abort();
        }
      } catch {
        // The next candidate may have it.
        continue;
      }
    }
    return other;
  }

  /** What other control peers keep of an attempt's output beyond `offset`: of each in turn what the ones before lack. */
  async *outputElsewhere(
    { run, step, attempt }: AttemptName,
    offset: number,
  ): AsyncGenerator<Uint8Array, void, void> {
    let end = offset;
    const controls = [...this.#network.links].filter(([, { role }]) => role === "control");
    for (const [peer] of controls) {
      try {
        const channel = await this.#open(peer);
        const certificate = this.#certificate();
        const request = { call: "kept-output", certificate, run, step, attempt, offset: end } as const;
        for await (const item of callFor(channel, request)) {
          if (item.kind !== "chunk") continue;
          end += item.bytes.length;
          yield item.bytes;
        }
      } catch (error) {
        // The next one may have as much.
        if (!(error instanceof OttoError)) throw error;
      }
    }
  }

  /** Gives blobs to so many control peers; throws when fewer could take them. */
  async keep(digests: readonly string[], controls: readonly string[], copies: number): Promise<void> {
    let kept = 0;
    let problem: unknown = null;
    for (const peer of controls.filter((candidate) => this.#network.links.has(candidate))) {
      if (kept >= copies) return;
      try {
        await putTo(() => this.#open(peer), this.#blobs, digests, this.#certificate());
        kept += 1;
      } catch (error) {
        problem = error;
      }
    }
    if (kept >= copies) return;
    throw new OttoError("OTTO_UNREACHABLE", {
      what: `Only ${kept} of ${copies} control peers took the files of a step.`,
      next: "Wait until more of them can be reached.",
      cause: problem,
    });
  }

  /** Gives the files of trees that this store has to so many control peers. */
  async keepTrees(trees: readonly string[], controls: readonly string[], copies: number): Promise<void> {
    for (const digest of trees) {
      const tree = parseTree(await this.#blobs.readBytes(digest, limits.sourceBytesMax));
      if (tree.ok)
        await this.keep([...new Set(tree.value.files.map((file) => file.digest))], controls, copies);
    }
  }

  /** A peer that falls silent (it may be frozen) is given up, and the next one is asked. */
  async #open(peer: string): Promise<Channel> {
    return impatient(await this.#network.openCall(peer), limits.transferSilenceMsMax);
  }

  #candidates(first: string | null): string[] {
    const linked = [...this.#network.links];
    const controls = linked.filter(([, { role }]) => role === "control").map(([peer]) => peer);
    const others = linked.filter(([, { role }]) => role !== "control").map(([peer]) => peer);
    const all = [...(first === null ? [] : [first]), ...controls, ...others];
    return [...new Set(all)].filter((peer) => this.#network.links.has(peer));
  }
}
