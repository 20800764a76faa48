/**
 * `otto revoke`: a peer or a person of the domain is one no more. Signed by the owner, or by a person whom the policy's `revoke`
 * names; every peer that hears of it closes its links to whoever was revoked, and counts what that key signs as a stranger's.
 */

import { askFor } from "../../node/edge/client.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type { Charter } from "../../protocol/membership.ts";
import { revocationIn, revocationTopic } from "../../protocol/revocation.ts";
import { charterOf, documentsOf, putDocument } from "../domain-documents.ts";
import { ownerOf, type OwnerOptions } from "../owner.ts";
import { person } from "../person.ts";
import { revokedWords } from "../render/peers.ts";
import { findTarget, targetFolder, type Target } from "../target.ts";
import { policyOfDomain } from "./policy.ts";

export type RevokeOptions = OwnerOptions & { readonly because?: string };

type Named = { readonly peer: string; readonly name: string };

const peerId = /^[1-9A-HJ-NP-Za-km-z]{40,64}$/u;

/** @param named a peer's id or the beginning of it, its name, or the name of a person in the policy; undefined: lists who was revoked. */
export async function revoke(named: string | undefined, options: RevokeOptions): Promise<ExitCode> {
  const { because = "" } = options;
  if (because.length > limits.policyWordsMax)
    throw usage(`--because takes ${limits.policyWordsMax} characters.`);
  const target = await findTarget(options);
  try {
    const charter = await charterOf(target);
    if (named === undefined) return await list(target, charter);
    const found = await find(named, target);
    if (charter.controls.some(({ peer }) => peer === found.peer)) throw isControl(found);
    const document = {
      topic: revocationTopic,
      name: found.peer,
      body: { name: found.name, because },
    } as const;
    await putDocument(target, charter, document, signerOf(options, target, charter));
    process.stdout.write(
      `${found.name === "" ? found.peer : `${found.name} (${found.peer})`} is none of domain ${charter.name} any more.\n`,
    );
    return exitCodes.passed;
  } finally {
    await target.close();
  }
}

async function list(target: Target, charter: Charter): Promise<ExitCode> {
  const all = (await documentsOf(target, charter, revocationTopic)).map(revocationIn);
  const lines = all.flatMap((one) => (one === null ? [] : [revokedWords(one)]));
  process.stdout.write(lines.length === 0 ? "Nobody was revoked.\n" : `${lines.join("\n")}\n`);
  return exitCodes.passed;
}

/** The owner where its key is at hand, else this person, whom the policy may name. */
function signerOf(
  options: RevokeOptions,
  target: Target,
  charter: Charter,
): Parameters<typeof putDocument>[3] {
  const words = { what: "Only the domain's owner revokes", state: "Nobody was revoked." };
  if (options.ownerKey !== undefined || targetFolder(options)?.isOwner === true)
    return { keys: ownerOf(options, charter, words), certificate: null };
  return { keys: person(), certificate: target.standing().certificate };
}

async function find(named: string, target: Target): Promise<Named> {
  const { certificate } = target;
  const { peers } = await askFor(await target.open(), { call: "peers", certificate }, "peers");
  const known = await policyOfDomain(target);
  const people = Object.entries(known?.policy.people ?? {}).map(([name, peer]) => ({ peer, name }));
  const all = [...peers.map(({ peer, name }) => ({ peer, name })), ...people];
  // A whole id is that key's, whatever others choose to be called.
  const isId = peerId.test(named);
  const fitting = all.filter(({ peer, name }) =>
    isId ? peer === named : name === named || peer.startsWith(named),
  );
  const [only] = fitting;
  const keys = new Set(fitting.map(({ peer }) => peer));
  if (only !== undefined && keys.size === 1) return only;
  if (only === undefined && isId) return { peer: named, name: "" };
  throw usage(
    only === undefined
      ? `The node that was asked knows nobody called ${named}.`
      : `${named} is not one of the domain: ${fitting.map(({ peer }) => peer).join(", ")}.`,
  );
}

function usage(what: string): OttoError {
  return new OttoError("OTTO_USAGE", {
    what,
    state: "Nobody was revoked.",
    next: "Look with `otto peers`, and name the whole id of whoever is not linked now.",
  });
}

function isControl({ peer, name }: Named): OttoError {
  return new OttoError("OTTO_USAGE", {
    what: `${name === "" ? peer : name} is a control peer of the domain.`,
    state: "Nobody was revoked.",
    next: "Take it out of the charter first, with `otto control replace` or `otto control remove`; then revoke it, so that what it certified does not count either.",
  });
}
