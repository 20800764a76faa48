/**
 * What every node's process has, whatever its role: its folder, database, blobs, network, local socket, and the
 * counters of what it refused. Opened in this order and closed in the reverse one.
 */

import type { Server } from "node:net";
import { equals } from "uint8arrays/equals";
import { openCertificate } from "../../protocol/certificate.ts";
import type { RefusedBecause } from "../../protocol/envelope.ts";
import { OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { type Charter, isFormed, isNewer, openCharter } from "../../protocol/membership.ts";
import { encodeMessage, type Message } from "../../protocol/messages.ts";
import type { Revoked } from "../../protocol/revocation.ts";
import type { Answer } from "../core/effects.ts";
import { AddressBook } from "./address-book.ts";
import { type Blobs, openBlobs } from "./blobs.ts";
import type { Channel } from "./channel.ts";
import { realClock, realRandom } from "./clock.ts";
import { DataFolder, newStoreName, type NodeConfig } from "./data-folder.ts";
import { wordsOf } from "./error-words.ts";
import { Fetching } from "./fetching.ts";
import { type Identity, openIdentity } from "./identity.ts";
import { openStorage } from "./level-storage.ts";
import { certificateAtStart, Renewing } from "./renewing.ts";
import { listenLocally } from "./local-socket.ts";
import type { Membership } from "./membership.ts";
import { type NetworkObserver, type RealNetwork, startNetwork } from "./network.ts";
import type { Storage } from "../ports.ts";

/** Where the database keeps its own name. */
const storeKey = "store";

export type HostEvents = Pick<NetworkObserver, "up" | "down" | "message" | "brokered"> & {
  call(channel: Channel): void;
  charter(charter: Charter): void;
};

export type NodeHost = {
  readonly folder: DataFolder;
  readonly config: NodeConfig;
  readonly identity: Identity;
  readonly membership: Membership;
  readonly storage: Storage;
  readonly blobs: Blobs;
  readonly network: RealNetwork;
  readonly fetching: Fetching;
  readonly questions: Questions;
  /** What was refused since the start, by reason. */
  readonly refused: Map<RefusedBecause, number>;
  readonly incarnation: string;
  /** Names the database: one that was wiped or put back has another name. */
  readonly store: string;
  /** Resolves when all control peers of the charter have joined. */
  readonly formed: Promise<void>;
  /** Opens the local socket and says where the node is: call when calls can be answered. */
  serve(): Promise<void>;
  /** Replaces the charter by a newer one and tells all links, and this node itself. */
  adoptCharter(bytes: Uint8Array, charter: Charter): void;
  /** From now on these are none of the domain: their connections are closed, and no certificate of theirs counts. */
  revoke(revoked: Revoked): void;
  publish(message: Message): void;
  close(): Promise<void>;
};

/** Where the certificate of a peer that was once linked is kept. */
export function certificateKey(peer: string): string {
  return `certificate/${peer}`;
}

/** Opens a node's folder and network. Whatever was opened is closed again when something fails. */
export async function openHost(path: string, events: HostEvents): Promise<NodeHost> {
  const folder = new DataFolder(path);
  const config = folder.config();
  const identity = openIdentity(folder.key);
  const membership = readMembership(folder, identity);
  const incarnation = Buffer.from(realRandom.bytes(9)).toString("base64url");
  const { storage, repaired } = await openStorage(folder.database);
  const store = await nameStore(storage, folder);
  for (const sentence of repaired) process.stderr.write(`otto: ${sentence}\n`);
  const refused = new Map<RefusedBecause, number>();
  const formed = Promise.withResolvers<void>();
  const formedBy = (charter: Charter): void => void (isFormed(charter) && formed.resolve());
  formedBy(membership.charter);
  let server: Server | null = null;
  let renewing: Renewing | null = null;
  try {
    const blobs = await openBlobs(folder.blobs);
    const observer = observing(events, { folder, storage, refused }, (charter) => {
      if (charter !== null) formedBy(charter);
      renewing?.look();
    });
    const { listen } = config;
    const book = await AddressBook.open(storage, realClock);
    book.learnInvited(config.invitedTo ?? []);
    const network = await startNetwork({
      identity,
      membership,
      listen,
      clock: realClock,
      random: realRandom,
      book,
      observer,
    });
    renewing = new Renewing({ folder, identity, membership, network });
    return {
      folder,
      config,
      identity,
      membership,
      storage,
      blobs,
      network,
      fetching: new Fetching(network, blobs, () => membership.certificate),
      questions: new Questions(),
      refused,
      incarnation,
      store,
      formed: formed.promise,
      async serve() {
        server = await listenLocally(folder.socket, (channel) => events.call(channel));
        const { addresses } = network;
        renewing?.look();
        folder.saveRunning({ pid: process.pid, socket: folder.socket, addresses, peer: identity.peer });
      },
      adoptCharter(bytes, charter) {
        if (!isNewer(charter, membership.charter)) return;
        folder.write("charter", bytes);
        membership.charter = charter;
        membership.charterBytes = bytes;
        network.greetAgain();
        formedBy(charter);
        events.charter(charter);
        renewing?.look();
      },
      revoke: (revoked) => revokeFrom(membership, network, revoked),
      publish: (message) => network.publish(encodeMessage(message)),
      async close() {
        renewing?.stop();
        server?.close();
        folder.forgetRunning();
        await network.stop();
        await storage.close();
      },
    };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

/** @param changed there is a newer charter, or (null) somebody to ask for a certificate. */
function observing(
  events: HostEvents,
  { folder, storage, refused }: Pick<NodeHost, "folder" | "storage" | "refused">,
  changed: (charter: Charter | null) => void,
): NetworkObserver {
  return {
    ...events,
    up(peer, role, allowed) {
      events.up(peer, role, allowed);
      if (role === "control") changed(null);
    },
    call: (channel) => events.call(channel),
    refused: (because) => refused.set(because, (refused.get(because) ?? 0) + 1),
    certified: (peer, certificate) => {
      keepCertificate(storage, peer, certificate).catch((error: unknown) =>
        process.stderr.write(`otto: the certificate of ${peer} was not kept: ${wordsOf(error)}\n`),
      );
    },
    charter(bytes, charter) {
      folder.write("charter", bytes);
      events.charter(charter);
      changed(charter);
    },
  };
}

function revokeFrom(membership: Membership, network: RealNetwork, revoked: Revoked): void {
  const known = membership.revoked;
  membership.revoked = revoked;
  for (const peer of revoked.keys()) if (known?.has(peer) !== true) network.deny(peer);
}

/** Questions to the core that a caller waits on. */
class Questions {
  readonly #open = new Map<number, (answer: Answer) => void>();
  #last = 0;

  /** Throws `OTTO_TIMED_OUT` when nothing is decided in time: a reign that ended answers nobody. */
  ask(post: (question: number) => void): Promise<Answer> {
    this.#last += 1;
    const question = this.#last;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#open.delete(question);
        reject(notDecided());
      }, limits.questionMsMax);
      this.#open.set(question, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      post(question);
    });
  }

  answer(question: number, answer: Answer): void {
    this.#open.get(question)?.(answer);
    this.#open.delete(question);
  }
}

