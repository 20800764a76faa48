/**
 * What a step prints stays what that step printed: it goes to control peers as that attempt's output and in its signed
 * report, and to no worker, in no announcement and in no other step's output. Each attempt prints a canary that nobody
 * else says; it is looked for in all of these as it is, and encoded.
 */

import type { Message } from "../../protocol/messages.ts";
import { type Checker, type PeerName, Violation } from "../observation.ts";

const decoder = new TextDecoder("latin1");
/** What canaries begin with, as anybody might write it; the three of base64 are for where in a text it begins. */
const spellings: readonly string[] = [
  "canary-",
  "-yranac",
  hexOf("canary-"),
  hexOf("canary-").toUpperCase(),
  ...["", "x", "xx"].map((before) => middleOf(before, "canary-")),
];
const spelt = new RegExp(spellings.join("|"), "u");

export function confinementChecker(): Checker {
  const workers = new Set<PeerName>();
  const printing = new Map<string, string>();
  return {
    name: "confinement",
    looksAt: ["up", "sent"],
    observe: (observation) => {
      const { peer } = observation;
      if (observation.kind === "up" && observation.role === "worker") workers.add(peer);
      if (observation.kind !== "sent") return;
      const { to, message } = observation;
      if (message.kind === "output") return outputIsOwn(peer, message, printing);
      if (!workers.has(to) && message.kind !== "announce" && message.kind !== "announced") return;
      if (isIn(message))
        throw new Violation("confinement", `${peer} tells ${to} what a step printed, in a ${message.kind}`);
    },
    finish: () => undefined,
  };
}

/** True when a canary is in a text, or in bytes, anywhere in what would be sent. */
function isIn(value: unknown): boolean {
  if (typeof value === "string") return spelt.test(value);
  if (value instanceof Uint8Array) return spelt.test(decoder.decode(value));
  if (Array.isArray(value)) return value.some(isIn);
  if (typeof value !== "object" || value === null) return false;
  for (const key of Object.keys(value))
    if (spelt.test(key) || isIn((value as Record<string, unknown>)[key])) return true;
  return false;
}

/** A canary belongs to the first attempt that prints it. */
function outputIsOwn(
  peer: PeerName,
  { run, index, attempt, bytes }: Extract<Message, { kind: "output" }>,
  printing: Map<string, string>,
): void {
  const canary = /canary-[0-9a-f]{8}/u.exec(decoder.decode(bytes))?.[0];
  if (canary === undefined) return;
  const own = `${run}/${index} ${attempt}`;
  const owner = printing.get(canary) ?? own;
  if (owner !== own)
    throw new Violation("confinement", `${peer} tells what ${owner} printed as the output of ${own}`);
  printing.set(canary, owner);
}

function hexOf(text: string): string {
  return Buffer.from(text).toString("hex");
}

/** The part of a text's base64 that does not depend on what comes before and after it. */
function middleOf(before: string, text: string): string {
  const whole = Buffer.from(before + text).toString("base64");
  return whole.slice(before === "" ? 0 : 4, Math.floor((before.length + text.length) / 3) * 4);
}
