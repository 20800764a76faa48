/**
 * A registry of container images, asked without a name or a password, or by a broker that has them: documents and blobs by their digests, and once the document of a tag.
 *
 * Nothing counts before its bytes have the size and the sha256 that whoever named it gave. It is asked over https; plain http
 * is for this machine's own. A token goes to the registry that asked for it and to nobody that this one leads to. Who does not
 * answer, or has too much to do, is asked again (`trying-again.ts`), for what has not come yet.
 *
 * @source https://github.com/opencontainers/distribution-spec/blob/main/spec.md
 * @source https://distribution.github.io/distribution/spec/auth/token/
 */

import { createHash } from "node:crypto";
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import type { ImageName } from "../../../../protocol/image-name.ts";
import {
  decodeToken,
  type Descriptor,
  indexTypes,
  manifestTypes,
  parseChallenge,
} from "../../../../protocol/image-documents.ts";
import { limits } from "../../../../protocol/limits.ts";
import { sizeWords } from "../../../../protocol/sizes.ts";
import { isDiskFull } from "../../blobs.ts";
import { wordsOf } from "../../error-words.ts";
import { askBySocket } from "./ask-by-socket.ts";
import {
  type ImageBounds,
  ImageProblem,
  type ImageWay,
  passingProblem,
  wrongImage,
} from "./image-messages.ts";
import { type Sink, Transfer, type Wanted } from "./transfer.ts";
import {
  isWorthAsking,
  isUnknownName,
  isWorthAskingAfter,
  retryAfterMs,
  tryAgain,
  Unanswered,
} from "./trying-again.ts";

const dockerHub = "registry-1.docker.io";
const ownMachine = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/;
const tokenBytesMax = 64 * 1024;
const redirects = [301, 302, 303, 307, 308];
const lookAtIt = "look whether it is up and can be reached from this worker, and start the run again";

type Bounds = Pick<ImageBounds, "imageIdleMsMax" | "imageTryAgainMsMin">;
/** What a registry sent, and the watch that ends it when nothing comes any more. */
type Answer = { readonly response: Response; readonly silence: Silence; readonly from: string };

export class Registry {
  readonly #host: string;
  readonly #base: URL;
  readonly #repository: string;
  readonly #bounds: Bounds;
  readonly #going: () => void;
  readonly #way: ImageWay | null;
  #token: string | null = null;

  constructor(
    { registry, repository }: Pick<ImageName, "registry" | "repository">,
    how: { readonly bounds: Bounds; readonly way?: ImageWay | null; readonly going?: () => void },
  ) {
    const { bounds, way = null, going = () => undefined } = how;
    this.#host = registry;
    const scheme = ownMachine.test(registry) ? "http" : "https";
    this.#base = new URL(`${scheme}://${registry === "docker.io" ? dockerHub : registry}/v2/${repository}/`);
    this.#repository = repository;
    this.#way = way;
    this.#bounds = bounds;
    this.#going = going;
  }

  /** An index or a manifest. @param size null: only its bound is known. */
  async document({
    sha256,
    size,
  }: {
    readonly sha256: string;
    readonly size: number | null;
  }): Promise<Buffer> {
    return this.#bytes(`manifests/sha256:${sha256}`, { sha256, size });
  }

  /** What a tag names at this moment. */
  async tagged(tag: string): Promise<{ readonly sha256: string; readonly bytes: Buffer }> {
    const bytes = await this.#bytes(`manifests/${tag}`, { sha256: null, size: null });
    return { sha256: createHash("sha256").update(bytes).digest("hex"), bytes };
  }

  /** A small blob. */
  async smallBlob({ sha256, size }: Descriptor): Promise<Buffer> {
    return this.#bytes(`blobs/sha256:${sha256}`, { sha256, size });
  }

