/**
 * Brokered HTTP: requests of a step come in on its stream, are judged, get the credential and go to the host that it is
 * for; answers come back with the credential taken out.
 *
 *   request --judge--> refused (403 with the reason)
 *      +--allowed--> credential put in --> upstream --> hop headers off, secret masked --> answer
 *
 * Promises: bodies go through piece by piece in bounded memory; no redirect is followed, so none carries the credential; a
 * grant that ends takes down whatever is under way in its name; each use is audited, its value never.
 */

import {
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type Server,
  type ServerResponse,
} from "node:http";
import { request as httpsRequest } from "node:https";
import { type Duplex, Transform, type TransformCallback } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { PushReader } from "../../../protocol/credentials/git.ts";
import { type Allowed, judgeRequest, type Refusal } from "../../../protocol/credentials/judge.ts";
import { Masker } from "../../../protocol/credentials/masker.ts";
import { authorityOf, originOf } from "../../../protocol/credentials/secret.ts";
import { limits } from "../../../protocol/limits.ts";
import { wordsOf } from "../error-words.ts";
import type { Audit } from "./audit.ts";
import type { Grant } from "./grants.ts";
import { AddressRefused } from "./upstream.ts";

type Session = { readonly grant: Grant; readonly host: string | null };

/** Of an answer: between two hops only, or about a coding that is taken off here. */
const droppedFromAnswers: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "alt-svc",
]);

export class HttpBroker {
  readonly #server: Server;
  readonly #audit: Audit;
  readonly #sessions = new WeakMap<Duplex, Session>();
  readonly #answered = new WeakSet<Duplex>();

  constructor(audit: Audit) {
    this.#audit = audit;
    this.#server = createServer({
      maxHeaderSize: limits.brokerHeadBytesMax,
      headersTimeout: limits.requestMsMax,
      requestTimeout: 0,
      keepAliveTimeout: limits.brokerIdleMsMax,
      insecureHTTPParser: false,
      // Each request is judged by itself: it must name its host, which is looked at below.
      requireHostHeader: false,
    });
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      this.#serve(request, response).catch(() => response.destroy());
    };
    this.#server.on("request", serve);
    this.#server.on("checkContinue", serve);
    this.#server.on("clientError", (_error, stream) => {
      // Behind an answer, which still goes out, nothing is answered: it would be taken for that of another request.
      if (this.#answered.has(stream)) stream.end();
      else refuseBytes(stream);
    });
  }

  /** @param host what the client takes the broker for; null: for the destination itself. */
  accept(stream: Duplex, grant: Grant, host: string | null): void {
    this.#sessions.set(stream, { grant, host });
    this.#server.emit("connection", stream);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const session = this.#sessions.get(request.socket);
    if (session === undefined) return void response.destroy();
    this.#answered.add(request.socket);
    const { grant, host } = session;
    const { method = "", url: target = "", rawHeaders } = request;
    const judged = judgeRequest(grant.binding, { method, target, rawHeaders }, host);
    if (!judged.ok) {
      const { code, why } = judged.problem;
      this.#audit.refused(grant, { method, code });
      return answerRefused(
        response,
        403,
        `The credential ${grant.binding.name} is not used for this request: ${why}.`,
      );
    }
    const use = new Use(grant, judged.value, { request, response });
    try {
      await use.perform();
    } catch (error) {
      use.failed(error);
    } finally {
      if (use.refusal !== null) this.#audit.refused(grant, { method, code: use.refusal.code });
      this.#audit.used(grant, { method, template: judged.value.template, ...use.measured });
    }
  }
}

class Use {
  readonly #grant: Grant;
  readonly #allowed: Allowed;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #status = 0;
  #sentBytes = 0;
  #receivedBytes = 0;
  /** What in its body was against the credential's use, when something was. */
  refusal: Refusal | null = null;

