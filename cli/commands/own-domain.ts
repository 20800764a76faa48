/** `otto domain init` and `otto domain show`: founds a domain, and says who it is and whose word counts in it. */

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { askFor } from "../../node/edge/client.ts";
import { DataFolder, ottoHome } from "../../node/edge/data-folder.ts";
import type { PeerSeen } from "../../protocol/calls.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { openCertificate } from "../../protocol/certificate.ts";
import { charterOf } from "../domain-documents.ts";
import { person } from "../person.ts";
import { findTarget, targetFolder, type Target, type TargetOptions } from "../target.ts";
import { found, type NodeOptions, up } from "./up.ts";

export type InitOptions = NodeOptions & {
  readonly control?: string;
  readonly lease?: string;
  /** Where the owner's key is to be, when not in the data folder. */
  readonly ownerKey?: string;
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
  const { control: of = "1", ownerKey, start, ...node } = options;
  const path = ownerKey === undefined ? undefined : resolve(ownerKey);
  if (path !== undefined && existsSync(path))
    throw new OttoError("OTTO_FILE_EXISTS", {
      what: `${path} is there already.`,
      state: "No domain was founded.",
      next: "Name a file that is not there yet: a domain's key is its own.",
    });
  const founding = {
    ...node,
    control: true,
    of,
    domain: name,
    ...(path === undefined ? {} : { ownerKey: path }),
  };
  await found(folder, founding);
  process.stdout.write(`${keyWords(name, folder.ownerKey, Number(of))}\n`);
  if (start !== false) return up(founding);
  process.stdout.write(`Start it with: otto up --data ${folder.path}\n`);
  return exitCodes.passed;
}

function keyWords(name: string, path: string, size: number): string {
  const until =
    size === 1
      ? ""
      : " once all of its control peers have joined; until then the founder signs each of them with it";
  return `The key of domain ${name} is ${path}. Whoever has it owns the domain: keep it offline${until}.`;
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
      const { domain, name, owner, configuration, size, controls } = charter;
      const ends = peers.map(({ peer, role, untilMs }) => ({ peer, role, untilMs }));
      const said = { domain, name, owner, configuration, size, controls, peers: ends, personUntilMs: own };
      process.stdout.write(`${JSON.stringify(said)}\n`);
      return exitCodes.passed;
    }
    const isHere = folder?.isOwner === true;
    const lines = [
      `Domain ${charter.name}`,
      `  id             ${charter.domain}`,
      `  owner          ${charter.owner}${isHere ? `, whose key is here: ${folder.ownerKey}` : ""}`,
      `  configuration  ${charter.configuration}, ${charter.controls.length} of ${charter.size} control peers`,
      ...charter.controls.map(({ peer, addresses }) => `                 ${peer}  ${addresses.join(" ")}`),
      "Certificates that the asked node knows, and when they end",
      ...peers.map(
        (seen) => `  ${endWords(seen.untilMs)}  ${seen.role.padEnd(7)}  ${seen.peer}  ${nameOf(seen)}`,
      ),
      ...(own === null ? [] : [`  ${endWords(own)}  person   ${person().peer}  you`]),
    ];
    if (node.revoked.length > 0) lines.push(`${node.revoked.length} revoked: otto revoke`);
    process.stdout.write(`${lines.join("\n")}\n`);
    return exitCodes.passed;
  } finally {
    await target.close();
  }
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