  /** A blob into a new file, which counts only when this has returned. */
  async blob({ sha256, size }: Descriptor, path: string): Promise<void> {
    const file = openSync(path, "wx", 0o600);
    try {
      await this.#read(
        `blobs/sha256:${sha256}`,
        { sha256, size, sizeMax: size },
        {
          take: (chunk, offset) => {
            for (let at = 0; at < chunk.length;)
              at += writeSync(file, chunk, at, chunk.length - at, offset + at);
          },
          clear: () => ftruncateSync(file),
        },
      );
    } finally {
      closeSync(file);
    }
  }

  async #bytes(
    path: string,
    { sha256, size }: { readonly sha256: string | null; readonly size: number | null },
  ): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    const sizeMax = size ?? limits.imageDocumentBytesMax;
    if (sizeMax > limits.imageDocumentBytesMax)
      throw wrongImage(`it has a document of more than ${sizeWords(limits.imageDocumentBytesMax)}`);
    await this.#read(
      path,
      { sha256, size, sizeMax },
      { take: (chunk) => void chunks.push(chunk), clear: () => void chunks.splice(0) },
    );
    return Buffer.concat(chunks);
  }

  async #read(path: string, wanted: Wanted, sink: Sink): Promise<void> {
    const transfer = new Transfer(wanted, sink);
    await tryAgain(() => this.#readOn(path, transfer), {
      firstMs: this.#bounds.imageTryAgainMsMin,
      progress: () => transfer.bytes,
      going: this.#going,
    });
  }

  /** What has come already is not asked for again, by whoever lets it be so. */
  async #readOn(path: string, transfer: Transfer): Promise<void> {
    const start = transfer.bytes;
    const { response, silence, from } = await this.#get(path, start);
    try {
      if (response.status === 200) transfer.restart();
      else if (response.status === 416 || !isFrom(start, response.headers.get("content-range"))) {
        transfer.restart();
        throw new Unanswered(
          `its registry ${this.#sentOn(from)} sent another part of it than was asked for`,
          lookAtIt,
        );
      }
      for await (const chunk of bodyOf(response)) {
        if (!transfer.take(chunk)) break;
        silence.isBroken();
        this.#going();
      }
    } catch (error) {
      // What is whole is whole, however the connection ended.
      if (isDiskFull(error)) throw error;
      if (!transfer.isWhole) throw this.#failed(from, silence, error);
    } finally {
      silence.end();
    }
    const wrong = transfer.problem();
    if (wrong === null) return;
    const problem = this.#lied(from, wrong);
    const isShort = transfer.isShort;
    // Parts of two answers may not be of one thing: it is asked for as a whole before anybody is blamed.
    if (!isShort) transfer.restart();
    if (isShort || start > 0) throw new Unanswered(problem.message, problem.next);
    throw problem;
  }

  /** Follows where the registry leads, and gets a token when it asks for one. */
  async #get(path: string, start: number): Promise<Answer> {
    let url = new URL(path, this.#base);
    let hasAsked = false;
    for (let followed = 0; followed <= limits.imageRedirectsMax;) {
      const isOwn = url.origin === this.#base.origin;
      const headers: Record<string, string> = { accept: [...manifestTypes, ...indexTypes, "*/*"].join(", ") };
      if (start > 0) headers["range"] = `bytes=${start}-`;
      if (isOwn && this.#token !== null) headers["authorization"] = `Bearer ${this.#token}`;
      const answer = await this.#ask(url, headers);
      const { response, silence, from } = answer;
      if (response.status === 200 || (start > 0 && [206, 416].includes(response.status))) return answer;
      silence.end();
      const location = response.headers.get("location");
      if (redirects.includes(response.status) && location !== null) {
        url = this.#next(url, location);
        followed += 1;
      } else if (response.status === 401 && isOwn && this.#way === null && !hasAsked) {
        hasAsked = true;
        this.#token = await this.#askToken(response.headers.get("www-authenticate") ?? "");
      } else {
        throw this.#refused(from, response, isOwn ? this.#way : null);
      }
    }
    throw new ImageProblem(
      `its registry ${this.#host} sends on from one place to the next, more than ${limits.imageRedirectsMax} times`,
      "tell whoever keeps that registry",
    );
  }

  #next(from: URL, location: string): URL {
    const url = URL.canParse(location, from.href) ? new URL(location, from) : null;
    if (url !== null && url.username === "" && url.password === "") {
      if (url.protocol === "https:") return url;
      if (url.protocol === "http:" && from.protocol === "http:" && ownMachine.test(url.host)) return url;
    }
    throw new ImageProblem(
      `its registry ${this.#host} sends on to a place that is not asked, ${JSON.stringify(location.slice(0, 200))}`,
      "name an image of a registry that is reached over https alone",
    );
  }

  async #askToken(challenge: string): Promise<string> {
    const asked = parseChallenge(challenge);
    const url = asked !== null && URL.canParse(asked.realm) ? new URL(asked.realm) : null;
    const isSafe =
      url?.protocol === "https:" ||
      (url?.protocol === "http:" && this.#base.protocol === "http:" && ownMachine.test(url.host));
    if (asked === null || url === null || !isSafe)
      throw new ImageProblem(
        `its registry ${this.#host} wants to be asked with a password`,
        "name an image that everybody may read",
      );
    if (asked.service !== "") url.searchParams.set("service", asked.service);
    // What is needed, whatever the registry asks for.
    url.searchParams.set("scope", `repository:${this.#repository}:pull`);
    const { response, silence, from } = await this.#ask(url, { accept: "application/json" });
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    try {
      if (response.status !== 200) throw this.#refused(from, response);
      for await (const chunk of bodyOf(response)) {
        bytes += chunk.length;
        if (bytes > tokenBytesMax) break;
        chunks.push(chunk);
      }
    } catch (error) {
      throw this.#failed(from, silence, error);
    } finally {
      silence.end();
    }
    const token = bytes > tokenBytesMax ? null : decodeToken(Buffer.concat(chunks));
    if (token !== null) return token;
    throw new ImageProblem(`${from} gave no token for it`, "name an image that everybody may read");
  }

  async #ask(url: URL, headers: Readonly<Record<string, string>>): Promise<Answer> {
    const silence = new Silence(this.#bounds.imageIdleMsMax);
    const from = url.host;
    try {
      const asked = { "user-agent": "otto", "accept-encoding": "identity", ...headers };
      const response =
        this.#way !== null && url.origin === this.#base.origin
          ? await askBySocket(this.#way.socket, url, asked, silence.signal)
          : await fetch(url.href, { redirect: "manual", signal: silence.signal, headers: asked });
      silence.isBroken();
      return { response, silence, from };
    } catch (error) {
      silence.end();
      throw this.#failed(from, silence, error);
    }
  }

  #failed(from: string, silence: Silence, error: unknown): Error {
    if (error instanceof ImageProblem) return error;
    const registry = `its registry ${this.#sentOn(from)}`;
    if (silence.isOver)
      return new Unanswered(
        `${registry} said nothing for ${this.#bounds.imageIdleMsMax / 1_000} seconds`,
        lookAtIt,
      );
    const what = `${registry} could not be asked (${wordsOf(error)})`;
    if (isWorthAsking(error)) return new Unanswered(what, lookAtIt);
    return new ImageProblem(what, lookAtIt, { passes: !isUnknownName(error) });
  }

  #lied(from: string, what: string): ImageProblem {
    return passingProblem(
      `its registry ${this.#sentOn(from)} sent ${what}`,
      "start the run again, and look who answers for that registry when it stays so",
    );
  }

  #refused(from: string, { status, headers }: Response, way: ImageWay | null = null): ImageProblem {
    const registry = `its registry ${this.#sentOn(from)}`;
    if (status === 404)
      return new ImageProblem(`${registry} does not have it`, "correct its name or its digest");
    if (way !== null && (status === 401 || status === 403))
      return new ImageProblem(
        `${registry} does not give it to whoever has the credential ${way.credential} (${status})`,
        "look at what the secret is for, with `otto secret audit`, and at who may read that image",
      );
    if (status === 401 || status === 403)
      return new ImageProblem(
        `${registry} does not give it to everybody`,
        "name an image that everybody may read, or give the step a credential for that registry (`oci`)",
      );
    const what = `${registry} answered with ${status}`;
    return isWorthAskingAfter(status)
      ? new Unanswered(what, lookAtIt, retryAfterMs(headers.get("retry-after")))
      : new ImageProblem(what, lookAtIt);
  }

  #sentOn(from: string): string {
    return from === this.#base.host ? this.#host : `${this.#host} (by ${from})`;
  }
}

/** Ends a request on which nothing comes. */
class Silence {
  readonly #abort = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #isOver = false;

  constructor(ms: number) {
    this.#timer = setTimeout(() => {
      this.#isOver = true;
      this.#abort.abort();
    }, ms);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Something came: the time begins anew. */
  isBroken(): void {
    this.#timer.refresh();
  }

  /** Nothing more is wanted. */
  end(): void {
    clearTimeout(this.#timer);
    this.#abort.abort();
  }
}

function isFrom(start: number, contentRange: string | null): boolean {
  return contentRange?.startsWith(`bytes ${start}-`) === true;
}

function bodyOf(response: Response): AsyncIterable<Uint8Array> {
  if (response.body === null) throw new Error("an answer without a body");
  return response.body as AsyncIterable<Uint8Array>;
}
