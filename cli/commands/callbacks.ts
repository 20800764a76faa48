/**
 * `otto callbacks`: an HTTP address at which outside systems settle steps, with tokens that `otto callback` made. It
 * decides nothing: it hands each request to a node, which asks the home.
 *
 *   POST /callback/TOKEN   {"verdict": "passed" | "failed" | "inconclusive", "detail": "..."}
 *
 * 200 it counts, 400 it is none, 403 the token does not hold or a web page asks, 413 it is too long, 409 it came too late or too early, 503 nobody can decide.
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { askFor } from "../../node/edge/client.ts";
import { answerBytesMax, answerDetailCharactersMax, type Verdict, verdicts } from "../../protocol/answers.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { findTarget, type Target, type TargetOptions } from "../target.ts";

export type CallbacksOptions = TargetOptions & { readonly listen: string };

const bodyBytesMax = 64 * 1024;

export async function callbacks(options: CallbacksOptions): Promise<ExitCode> {
  const [, written = "", port = ""] = /^(.*):(\d{1,5})$/.exec(options.listen) ?? [];
  const host = written === "" ? "127.0.0.1" : written.replace(/^\[(.*)\]$/, "$1");
  if (port === "" || Number(port) > 65_535) {
    throw new OttoError("OTTO_USAGE", {
      what: `"${options.listen}" is no address to listen at.`,
      state: "Nothing was started.",
      next: "Write it as HOST:PORT, for example --listen 127.0.0.1:8080",
    });
  }
  const target = await findTarget(options);
  const server = createServer({ requestTimeout: limits.requestMsMax, headersTimeout: limits.requestMsMax });
  server.on("request", (request, response) => {
    reply(target, request).then(
      ({ status, message }) => send(response, status, message),
      () => send(response, 500, "The request could not be read."),
    );
  });
  const stopped = new Promise<void>((resolve, reject) => {
    server.once("close", resolve);
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenFailed(options.listen, error)));
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.once(signal, () => {
        server.close();
        server.closeAllConnections();
      });
  });
  server.listen(Number(port), host, () => {
    const address = server.address();
    const shown =
      typeof address === "object" && address !== null
        ? `${written === "" ? host : written}:${address.port}`
        : options.listen;
    process.stdout.write(`Callbacks are taken at http://${shown}/callback/TOKEN\n`);
  });
  try {
    await stopped;
  } finally {
    await target.close();
  }
  return exitCodes.passed;
}

type Reply = { readonly status: number; readonly message: string };

async function reply(target: Target, request: IncomingMessage): Promise<Reply> {
  const [, token] = /^\/callback\/([A-Za-z0-9_-]+)$/.exec(request.url ?? "") ?? [];
  if (token === undefined)
    return { status: 404, message: "There is nothing here; callbacks go to /callback/TOKEN." };
  // Browsers say so of every page that posts, also of one whose name was made to lead here.
  if (request.headers.origin !== undefined)
    return { status: 403, message: "Callbacks come from programs, never from a web page." };
  if (request.method !== "POST") return { status: 405, message: "A callback is a POST." };
  const answer = Buffer.from(token, "base64url");
  if (answer.length > answerBytesMax) return { status: 400, message: "The token is too long." };
  const body = await bodyOf(request);
  if (body === null) return { status: 413, message: `A callback has at most ${bodyBytesMax} bytes.` };
  const said = saidIn(body);
  if (said === null)
    return {
      status: 400,
      message: 'Say {"verdict": "passed"}, "failed" or "inconclusive", and a "detail" if you like.',
    };
  try {
    const { certificate } = target;
    await askFor(await target.open(), { call: "answer", certificate, answer, said }, "done");
    return { status: 200, message: "Recorded." };
  } catch (error) {
    if (!(error instanceof OttoError)) return { status: 503, message: "No node can be reached." };
    return { status: statuses[error.code] ?? 503, message: error.message };
  }
}

const statuses: Readonly<Record<string, number>> = {
  OTTO_NOT_A_MEMBER: 403,
  OTTO_REFUSED: 409,
  OTTO_NO_SUCH_RUN: 409,
};

/** Null when it is too long; then the rest is not read. */
function bodyOf(request: IncomingMessage): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= bodyBytesMax) return void chunks.push(chunk);
      request.pause();
      resolve(null);
    });
    request.once("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.once("error", reject);
  });
}

function saidIn(body: string): { readonly verdict: Verdict; readonly detail: string } | null {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || !("verdict" in value)) return null;
  const verdict = verdicts.find((known) => known === value.verdict);
  const detail = "detail" in value ? value.detail : "";
  if (verdict === undefined || typeof detail !== "string") return null;
  return { verdict, detail: detail.slice(0, answerDetailCharactersMax) };
}

function send(response: ServerResponse, status: number, message: string): void {
  const close = status === 413 ? { connection: "close" } : {};
  const inert = { "content-security-policy": "default-src 'none'", "x-content-type-options": "nosniff" };
  response.writeHead(status, { "content-type": "application/json", ...inert, ...close });
  response.end(`${JSON.stringify({ message })}\n`);
}

function listenFailed(listen: string, cause: NodeJS.ErrnoException): OttoError {
  const isTaken = cause.code === "EADDRINUSE";
  return new OttoError(isTaken ? "OTTO_PORT_IN_USE" : "OTTO_START_FAILED", {
    what: isTaken
      ? `Somebody listens at ${listen} already.`
      : `${listen} cannot be listened at: ${cause.message}.`,
    state: "Nothing was started.",
    next: "Choose another address with --listen HOST:PORT.",
    cause,
  });
}