function notDecided(): OttoError {
  return new OttoError("OTTO_TIMED_OUT", {
    what: "The domain did not decide in time: no more than half of its control peers can be reached.",
    state: "It may still be decided when they are back.",
    next: "Look with `otto peers`, and try again when they are back.",
  });
}

/** Kept for whoever judges a run after its workers are gone. */
async function keepCertificate(storage: Storage, peer: string, certificate: Uint8Array): Promise<void> {
  const key = certificateKey(peer);
  const known = await storage.get(key);
  if (known === undefined || !equals(known, certificate))
    await storage.write([{ kind: "put", key, value: certificate }]);
}

/** What each of these was called when it was last linked with this node: of whom it never was, nothing is there. */
export async function namesKept(
  { storage, membership, identity }: Pick<NodeHost, "storage" | "membership" | "identity">,
  peers: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  for (const peer of peers) {
    const bytes = await storage.get(certificateKey(peer));
    if (bytes === undefined) continue;
    const opened = openCertificate(bytes, membership.charter, 0, identity);
    if (opened.ok) names.set(peer, opened.value.name);
  }
  return names;
}

/**
 * The name of the database that is open. A new one takes the name that its peer has told the domain when it joined; one
 * whose name that was before, and that was wiped since, does not get it again.
 */
async function nameStore(storage: Storage, folder: DataFolder): Promise<string> {
  const known = await storage.get(storeKey);
  if (known !== undefined) return Buffer.from(known).toString();
  const name = folder.read("store")?.toString() ?? newStoreName();
  await storage.write([{ kind: "put", key: storeKey, value: Buffer.from(name) }]);
  await storage.sync();
  folder.forgetStore();
  return name;
}

function readMembership(folder: DataFolder, identity: Identity): Membership {
  const charterBytes = folder.need("charter");
  const charter = openCharter(charterBytes, null, identity);
  if (!charter.ok)
    throw new OttoError("OTTO_DATA_FOLDER_INVALID", {
      what: `The charter in ${folder.path} is not one: ${charter.problem}.`,
      next: "Restore it, or remove the folder and join again.",
    });
  return {
    charter: charter.value,
    charterBytes,
    certificate: certificateAtStart(folder, identity, charter.value),
  };
}
