/**
 * `otto up`: runs this machine's node in the foreground; founds a domain first when there is none.
 * `otto join`: becomes a member with an invite, then does the same.
 */

import { existsSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join as joinPath, resolve } from "node:path";
import { availableParallelism } from "node:os";
import { askFor } from "../../node/edge/client.ts";
import type { RunningNode } from "../../node/edge/control-node.ts";
import {
  DataFolder,
  newStoreName,
  type NodeConfig,
  ottoHome,
  type SandboxConfig,
  sandboxDefault,
} from "../../node/edge/data-folder.ts";
import { foundDomain, moveFounder, randomName } from "../../node/edge/founding.ts";
import { isAlive } from "../../node/edge/execution/processes.ts";
import { openIdentity, verifySignature } from "../../node/edge/identity.ts";
import { type InviteCode, inviteOfCode, makeInvite } from "../../node/edge/invite-code.ts";
import { connectLocally } from "../../node/edge/local-socket.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { type SandboxLevel, sandboxLevels } from "../../protocol/plan.ts";
import { sealApplication } from "../../protocol/invite.ts";
import { isFormed, openCharter, type Role } from "../../protocol/membership.ts";
import { assertJoinable } from "../held-folder.ts";
import { keepStanding, person } from "../person.ts";
import { ownerOfFolder } from "../../node/edge/owner.ts";

export type NodeOptions = {
  readonly data?: string;
  readonly name?: string;
  /** HOST:PORT as typed. */
  readonly listen?: string;
  readonly slots?: string;
  readonly label?: readonly string[];
  readonly pass?: readonly string[];
  readonly sandbox?: string;
  readonly sandboxDefault?: string;
  readonly visible?: readonly string[];
};

export type UpOptions = NodeOptions & {
  readonly control?: boolean;
  readonly of?: string;
  readonly domain?: string;
  readonly lease?: string;
  /** Where the owner's key is to be; else in the data folder. */
  readonly ownerKey?: string;
  readonly owners?: NonNullable<NodeConfig["owners"]>;
};

export type JoinOptions = NodeOptions & { readonly start?: boolean };

export async function up(options: UpOptions): Promise<ExitCode> {
  const folder = new DataFolder(options.data ?? joinPath(ottoHome(), "node"));
  if (!folder.isNode) {
    if (options.control !== true)
      throw new OttoError("OTTO_USAGE", {
        what: `There is no node in ${folder.path} yet.`,
        state: "Nothing was started.",
        next: "Join a domain with `otto join CODE`, or found one with `otto up --control`.",
      });
    await found(folder, options);
  } else adapt(folder, options);
  return runNode(folder);
}

export async function join(code: string, options: JoinOptions): Promise<ExitCode> {
  const invited = inviteOfCode(code);
  const { invite, domain } = invited;
  if (invite.role === "person") return joinAsPerson(invited);
  const folder = new DataFolder(options.data ?? joinPath(ottoHome(), "node"));
  assertJoinable(folder, domain);
  if (invite.role === "control" && options.listen === undefined && !invite.addresses.every(isLoopback))
    throw new OttoError("OTTO_USAGE", {
      what: "The other control peers must be able to reach this one, and without --listen only this machine could.",
      state: "Nobody joined; the code is still good.",
      next: "Say an address of this machine that the others can reach: otto join CODE --listen HOST:4105",
    });
  const config = configOf(invite.role, options);
  for (const address of config.listen) await assertFree(address);
  const isNew = !existsSync(folder.path);
  folder.create();
  // Asked again after an answer that was lost, the same key is let in with the same invite.
  const identity = openIdentity(folder.key);
  const { dialForCalls } = await import("../../node/edge/dial-call.ts");
  const remote = await dialForCalls(identity, invite.addresses);
  try {
    const { name, listen: addresses } = config;
    const store = folder.read("store")?.toString() ?? newStoreName();
    folder.write("store", Buffer.from(store));
    const request = {
      call: "join",
      certificate: null,
      invite: invited.bytes,
      application: applicationOf(invited, identity.peer, name),
      addresses,
      store,
    } as const;
    const { charter, certificate, personCertificate } = await askFor(await remote.open(), request, "joined");
    const chartered = openCharter(charter, domain, identity);
    if (!chartered.ok) throw damaged();
    folder.write("charter", charter);
    folder.write("certificate", certificate);
    if (personCertificate !== null) folder.write("person.cert", personCertificate);
    folder.saveConfig({ ...config, invitedTo: invite.addresses });
    if (personCertificate !== null) keepStanding(chartered.value, charter, personCertificate);
    process.stdout.write(`Joined domain ${chartered.value.name} as ${config.role} ${name}.\n`);
  } catch (error) {
    const isRefused = error instanceof OttoError && error.exitCode === exitCodes.refused;
    if (isNew && isRefused) rmSync(folder.path, { recursive: true });
    throw error;
  } finally {
    await remote.close();
  }
  return options.start === false ? exitCodes.passed : runNode(folder);
}

