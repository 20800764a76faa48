/**
 * Asking something outside once, for a step that waits: one GET, its answer judged by the conditions of the plan.
 *
 * Promises: bounded in time and bytes, its conditions too; no redirect is followed and nothing secret is sent; an
 * address of the machine's own surroundings (link-local, where clouds keep their credentials) is never asked; whatever
 * goes wrong is an answer.
 */

import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { runInNewContext } from "node:vm";
import { responseCondition } from "../../planner/response-conditions.ts";
import { limits } from "../../protocol/limits.ts";
import type { PollRequest } from "../core/effects.ts";
import type { Polled } from "../core/settlements.ts";

export async function poll(request: PollRequest): Promise<Polled> {
  const { run, index, url, verdictOf } = request;
  const answer = await ask(url);
  const place = { run, index, ...(verdictOf === undefined ? {} : { verdictOf }) };
  const detail = wordsOf(url, answer);
  try {
    return { ...place, verdict: judged(request, answer), detail };
  } catch {
    return { ...place, verdict: null, detail: `${detail}, and to judge it took too long` };
  }
}

function judged({ until, fails }: PollRequest, answer: Answer): Polled["verdict"] {
  if (isTrue(until, answer)) return "passed";
  return fails !== null && isTrue(fails, answer) ? "failed" : null;
}

/** Throws for a condition that takes longer than it may. Nothing of the plan is run as a script. */
function isTrue(text: string, answer: Answer): boolean {
  const condition = responseCondition(text);
  if (!condition.ok) return false;
  const scope = { holds: () => condition.holds(answer) };
  return runInNewContext("holds()", scope, { timeout: limits.pollJudgedMsMax }) === true;
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

/** It knows addresses of the old kind that are written in the new way, too. */
const linkLocal = new BlockList();
linkLocal.addSubnet("169.254.0.0", 16, "ipv4");
linkLocal.addSubnet("fe80::", 10, "ipv6");

async function isLinkLocal(host: string): Promise<boolean> {
  const addresses =
    isIP(host) > 0 ? [host] : (await lookup(host, { all: true })).map(({ address }) => address);
  return addresses.some((address) => linkLocal.check(address, isIP(address) === 4 ? "ipv4" : "ipv6"));
}

function wordsOf(url: string, { status, problem }: Answer): string {
  return status === 0 ? `${url} did not answer: ${problem}` : `${url} answered ${status}`;
}
