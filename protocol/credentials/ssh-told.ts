/**
 * What a step is told of its logins by SSH: the sockets of its agents, and a configuration by which `ssh`, and what is built on
 * it, knows the host by its pinned keys and no others. A login that is refused says why in place of connecting.
 */

import type { StepCredential } from "../plan.ts";
import type { BrokerAnswer } from "./hello.ts";
import { type SshPlace, sshPlaceOf } from "./ssh-place.ts";
import { type Told, variableOf } from "./variables.ts";

export type LoginListening = {
  readonly credential: StepCredential;
  /** Path of the agent's socket. */
  readonly socket: string;
  readonly answer: BrokerAnswer;
  /** Of a step that is shut in: the port of its own loopback that leads to the host. Null: it goes there by itself. */
  readonly port: number | null;
};

/** @param folder where the files will be. */
export function toldOfLogins(logins: readonly LoginListening[], folder: string): Told {
  const [first] = logins;
  if (first === undefined) return { variables: {}, files: {} };
  const configuration = `${folder}/ssh_config`;
  const variables: Record<string, string> = {
    SSH_AUTH_SOCK: first.socket,
    OTTO_SSH_CONFIG: configuration,
    GIT_SSH_COMMAND: `ssh -F '${configuration}'`,
    RSYNC_RSH: `ssh -F '${configuration}'`,
  };
  const blocks: string[] = [];
  const known: string[] = [];
  for (const { credential, socket, answer, port } of logins) {
    const place = sshPlaceOf(credential.to);
    if (place === null) continue;
    variables[`${variableOf(credential.name)}_SOCK`] = socket;
    blocks.push(blockOf(credential, { place, socket, answer, port, folder }));
    for (const key of answer.hostKeys ?? []) known.push(`${nameOf(place)} ${key}`);
  }
  const files = { ssh_config: `${blocks.join("\n")}\n`, known_hosts: `${known.join("\n")}\n` };
  return { variables, files };
}

/** What is said first counts: a step can name the host, or the credential when it has several for one host. */
function blockOf(
  { name }: StepCredential,
  {
    place,
    socket,
    answer,
    port,
    folder,
  }: Pick<LoginListening, "socket" | "answer" | "port"> & {
    readonly place: SshPlace;
    readonly folder: string;
  },
): string {
  const host = bare(place.host);
  const lines = [
    ...(port === null
      ? [`HostName ${host}`, `Port ${place.port}`]
      : ["HostName 127.0.0.1", `Port ${port}`, `HostKeyAlias ${nameOf(place)}`]),
    `User ${place.user}`,
    `IdentityAgent "${socket}"`,
    "IdentityFile none",
    `UserKnownHostsFile "${folder}/known_hosts"`,
    "GlobalKnownHostsFile none",
    "StrictHostKeyChecking yes",
    "UpdateHostKeys no",
    "BatchMode yes",
    "ForwardAgent no",
    "ControlMaster no",
    "ControlPath none",
    // The third descriptor holds the way to the host open until all was said: when it is closed, `ssh` ends this command.
    ...(answer.why === null ? [] : [`ProxyCommand echo ${quoted(`otto: ${answer.why}`)} 3>&1 >&2`]),
  ];
  return [`Host ${host} ${name}`, ...lines.map((line) => `  ${line}`)].join("\n");
}

/** As `known_hosts` has it. */
function nameOf({ host, port }: SshPlace): string {
  return port === 22 ? bare(host) : `[${bare(host)}]:${port}`;
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/gu, "");
}

/** For a shell, behind `ssh`'s own expansion. */
function quoted(sentence: string): string {
  return `'${sentence
    .replace(/[^\x20-\x7e]/gu, " ")
    .replaceAll("%", "%%")
    .replaceAll("'", `'\\''`)}'`;
}
