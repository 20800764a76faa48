/** One question of a broker's own to a host that a secret names: a short answer, in time, from an address that was judged. */

import { type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Destination } from "../../../protocol/credentials/secret.ts";
import { limits } from "../../../protocol/limits.ts";
import { openUpstream, type Resolver } from "./upstream.ts";

export type Answered = { readonly answer: IncomingMessage; readonly text: string };

export type Asked = {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** It is posted; null: there is none. */
  readonly body: string | null;
};

export function askUpstream(
  destination: Destination,
  { path, headers, body }: Asked,
  resolver: Resolver | undefined,
): Promise<Answered> {
  const { scheme, host: written, port } = destination;
  const host = written.replace(/^\[|\]$/gu, "");
  const upstream = openUpstream(destination, resolver);
  const { agent, lookup } = upstream;
  return new Promise<Answered>((resolve, reject) => {
    const dial = scheme === "https" ? httpsRequest : httpRequest;
    const method = body === null ? "GET" : "POST";
    const options = { agent, lookup, host, port, path, method, headers, timeout: limits.requestMsMax };
    const asked = dial(options, (answer) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      answer.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= limits.secretBytesMax * 4) chunks.push(chunk);
      });
      answer.once("end", () => resolve({ answer, text: Buffer.concat(chunks).toString() }));
      answer.once("error", reject);
    });
    asked.once("timeout", () => asked.destroy(new Error("it did not answer in time")));
    asked.once("error", reject);
    asked.end(body ?? undefined);
  }).finally(() => upstream.close());
}