/** The invite is used for this machine's key and this person's. */
function applicationOf({ domain, key }: InviteCode, peer: string, name: string): Uint8Array {
  return sealApplication(domain, { otto: "application/1", peer, person: person().peer, name }, key);
}

async function joinAsPerson(invited: InviteCode): Promise<ExitCode> {
  const self = person();
  const { bytes: invite, domain } = invited;
  const { dialForCalls } = await import("../../node/edge/dial-call.ts");
  const remote = await dialForCalls(self, invited.invite.addresses);
  try {
    const application = applicationOf(invited, self.peer, randomName("person"));
    const own = { invite, application, addresses: [], store: "" };
    const request = { call: "join", certificate: null, ...own } as const;
    const { charter, certificate } = await askFor(await remote.open(), request, "joined");
    const chartered = openCharter(charter, domain, self);
    if (!chartered.ok) throw damaged();
    keepStanding(chartered.value, charter, certificate);
    process.stdout.write(`Joined domain ${chartered.value.name}. Submit with: otto submit --peer ADDRESS\n`);
  } finally {
    await remote.close();
  }
  return exitCodes.passed;
}

/** What an existing node is told anew counts from this start on. */
function adapt(folder: DataFolder, options: UpOptions): void {
  const config = folder.config();
  const told = configOf(config.role, { listen: config.listen[0] ?? "127.0.0.1:1", ...options });
  const listen = options.listen === undefined ? config.listen : told.listen;
  if (config.role === "control" && listen.join(" ") !== config.listen.join(" ")) move(folder, listen);
  folder.saveConfig({
    ...config,
    listen,
    name: options.name ?? config.name,
    slots: options.slots === undefined ? config.slots : told.slots,
    labels: options.label === undefined ? config.labels : told.labels,
    passVariables: options.pass ?? config.passVariables,
    sandbox: sandboxOf(options, config.sandbox),
  });
}

/** The charter says where a control peer is: its owner alone can say otherwise. */
function move(folder: DataFolder, listen: readonly string[]): void {
  const charter = openCharter(folder.need("charter"), null, { verify: verifySignature });
  if (folder.isOwner && charter.ok) {
    moveFounder(folder, charter.value, listen);
    return;
  }
  throw new OttoError("OTTO_USAGE", {
    what: "This control peer's address is in the domain's charter and cannot be changed here.",
    state: "Nothing was started.",
    next: "Start it without --listen.",
  });
}

export async function found(folder: DataFolder, options: UpOptions): Promise<void> {
  const size = wholeNumber("--of", options.of ?? "1", 7);
  if (size % 2 === 0 && size !== 4)
    throw new OttoError("OTTO_USAGE", {
      what: `A domain of ${size} control peers bears no more losses than one of ${size - 1}.`,
      state: "Nothing was started.",
      next: "Choose 1, 3, 5 or 7.",
    });
  const leaseMs =
    options.lease === undefined
      ? limits.leaseMsDefault
      : wholeNumber("--lease", options.lease, 3_600) * 1_000;
  const { ownerKey, owners } = options;
  const config = {
    ...configOf("control", options),
    ...(ownerKey === undefined ? {} : { ownerKey }),
    ...(owners === undefined ? {} : { owners }),
  };
  for (const address of config.listen) await assertFree(address);
  const domainName = options.domain ?? "dev";
  const charter = foundDomain({
    folder: folder.path,
    domainName,
    size,
    config,
    person: person().peer,
    leaseMs,
  });
  const own = folder.read("person.cert");
  if (own !== null) keepStanding(charter, folder.need("charter"), own);
}

export function configOf(role: "control" | "worker", options: NodeOptions): NodeConfig {
  const listen = options.listen ?? (role === "control" ? "127.0.0.1:4105" : undefined);
  return {
    otto: "node/1",
    role,
    name: options.name ?? randomName(role),
    listen: listen === undefined ? [] : [listenAddress(listen)],
    labels: [...(options.label ?? [])].toSorted(),
    slots:
      options.slots === undefined
        ? availableParallelism()
        : wholeNumber("--slots", options.slots, limits.pullSlotsMax),
    passVariables: options.pass ?? [],
    sandbox: sandboxOf(options, sandboxDefault),
    idleMs: null,
  };
}

function sandboxOf(options: NodeOptions, before: SandboxConfig = sandboxDefault): SandboxConfig {
  return {
    atMost: options.sandbox === undefined ? before.atMost : levelOf("--sandbox", options.sandbox),
    byDefault:
      options.sandboxDefault === undefined
        ? before.byDefault
        : levelOf("--sandbox-default", options.sandboxDefault),
    visible: options.visible?.map((path) => resolve(path)) ?? before.visible,
  };
}

function levelOf(option: string, typed: string): SandboxLevel {
  const level = sandboxLevels.find((known) => known === typed);
  if (level !== undefined) return level;
  throw new OttoError("OTTO_USAGE", {
    what: `${option} takes one of ${sandboxLevels.join(", ")}, not "${typed}".`,
    state: "Nothing was started.",
    next: "Correct it and try again.",
  });
}