  constructor(
    grant: Grant,
    allowed: Allowed,
    { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
  ) {
    this.#grant = grant;
    this.#allowed = allowed;
    this.#request = request;
    this.#response = response;
  }

  get measured(): { readonly status: number; readonly sentBytes: number; readonly receivedBytes: number } {
    return { status: this.#status, sentBytes: this.#sentBytes, receivedBytes: this.#receivedBytes };
  }

  async perform(): Promise<void> {
    const { life } = this.#grant;
    const gone = new AbortController();
    this.#response.once("close", () => {
      if (!this.#response.writableFinished) gone.abort();
    });
    const signal = AbortSignal.any([life.signal, gone.signal]);
    if (this.#request.headers.expect !== undefined) this.#response.writeContinue();
    const outgoing = this.#dial(signal, await this.#slot());
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once("response", resolve);
      outgoing.once("error", reject);
    });
    const sending = this.#allowed.isPush
      ? pipeline(this.#request, this.#pushGuard(), outgoing, { signal })
      : pipeline(this.#request, this.#guard(), outgoing, { signal });
    // An upstream may answer before it has taken all; then what is left to send does not matter.
    sending.catch(() => undefined);
    const answer = await Promise.race([answered, sending.then(() => answered)]);
    await this.#answer(answer, signal);
  }

  failed(error: unknown): void {
    const { name, destination } = this.#grant.binding;
    if (this.#response.headersSent) return void this.#response.destroy();
    if (this.refusal !== null)
      return answerRefused(
        this.#response,
        403,
        `The credential ${name} is not used for this request: ${this.refusal.why}.`,
      );
    if (error instanceof AddressRefused)
      return answerRefused(this.#response, 403, `The credential ${name} is not sent: ${error.message}.`);
    const words = this.#grant.mask.text(wordsOf(error));
    answerRefused(this.#response, 502, `${originOf(destination)} could not be asked: ${words}.`);
  }

  async #slot(): Promise<{ readonly header: string; readonly value: string }> {
    const { slot, auth } = this.#grant;
    if (auth === null) return slot;
    const [path = ""] = this.#allowed.path.split("?");
    return {
      ...slot,
      value: await auth.headerFor({ method: this.#request.method ?? "", path }, slot.value),
    };
  }

  #dial(
    signal: AbortSignal,
    slot: { readonly header: string; readonly value: string },
  ): ReturnType<typeof httpRequest> {
    const { binding, upstream } = this.#grant;
    const { destination } = binding;
    const dial = destination.scheme === "https" ? httpsRequest : httpRequest;
    const headers = [
      ["host", authorityOf(destination)],
      ...this.#allowed.headers,
      ["accept-encoding", "identity"],
      [slot.header, slot.value],
      ["connection", "keep-alive"],
    ].flat();
    return dial({
      agent: upstream.agent,
      lookup: upstream.lookup,
      host: destination.host.replace(/^\[|\]$/gu, ""),
      port: destination.port,
      method: this.#request.method,
      path: this.#allowed.path,
      headers:
        this.#request.headers["content-length"] === undefined && hasBody(this.#request)
          ? [...headers, "transfer-encoding", "chunked"]
          : headers,
      signal,
    });
  }

  /** Counts a body on its way out, and stops at a placeholder, which belongs into no body. */
  #guard(): Transform {
    const placeholders = this.#grant.placeholders.map((text) => Buffer.from(text));
    const hold = Math.max(0, ...placeholders.map(({ length }) => length - 1));
    let before = Buffer.alloc(0);
    return new Transform({
      transform: (chunk: Buffer, _encoding, done: TransformCallback) => {
        this.#sentBytes += chunk.length;
        const seam = Buffer.concat([before, chunk.subarray(0, hold)]);
        if (placeholders.some((text) => chunk.includes(text) || seam.includes(text))) {
          this.refusal = { code: "misplaced", why: "its body has the placeholder of a credential" };
          return done(new Error(this.refusal.why));
        }
        before = Buffer.concat([before, chunk]).subarray(-hold);
        done(null, chunk);
      },
    });
  }

  /** Nothing of a push leaves before all that it changes is known to be allowed. */
  #pushGuard(): Transform {
    let reader: PushReader | null = new PushReader(this.#grant.binding.pushRefs);
    return new Transform({
      transform: (chunk: Buffer, _encoding, done: TransformCallback) => {
        this.#sentBytes += chunk.length;
        if (reader === null) return done(null, chunk);
        const read = reader.push(chunk);
        if (read === "more") return done();
        reader = null;
        if (read.ok) return done(null, read.value);
        this.refusal = { code: "ref", why: read.problem };
        done(new Error(read.problem));
      },
      flush: (done) => {
        if (reader === null) return done();
        this.refusal = { code: "ref", why: "it ended before it said what it changes" };
        done(new Error(this.refusal.why));
      },
    });
  }

  async #answer(answer: IncomingMessage, signal: AbortSignal): Promise<void> {
    const { statusCode = 502, rawHeaders } = answer;
    this.#status = statusCode;
    const { method } = this.#request;
    const isEmpty = method === "HEAD" || statusCode === 204 || statusCode === 304;
    const decoder = isEmpty ? null : decoderOf(answer.headers["content-encoding"]);
    if (decoder === undefined) {
      answer.destroy();
      throw new Error("it answered in a coding that cannot be looked into");
    }
    this.#response.writeHead(statusCode, this.#headers(rawHeaders, decoder !== null));
    const masking = this.#masking();
    await (decoder === null
      ? pipeline(answer, masking, this.#response, { signal })
      : pipeline(answer, decoder, masking, this.#response, { signal }));
  }

  #headers(raw: readonly string[], isDecoded: boolean): string[] {
    const { mask, binding } = this.#grant;
    const origin = originOf(binding.destination);
    const headers: string[] = [];
    for (let at = 0; at + 1 < raw.length; at += 2) {
      const [name = "", value = ""] = raw.slice(at, at + 2);
      const lower = name.toLowerCase();
      if (droppedFromAnswers.has(lower)) continue;
      if (isDecoded && (lower === "content-encoding" || lower === "content-length")) continue;
      const clean = mask.text(value, "latin1");
      // To the same host it leads back to the broker; to another one the step goes by itself, with nothing.
      headers.push(name, lower === "location" ? relativeTo(clean, origin) : clean);
    }
    return headers;
  }

  #masking(): Transform {
    const masker = new Masker(this.#grant.mask);
    return new Transform({
      transform: (chunk: Buffer, _encoding, done: TransformCallback) => {
        this.#receivedBytes += chunk.length;
        done(null, masker.push(chunk));
      },
      flush: (done) => done(null, masker.end()),
    });
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined;
}

/** Null: none is needed; undefined: there is none. It was asked for none, and some answer in one all the same. */
function decoderOf(coding: string | undefined): Transform | null | undefined {
  switch (coding?.toLowerCase() ?? "identity") {
    case "identity":
    case "":
      return null;
    case "gzip":
    case "x-gzip":
      return createGunzip();
    case "deflate":
      return createInflate();
    case "br":
      return createBrotliDecompress();
    default:
      return undefined;
  }
}

function relativeTo(location: string, origin: string): string {
  return location.toLowerCase().startsWith(`${origin}/`) ? location.slice(origin.length) : location;
}

/** Nothing of the request is read any further: what is left of it must not be taken for another one. */
function answerRefused(response: ServerResponse, status: number, sentence: string): void {
  const body = `otto: ${sentence}\n`;
  response.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    connection: "close",
  });
  response.end(body);
}

/** What came is no HTTP request, or one that says its length in two ways. */
function refuseBytes(stream: Duplex): void {
  if (!stream.writable) return void stream.destroy();
  stream.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
}
