import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openBlobs } from "../../node/edge/blobs.ts";
import { Fetching } from "../../node/edge/fetching.ts";
import { encodeItem } from "../../protocol/calls.ts";
import { sha256Hex } from "../../protocol/values.ts";
import { type Peer, Peers } from "./peers.ts";

const [wanted, other] = [Uint8Array.of(1), Uint8Array.of(2)];
const run = { run: "r", digest: sha256Hex(wanted) };

let folder: string;
let peers: Peers;
let asking: Peer;
let first: Peer;
let second: Peer;
let fetching: Fetching;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "otto-fetching-"));
  peers = new Peers(3);
  [asking, first, second] = await Promise.all([peers.control(0), peers.control(1), peers.control(2)]);
  for (const peer of [first, second]) asking.dials(peer);
  await peers.until(() => asking.isLinked(first) && asking.isLinked(second));
  fetching = new Fetching(asking.network, await openBlobs(folder), () => asking.membership.certificate);
});

afterEach(async () => {
  await peers.end();
  rmSync(folder, { recursive: true });
});

/** Answers each call with the one bundle that this peer has. */
function gives(peer: Peer, bytes: Uint8Array | null): void {
  let answered = 0;
  void peers.until(() => {
    for (; answered < peer.channels.length; answered += 1)
      void peer.channels[answered]?.send(encodeItem({ kind: "bundle", bytes }));
    return false;
  });
}

it("a bundle comes from who has the very one, though another peer has another one of the same run", async () => {
  gives(first, other);
  gives(second, wanted);
  expect(await fetching.bundle(run, first.id)).toEqual({ bytes: wanted, from: second.id });
});

it("another bundle of the run is better than none", async () => {
  gives(first, null);
  gives(second, other);
  expect(await fetching.bundle(run, first.id)).toEqual({ bytes: other, from: second.id });
});

it("whichever comes first is taken where it is not known which the domain admitted", async () => {
  gives(first, other);
  gives(second, wanted);
  expect(await fetching.bundle({ run: "r", digest: null }, first.id)).toEqual({
    bytes: other,
    from: first.id,
  });
});