/** Runs the node until it is stopped, and says what a person needs to go on. */
async function runNode(folder: DataFolder): Promise<ExitCode> {
  const { role } = folder.config();
  const running = folder.running();
  if (running !== null && isAlive(running.pid) && (await answersAt(folder)))
    throw new OttoError("OTTO_DATA_FOLDER_IN_USE", {
      what: `The node of ${folder.path} runs already, as process ${running.pid}.`,
      state: "Nothing was started.",
      next: `Stop it with \`otto down --node ${folder.path}\`, or use another folder with --data.`,
    });
  const node: RunningNode =
    role === "control"
      ? await (await import("../../node/edge/control-node.ts")).startControl(folder.path)
      : await (await import("../../node/edge/worker-node.ts")).startWorker(folder.path);
  const stop = (): void => void node.stop();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  await greet(folder, node);
  const cause = await node.stopped;
  if (cause !== null) throw cause;
  process.stdout.write("Stopped.\n");
  return exitCodes.passed;
}

async function greet(folder: DataFolder, node: RunningNode): Promise<void> {
  const { config, membership, network, identity } = node.host;
  const { charter } = membership;
  const lines = [
    `${config.role === "control" ? "Control peer" : "Worker"} ${config.name} of domain ${charter.name} is up.`,
  ];
  for (const address of network.addresses) lines.push(`  listening on ${address}`);
  lines.push(`  data in ${folder.path}`, `  peer ${identity.peer}`);
  if (node.isolation !== undefined) lines.push(`  ${node.isolation}`);
  if (config.role === "control" && folder.isOwner && !isFormed(charter)) {
    const missing = charter.size - charter.controls.length;
    lines.push(
      `Waiting for ${missing} more control ${missing === 1 ? "peer" : "peers"}. On each, within 15 minutes:`,
    );
    const listen = network.addresses.every(isLoopback) ? "" : " --listen HOST:4105";
    for (let count = 0; count < missing; count += 1)
      lines.push(`  otto join ${await invite(folder, "control")}${listen}`);
  }
  if (config.role === "control" && folder.isOwner)
    lines.push("Another machine joins as a worker with:", `  otto join ${await invite(folder, "worker")}`);
  process.stdout.write(`${lines.join("\n")}\n`);
  if (config.role === "worker" || isFormed(charter)) return;
  const complete = `Domain ${charter.name} is complete: all of its ${charter.size} control peers have joined.\n`;
  void node.host.formed.then(() => process.stdout.write(complete));
}

function isLoopback(address: string): boolean {
  return address.startsWith("/ip4/127.") || address.startsWith("/ip6/::1/");
}

async function invite(folder: DataFolder, role: Role): Promise<string> {
  const by = { keys: ownerOfFolder(folder), certificate: null };
  const channel = await connectLocally(folder.socket);
  const seen = await askFor(channel, { call: "control", certificate: null }, "control");
  return makeInvite(by, seen, { role, validMs: limits.inviteMsDefault });
}

async function answersAt(folder: DataFolder): Promise<boolean> {
  try {
    (await connectLocally(folder.socket)).abort();
    return true;
  } catch {
    return false;
  }
}

/** HOST:PORT as a multiaddr. */
function listenAddress(typed: string): string {
  if (typed.startsWith("/")) return typed;
  const at = typed.lastIndexOf(":");
  const host = typed.slice(0, at).replace(/^\[|\]$/gu, "");
  const port = Number(typed.slice(at + 1));
  if (at < 1 || !Number.isInteger(port) || port < 1 || port > 65_535)
    throw new OttoError("OTTO_USAGE", {
      what: `${typed} is no address to listen on.`,
      state: "Nothing was started.",
      next: "Write it as HOST:PORT, such as 192.0.2.7:4105.",
    });
  const kind = host.includes(":") ? "ip6" : /^[0-9.]+$/u.test(host) ? "ip4" : "dns4";
  return `/${kind}/${host}/tcp/${port}`;
}

/** Before anything is made: a node that cannot listen leaves nothing half done. */
async function assertFree(address: string): Promise<void> {
  const [, , host = "", , port = ""] = address.split("/");
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port: Number(port) }, resolve);
    });
  } catch (cause) {
    throw portInUse(address, cause);
  }
  await new Promise((resolve) => {
    server.close(resolve);
  });
}

function wholeNumber(option: string, typed: string, most: number): number {
  const value = Number(typed);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new OttoError("OTTO_USAGE", {
    what: `${option} takes a whole number from 1 to ${most}, not "${typed}".`,
    state: "Nothing was started.",
    next: "Correct it and try again.",
  });
}

function portInUse(address: string, cause: unknown): OttoError {
  return new OttoError("OTTO_PORT_IN_USE", {
    what: `Otto cannot listen on ${address}: the address is in use or not this machine's.`,
    state: "Nothing was started.",
    next: "Stop what uses it, or choose another with --listen HOST:PORT.",
    cause,
  });
}

function damaged(): OttoError {
  return new OttoError("OTTO_INVITE_INVALID", {
    what: "This invite is damaged or not one.",
    state: "Nobody joined.",
    next: "Copy it whole, or ask for a new one: `otto invite`.",
  });
}
