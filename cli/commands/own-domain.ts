/** `otto domain init` and `otto domain show`: founds a domain, and says who it is and whose word counts in it. */

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { askFor } from "../../node/edge/client.ts";
import { DataFolder, ottoHome } from "../../node/edge/data-folder.ts";
import { openIdentity } from "../../node/edge/identity.ts";
import type { PeerSeen } from "../../protocol/calls.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { openCertificate } from "../../protocol/certificate.ts";
import type { Charter } from "../../protocol/membership.ts";
import { areOwners } from "../../protocol/owners.ts";
import { publicKeyOf } from "../../protocol/peer-id.ts";
import { charterOf } from "../domain-documents.ts";
import { person } from "../person.ts";
import { visible } from "../render/sanitize.ts";
import { findTarget, targetFolder, type Target, type TargetOptions } from "../target.ts";
import { found, type NodeOptions, up, type UpOptions } from "./up.ts";

export type InitOptions = NodeOptions & {
  readonly control?: string;
  readonly lease?: string;
  /** Where the owner's key is to be, when not in the data folder; the keys that are here of several owners. */
  readonly ownerKey?: readonly string[];
  /** Owners whose keys are elsewhere, by their ids. */
  readonly owner?: readonly string[];
  readonly threshold?: string;
  readonly start?: boolean;
};

/** Makes the first control peer's folder, and runs it: it prints the codes with which the others join. */
export async function initDomain(name: string, options: InitOptions): Promise<ExitCode> {
  const folder = new DataFolder(options.data ?? join(ottoHome(), "node"));
  if (folder.isNode)
    throw new OttoError("OTTO_FILE_EXISTS", {
      what: `${folder.path} already holds a node.`,
      state: "No domain was founded.",
      next: "Start it with `otto up`, or found the domain in another folder: --data FOLDER.",
    });
  const { control: of = "1", ownerKey = [], owner = [], threshold, start, ...node } = options;
  const founding = { ...node, control: true, of, domain: name };
  const isOne = ownerKey.length + owner.length < 2;
  const owned = isOne && threshold === undefined ? ownedByOne(ownerKey[0]) : ownedBySeveral(options);
  await found(folder, { ...founding, ...owned });
  process.stdout.write(`${keyWords(name, folder, Number(of))}\n`);
  if (start !== false) return up(founding);
  process.stdout.write(`Start it with: otto up --data ${folder.path}\n`);
  return exitCodes.passed;
}

function ownedByOne(file: string | undefined): Pick<UpOptions, "ownerKey"> {
  if (file === undefined) return {};
  const path = resolve(file);
  if (existsSync(path))
    throw new OttoError("OTTO_FILE_EXISTS", {
      what: `${path} is there already.`,
      state: "No domain was founded.",
      next: "Name a file that is not there yet: a domain's key is its own.",
    });
  return { ownerKey: path };
}

/** Keys that are not there yet are made; the others are those that their owners have brought. */
function ownedBySeveral({ ownerKey = [], owner = [], threshold }: InitOptions): Pick<UpOptions, "owners"> {
  const files = ownerKey.map((file) => resolve(file));
  const wrong = owner.find((key) => publicKeyOf(key) === null);
  if (wrong !== undefined)
    throw unfounded(`${wrong} is nobody's key.`, "Say with --owner what `otto domain key FILE` has printed.");
  const count = new Set([...files, ...owner]).size;
  const needed = threshold === undefined ? Math.floor(count / 2) + 1 : Number(threshold);
  if (!Number.isInteger(needed) || needed < 1 || needed > count)
    throw unfounded(
      `--threshold takes a whole number from 1 to ${count}, as there are ${count} owners.`,
      "Name each owner: --owner-key FILE where the key is here, --owner KEY where it is not.",
    );
  if (files.length < needed)
    throw unfounded(
      `It takes ${needed} owners, and the keys of ${files.length} are here.`,
      "Have as many bring theirs until all control peers have joined, and name each with --owner-key FILE.",
    );
  const keys = [...new Set([...files.map((file) => openIdentity(file).peer), ...owner])].toSorted(byCodeUnit);
  const owners = { threshold: needed, keys, files };
  if (keys.length < count || !areOwners(owners))
    throw unfounded("Somebody is named twice, or there are too many.", "Name each owner once.");
  return { owners };
}

