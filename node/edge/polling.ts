/**
 * Asking something outside once, for a step that waits: one GET, its answer judged by the conditions of the plan.
 *
 * Promises: bounded in time and bytes; no redirect is followed and nothing secret is sent; an address of the machine's
 * own surroundings (link-local, where clouds keep their credentials) is never asked; whatever goes wrong is an answer.
 */

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { responseCondition } from "../../planner/response-conditions.ts";
import { limits } from "../../protocol/limits.ts";
import type { PollRequest } from "../core/effects.ts";
import type { Polled } from "../core/settlements.ts";

export async function poll(request: PollRequest): Promise<Polled> {
  const { run, index, url } = request;
  const answer = await ask(url);
  const place = { run, index };
  const until = responseCondition(request.until);
  const fails = request.fails === null ? null : responseCondition(request.fails);
  if (until.ok && until.holds(answer)) return { ...place, verdict: "passed", detail: wordsOf(url, answer) };
  if (fails?.ok === true && fails.holds(answer))
    return { ...place, verdict: "failed", detail: wordsOf(url, answer) };
  return { ...place, verdict: null, detail: wordsOf(url, answer) };
}

type Answer = { readonly status: number; readonly body: string; readonly problem: string };

async function ask(url: string): Promise<Answer> {
  try {
    const { hostname } = new URL(url);
    if (await isLinkLocal(hostname.replace(/^\[|\]$/g, "")))
      return { status: 0, body: "", problem: "the address is link-local, and is not asked" };
    const signal = AbortSignal.timeout(limits.requestMsMax);
    const response = await fetch(url, { redirect: "manual", signal, headers: { accept: "*/*" } });
    return { status: response.status, body: await bodyOf(response), problem: "" };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return { status: 0, body: "", problem: cause instanceof Error ? cause.message : String(cause) };
  }
}

/** The first bytes of the body; the rest is not waited for. */
async function bodyOf(response: Response): Promise<string> {
  if (response.body === null) return "";
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= limits.pollBodyBytesMax) break;
  }
  return Buffer.concat(chunks).subarray(0, limits.pollBodyBytesMax).toString("utf8");
}

async function isLinkLocal(host: string): Promise<boolean> {
  const addresses =
    isIP(host) > 0 ? [host] : (await lookup(host, { all: true })).map(({ address }) => address);
  return addresses.some((address) => /^(?:::ffff:)?169\.254\.|^fe[89ab]/i.test(address));
}

function wordsOf(url: string, { status, problem }: Answer): string {
  return status === 0 ? `${url} did not answer: ${problem}` : `${url} answered ${status}`;
}
