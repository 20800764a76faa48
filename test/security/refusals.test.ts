/** As a control peer of the other domain that lies or lags behind: it refuses a released step, and the others are asked all the same. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ReleaseTold } from "../../node/core/effects.ts";
import { openBlobs } from "../../node/edge/blobs.ts";
import { withPeer } from "../../node/edge/peer-address.ts";
import { Releasing } from "../../node/edge/releasing.ts";
import { encodeItem } from "../../protocol/calls.ts";
import { sealCharter } from "../../protocol/membership.ts";
import { exampleCharter, runOf } from "../node/core/example.ts";
import { plannedStep } from "../node/view/example.ts";
import { type Peer, Peers } from "../node/peers.ts";
import { newIdentity } from "../protocol/domain.ts";

let ops: Peers;
let all: Peer[];
let folder: string;
let releasing: Releasing;
const { bundle } = runOf([plannedStep("deploy")]);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "otto-refusals-"));
  ops = new Peers(3);
  all = await Promise.all([0, 1, 2].map((index) => ops.control(index)));
  const blobs = await openBlobs(join(folder, "blobs"));
  const bring = (): Promise<void> => Promise.resolve();
  releasing = new Releasing({ identity: newIdentity(), blobs, bundle: () => Promise.resolve(bundle), bring });
});
afterEach(async () => {
  await releasing.close();
  await ops.end();
  rmSync(folder, { recursive: true });
});

/** The home of dev tells it to whoever of ops will hear it; whoever is asked says what it likes. */
async function tell(refusedBy: readonly Peer[], says: "refused" | "running") {
  const before = all.map(({ channels }) => channels.length);
  const to = {
    ...ops.charter,
    controls: all.map(({ identity: { peer }, network }) => ({
      peer,
      store: "",
      addresses: network.addresses.map((address) => withPeer(address, peer)),
    })),
  };
  const told: ReleaseTold = {
    run: "run",
    index: 0,
    to,
    release: new Uint8Array(1),
    charter: sealCharter(exampleCharter, ops.owner),
    trees: [],
    refusedBy: refusedBy.map(({ identity }) => identity.peer),
  };
  const answered = releasing.tell(told);
  const isAsked = ({ channels }: Peer, index: number): boolean => channels.length > (before[index] ?? 0);
  await ops.until(() => all.some(isAsked));
  const asked = all.find(isAsked);
  const channel = asked?.channels.at(-1);
  await channel?.send(encodeItem({ kind: "released", state: says, detail: "because", outcome: null }));
  await channel?.close();
  return { asked, answer: await answered };
}

it("is told apart from the others, who are asked in its place", async () => {
  const first = await tell([], "refused");
  const liar = first.asked;
  if (liar === undefined) throw new Error("nobody was asked");
  expect(first.answer).toEqual({ state: "refused", detail: "because", by: liar.identity.peer });
  const second = await tell([liar], "running");
  expect(second.asked).not.toBe(liar);
  expect(second.answer).toEqual({ state: "running", detail: "because" });
});

it("is asked again when no other answers", async () => {
  const [liar, ...others] = all;
  if (liar === undefined) throw new Error("there is no control peer");
  await Promise.all(others.map(({ network }) => network.stop()));
  expect((await tell([liar], "running")).asked).toBe(liar);
});
