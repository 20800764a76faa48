/**
 * The node that a command talks to: named by its data folder or by its address, else this user's node, else the
 * embedded mesh.
 */

import { join } from "node:path";
import type { Channel } from "../node/edge/channel.ts";
import { DataFolder, ottoHome } from "../node/edge/data-folder.ts";
import { connectLocally } from "../node/edge/local-socket.ts";
import { type ExitCode, exitCodes, OttoError } from "../protocol/errors.ts";
import { openCertificate } from "../protocol/certificate.ts";
import { type Charter, openCharter } from "../protocol/membership.ts";
import { embeddedFolders } from "./embedded.ts";
import { charterOfStanding, keepStanding, person, standing, type Standing } from "./person.ts";
import { renewPerson } from "./renew-person.ts";
import { shellWord } from "./words.ts";

export type TargetOptions = {
  /** Data folder of a node on this machine. */
  readonly node?: string;
  /** Multiaddr of any peer. */
  readonly peer?: string;
  readonly domain?: string;
};

export type Target = {
  /** What to show over libp2p; null over the local socket. */
  readonly certificate: Uint8Array | null;
  /** The domain that is submitted to, and what the submitter shows there. */
  standing(): Standing;
  /** Of the domain that is meant, as it is known on this machine. */
  charter(): Charter;
  /** A node has shown a newer one. */
  learn(charter: Charter, bytes: Uint8Array): void;
  readonly open: () => Promise<Channel>;
  readonly close: () => Promise<void>;
};

/** The options again, for a command that is to ask the same node: with a space before, or nothing. */
export function targetWords({ node, peer, domain }: TargetOptions): string {
  const named = [
    ["--node", node],
    ["--peer", peer],
    ["--domain", domain],
  ] as const;
  return named
    .map(([option, value]) => (value === undefined ? "" : ` ${option} ${shellWord(value)}`))
    .join("");
}

/** Does something with the node that the options name, and hangs up. */
export async function withTarget(
  options: TargetOptions,
  work: (target: Target) => Promise<void>,
): Promise<ExitCode> {
  const target = await findTarget(options);
  try {
    await work(target);
    return exitCodes.passed;
  } finally {
    await target.close();
  }
}

export async function findTarget(options: TargetOptions): Promise<Target> {
  if (options.peer !== undefined) {
    const target = await remoteTarget(options.peer, options.domain ?? null);
    try {
      return await renewPerson(target, null);
    } catch (error) {
      await target.close();
      throw error;
    }
  }
  const folder = targetFolder(options);
  const isNamed = options.node !== undefined || (process.env["OTTO_NODE"] ?? "") !== "";
  if (folder !== null && (isNamed || folder.isNode)) return renewPerson(localTarget(folder), folder);
  throw new OttoError("OTTO_NO_NODE", {
    what: "This user has no Otto node yet.",
    next: "Run a pipeline with `otto run`, join a mesh with `otto join CODE`, or start one with `otto up --control`.",
  });
}

/** The data folder of the node that is asked; null: it is asked over the network. */
export function targetFolder({ node, peer }: TargetOptions): DataFolder | null {
  if (peer !== undefined) return null;
  const named = node ?? process.env["OTTO_NODE"];
  if (named !== undefined && named !== "") return new DataFolder(named);
  const own = new DataFolder(join(ottoHome(), "node"));
  return own.isNode ? own : embeddedFolders().control;
}

export function localTarget(folder: DataFolder): Target {
  return {
    certificate: null,
    standing() {
      const charter = openCharter(folder.need("charter"), null, person());
      const own = folder.read("person.cert");
      if (charter.ok && own !== null && isOwn(own, charter.value))
        return { domain: charter.value.domain, certificate: own };
      return standing(charter.ok ? charter.value.domain : null);
    },
    charter() {
      const charter = openCharter(folder.need("charter"), null, person());
      if (charter.ok) return charter.value;
      throw noCharter(folder.path);
    },
    // The node itself keeps what it hears of.
    learn: () => undefined,
    open: () => connectLocally(folder.socket),
    close: () => Promise.resolve(),
  };
}

/** Somebody else may have founded the node, or joined with it. */
function isOwn(certificate: Uint8Array, charter: Charter): boolean {
  const opened = openCertificate(certificate, charter, 0, person());
  return opened.ok && opened.value.peer === person().peer;
}

async function remoteTarget(address: string, domain: string | null): Promise<Target> {
  if (!address.includes("/p2p/"))
    throw new OttoError("OTTO_USAGE", {
      what: `${address} does not say which peer it leads to.`,
      next: "Give the whole address, as `otto peers` prints it: /ip4/HOST/tcp/PORT/p2p/PEER.",
    });
  const controlPeer = address.slice(address.lastIndexOf("/") + 1);
  const own = (): Standing => standing(domain, controlPeer);
  own();
  const { dialForCalls } = await import("../node/edge/dial-call.ts");
  const remote = await dialForCalls(person(), [address]);
  return {
    get certificate() {
      return own().certificate;
    },
    standing: own,
    charter() {
      const charter = charterOfStanding(own().domain);
      if (charter !== null) return charter;
      throw noCharter(ottoHome());
    },
    learn: (charter, bytes) => keepStanding(charter, bytes, own().certificate),
    open: remote.open,
    close: remote.close,
  };
}

function noCharter(where: string): OttoError {
  return new OttoError("OTTO_NOT_A_MEMBER", {
    what: `There is no charter in ${where} that the owner of a domain has signed.`,
    state: "Nothing was done.",
    next: "Join the domain anew with `otto join CODE`.",
  });
}
