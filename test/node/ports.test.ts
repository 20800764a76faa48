import { generateKeyPairSync } from "node:crypto";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as passes } from "node:timers/promises";
import { AddressBook } from "../../node/edge/address-book.ts";
import { realClock, realRandom } from "../../node/edge/clock.ts";
import { identityOf, type Identity } from "../../node/edge/identity.ts";
import { openStorage } from "../../node/edge/level-storage.ts";
import { type RealNetwork, startNetwork } from "../../node/edge/network.ts";
import { sealCertificate } from "../../protocol/certificate.ts";
import { type Charter, domainId, sealCharter } from "../../protocol/membership.ts";
import { Disk } from "../../simulations/storage.ts";
import { clockContract } from "../contracts/clock.ts";
import { keysContract } from "../contracts/keys.ts";
import { type Heard, networkContract, type NetworkUnderTest } from "../contracts/network.ts";
import { storageContract } from "../contracts/storage.ts";

storageContract("level", async () => {
  const root = mkdtempSync(join(tmpdir(), "otto-storage-"));
  const opened = [await openStorage(join(root, "live", "db"))];
  return {
    storage: opened[0]!.storage,
    crash: async () => {
      cpSync(join(root, "live"), join(root, "after"), { recursive: true });
      opened.push(await openStorage(join(root, "after", "db")));
      return opened[1]!.storage;
    },
    cleanUp: async () => {
      for (const { storage } of opened) await storage.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
});

keysContract("Ed25519 keys", () => newIdentity());

clockContract("the real clock", () => ({ clock: realClock, pass: (ms) => passes(ms) }));

networkContract("libp2p over TCP", linkedPair);

function newIdentity(): Identity {
  return identityOf(generateKeyPairSync("ed25519").privateKey);
}

/** A control peer that listens and a worker that dials it, both members of one domain. */
async function linkedPair(): Promise<NetworkUnderTest> {
  const owner = newIdentity();
  const domain = domainId("test", owner.peer);
  const peers = [newIdentity(), newIdentity()] as const;
  const charter: Charter = {
    otto: "charter/1",
    domain,
    name: "test",
    owner: owner.peer,
    version: 1,
    size: 1,
    controls: [{ peer: peers[0].peer, store: "s", addresses: [] }],
    former: [],
    configuration: 1,
    leaseMs: 1_000,
  };
  const told = new Map<string, Heard[]>(peers.map(({ peer }) => [peer, []]));
  const waiting = new Set<() => void>();
  const tell = (peer: string, heard: Heard): void => {
    told.get(peer)?.push(heard);
    for (const check of waiting) check();
  };
  const start = async (identity: Identity, role: "control" | "worker"): Promise<RealNetwork> => {
    const expiresMs = Date.now() + 60_000;
    const certificate = { otto: "certificate/1", peer: identity.peer, role, name: role, expiresMs } as const;
    return startNetwork({
      identity,
      membership: {
        charter,
        charterBytes: sealCharter(charter, owner),
        certificate: sealCertificate(domain, certificate, owner),
      },
      listen: role === "control" ? ["/ip4/127.0.0.1/tcp/0"] : [],
      clock: realClock,
      random: realRandom,
      book: await AddressBook.open(new Disk().open(setImmediate), realClock),
      observer: {
        up: (peer) => tell(identity.peer, { kind: "up", peer }),
        down: (peer) => tell(identity.peer, { kind: "down", peer }),
        message: (peer, message) => tell(identity.peer, { kind: "message", peer, message }),
        call: (channel) => channel.abort(),
        refused: () => undefined,
        certified: () => undefined,
        charter: () => undefined,
      },
    });
  };
  const networks = [await start(peers[0], "control"), await start(peers[1], "worker")] as const;
  const wire = await cuttableWire(Number(/tcp\/(\d+)/u.exec(networks[0].addresses[0] ?? "")?.[1]));
  networks[1].keepDialling(peers[0].peer, [`/ip4/127.0.0.1/tcp/${wire.port}`]);
  return {
    one: peers[0].peer,
    other: peers[1].peer,
    send: (from, to, message) => networks[from === peers[0].peer ? 0 : 1].send(to, message),
    heard: (peer) => told.get(peer) ?? [],
    until: (condition) => heldBy(condition, waiting),
    breakLink: wire.cut,
    cleanUp: async () => {
      for (const network of networks) await network.stop();
      wire.close();
    },
  };
}

/** A TCP proxy to a port of this machine, whose connections can be cut. */
async function cuttableWire(
  target: number,
): Promise<{ readonly port: number; readonly cut: () => void; readonly close: () => void }> {
  const sockets = new Set<Socket>();
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  const server = createServer((near) => {
    const far = connect(target, "127.0.0.1");
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", cut);
      socket.on("close", cut);
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const close = (): void => {
    server.close();
    cut();
  };
  return { port, cut, close };
}

function heldBy(condition: () => boolean, waiting: Set<() => void>): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (!condition()) return;
      waiting.delete(check);
      resolve();
    };
    waiting.add(check);
    check();
  });
}
