/** A domain from a backup: what its registers say then. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { backupOf } from "../../node/edge/backup.ts";
import { openBlobs } from "../../node/edge/blobs.ts";
import { openStorage } from "../../node/edge/level-storage.ts";
import type { NodeHost } from "../../node/edge/node-host.ts";
import { restoreDomain, type Restored } from "../../node/edge/restoring.ts";
import type { StoredEntry } from "../../node/ports.ts";
import { limits } from "../../protocol/limits.ts";
import { sealCharter } from "../../protocol/membership.ts";
import type { AcceptedRecord } from "../../protocol/registers/records.ts";
import type { StepValue } from "../../protocol/registers/registers.ts";
import { readRegisters, storedGroup, storedRecord } from "../../protocol/registers/stored.ts";
import { decodeValue, encodeValue } from "../../protocol/values.ts";
import { charter, control, owner, person } from "../protocol/domain.ts";

let root = "";

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "otto-restoring-"));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function recordOf(value: StepValue, round: number): AcceptedRecord {
  const ballot = { configuration: 1, epoch: 1, peer: control.peer, incarnation: "a1" };
  return { ballot, round, value: encodeValue(value) };
}

const leased: StepValue = {
  kind: "step",
  state: "leased",
  token: 1,
  past: [],
  attempt: 1,
  worker: "w",
  session: "w:1",
  nonce: "w:1/1",
};
const done: StepValue = { kind: "step", state: "done", token: 1, past: [], outcome: "passed", report: null };

/** Backs a control peer up that keeps these entries, and restores the domain from that. */
async function restoredFrom(
  entries: readonly StoredEntry[],
): Promise<{ readonly restored: Restored; readonly registers: ReadonlyMap<string, StepValue> }> {
  const { storage } = await openStorage(join(root, "lost", "db"));
  await storage.write(entries.map(([key, value]) => ({ kind: "put", key, value })));
  const membership = { charterBytes: sealCharter(charter, owner) };
  const blobs = await openBlobs(join(root, "lost", "blobs"));
  const frames: Uint8Array[] = [];
  const host = { membership, identity: control, storage, blobs } as unknown as NodeHost;
  for await (const frame of backupOf(host)) frames.push(frame);
  await storage.close();
  const file = join(root, "backup");
  writeFileSync(file, Buffer.concat(frames));
  const restored = await restoreDomain({
    file,
    folder: join(root, "restored"),
    owner: () => owner,
    config: {
      otto: "node/1",
      role: "control",
      name: "restored",
      listen: [],
      labels: [],
      slots: 0,
      passVariables: [],
      idleMs: null,
    },
    person: person.peer,
  });
  const opened = await openStorage(join(root, "restored", "db"));
  const { registers } = readRegisters(await opened.storage.list("register/"));
  await opened.storage.close();
  return {
    restored,
    registers: new Map(
      [...registers].map(([name, { value }]) => [name, decodeValue(value) as StepValue] as const),
    ),
  };
}

it("a step that is not over has a token far above any that was granted, stored alone or with those it was claimed with", async () => {
  const { restored, registers } = await restoredFrom([
    ["register/group/0", storedGroup({ run: "r", places: [0, 1, 2], record: recordOf(leased, 5) })],
    ["register/step/r/1", storedRecord(recordOf(done, 6))],
    ["register/step/r/3", storedRecord(recordOf({ ...leased, token: 7 }, 7))],
  ]);
  const tokens = [...registers].map(([name, { state, token }]) => [name, state, token]);
  expect(tokens.toSorted()).toEqual([
    ["step/r/0", "leased", 1 + limits.restoredTokenGap],
    ["step/r/1", "done", 1],
    ["step/r/2", "leased", 1 + limits.restoredTokenGap],
    ["step/r/3", "leased", 7 + limits.restoredTokenGap],
  ]);
  expect(restored).toMatchObject({ entries: 3, raised: 3 });
});

it("what is no register of a step is as it was", async () => {
  const value = encodeValue({ kind: "retired", throughMs: 10 });
  const { restored, registers } = await restoredFrom([
    ["register/retired", storedRecord({ ...recordOf(leased, 1), value })],
    ["neighbour/x", Uint8Array.of(1)],
  ]);
  expect([...registers]).toEqual([["retired", { kind: "retired", throughMs: 10 }]]);
  expect(restored.raised).toBe(0);
});