function byCodeUnit(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function unfounded(what: string, next: string): OttoError {
  return new OttoError("OTTO_USAGE", { what, state: "No domain was founded.", next });
}

function keyWords(name: string, folder: DataFolder, size: number): string {
  const { owners } = folder.config();
  const until =
    size === 1
      ? ""
      : " once all of its control peers have joined; until then the founder signs each of them with it";
  if (owners === undefined)
    return `The key of domain ${name} is ${folder.ownerKey}. Whoever has it owns the domain: keep it offline${until}.`;
  const { threshold, keys, files } = owners;
  return `It takes ${threshold} of ${keys.length} owners to change domain ${name}. Their keys here are ${files.join(", ")}: each takes theirs away${until.replace(" with it", " with them")}.`;
}

export async function showDomain(options: TargetOptions & { readonly json?: boolean }): Promise<ExitCode> {
  const target = await findTarget(options);
  try {
    const charter = await charterOf(target);
    const { certificate } = target;
    const { peers, node } = await askFor(await target.open(), { call: "peers", certificate }, "peers");
    const folder = targetFolder(options);
    const own = endOf(target, charter);
    if (options.json === true) {
      const { domain, name, owner, owners, configuration, size, controls } = charter;
      const ends = peers.map(({ peer, role, untilMs }) => ({ peer, role, untilMs }));
      const said = {
        domain,
        name,
        owner,
        owners,
        configuration,
        size,
        controls,
        peers: ends,
        personUntilMs: own,
      };
      process.stdout.write(`${JSON.stringify(said)}\n`);
      return exitCodes.passed;
    }
    const isHere = folder?.isOwner === true;
    const lines = [
      `Domain ${charter.name}`,
      `  id             ${charter.domain}`,
      ...ownerLines(charter, isHere ? folder : null),
      `  configuration  ${charter.configuration}, ${charter.controls.length} of ${charter.size} control peers`,
      ...charter.controls.map(({ peer, addresses }) => `                 ${peer}  ${addresses.join(" ")}`),
      "Certificates that the asked node knows, and when they end",
      ...peers.map(
        (seen) => `  ${endWords(seen.untilMs)}  ${seen.role.padEnd(7)}  ${seen.peer}  ${nameOf(seen)}`,
      ),
      ...(own === null ? [] : [`  ${endWords(own)}  person   ${person().peer}  you`]),
    ];
    if (node.revoked.length > 0) lines.push(`${node.revoked.length} revoked: otto revoke`);
    process.stdout.write(`${lines.map(visible).join("\n")}\n`);
    return exitCodes.passed;
  } finally {
    await target.close();
  }
}

function ownerLines({ owner, owners }: Charter, folder: DataFolder | null): string[] {
  const here = folder === null ? "" : `, whose key is here: ${folder.ownerKey}`;
  if (owners === undefined) return [`  owner          ${owner}${here}`];
  const { threshold, keys } = owners;
  return [`  owners         ${threshold} of ${keys.length}`, ...keys.map((key) => `                 ${key}`)];
}

/** When this person's own ends; null: there is none. */
function endOf(target: Target, charter: Parameters<typeof openCertificate>[1]): number | null {
  try {
    const opened = openCertificate(target.standing().certificate, charter, 0, person());
    return opened.ok ? opened.value.expiresMs : null;
  } catch {
    return null;
  }
}

function endWords(untilMs: number | null = null): string {
  return untilMs === null ? "not linked" : new Date(untilMs).toISOString().slice(0, 10);
}

function nameOf({ name, state }: PeerSeen): string {
  return state === "self" ? `${name}, the asked node` : name;
}
