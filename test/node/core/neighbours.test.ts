/** Other domains' charters: the owner trusts one, the domain itself shows newer ones, and those are known after a restart. */

import { expect, it } from "vitest";
import { neighbourKeys, Neighbours } from "../../../node/core/neighbours.ts";
import type { StoredEntry, WriteOperation } from "../../../node/ports.ts";
import { sealDocument } from "../../../protocol/documents.ts";
import {
  type Charter,
  domainId,
  sealCharter,
  type SignedCharter,
  successorOf,
} from "../../../protocol/membership.ts";
import { simulatedKeys, simulatedVerifier } from "../../../simulations/keys.ts";
import { charterOf } from "../../../simulations/workload.ts";
import { answers, Bench } from "./bench.ts";
import { exampleCharter } from "./example.ts";

const opsOwner = simulatedKeys("ops-owner");
const controls = [simulatedKeys("ops-1"), simulatedKeys("ops-2")];
const first: Charter = {
  ...charterOf(controls, 10_000),
  name: "ops",
  owner: opsOwner.peer,
  domain: domainId("ops", opsOwner.peer),
};
const [staying, leaving] = first.controls;
if (staying === undefined || leaving === undefined) throw new Error("ops has two control peers");
const second = successorOf(first, [staying], 1_700_000_000_000);

const signed = (charter: Charter): SignedCharter => ({ charter, bytes: sealCharter(charter, opsOwner) });

/** The owner of the example domain trusts another. */
function trustIn(charter: Charter, timeMs = 1): Uint8Array {
  const body = { charter: sealCharter(charter, opsOwner) };
  const { name } = charter;
  const document = { otto: "document/1", topic: "domain", name, version: 1, timeMs, body } as const;
  const signer = { keys: simulatedKeys("owner"), certificate: null };
  return sealDocument(document, exampleCharter.domain, signer);
}

/** A control peer of a domain that trusts ops as it was first, or nobody. */
function started(disk: Map<string, Uint8Array>, trusted: readonly Charter[] = [first]): Neighbours {
  const documents = trusted.map(
    (charter) =>
      [`domain/${charter.name}`, { kind: "document", version: 1, bytes: trustIn(charter) }] as const,
  );
  const store = (operation: WriteOperation): void => {
    if (operation.kind === "put") disk.set(operation.key, operation.value);
  };
  const context = {
    documents: () => documents,
    charter: () => exampleCharter,
    store,
    keys: simulatedVerifier,
  };
  const stored: readonly StoredEntry[] = [...disk];
  const neighbours = new Neighbours(context, stored);
  neighbours.refresh();
  return neighbours;
}

it("who was taken out of a trusted domain's control peers speaks for it no more, also after a restart", () => {
  const disk = new Map<string, Uint8Array>();
  const before = started(disk);
  expect(before.accepts(signed(first))).toBe(true);
  expect(before.hasControl(leaving.peer)).toBe(true);
  expect(before.accepts(signed(second))).toBe(true);
  const after = started(disk);
  expect(after.byId(first.domain)).toEqual(second);
  expect(after.accepts(signed(first))).toBe(false);
  expect(after.hasControl(leaving.peer)).toBe(false);
  expect(after.hasControl(staying.peer)).toBe(true);
});

it("a control peer begins again with the charters that it was shown", () => {
  const bench = new Bench();
  const told = bench.tell({ kind: "put-document", bytes: trustIn(first, bench.now.wallMs), question: 1 });
  expect(answers(told)).toEqual([{ ok: true }]);
  expect(bench.core.isNeighbour(leaving.peer)).toBe(true);
  bench.disk.set(neighbourKeys.neighbours + first.domain, signed(second).bytes);
  bench.restart();
  expect(bench.core.isNeighbour(staying.peer)).toBe(true);
  expect(bench.core.isNeighbour(leaving.peer)).toBe(false);
});

it("a charter of a domain that nobody trusts is neither taken nor kept", () => {
  const disk = new Map<string, Uint8Array>();
  expect(started(disk, []).accepts(signed(second))).toBe(false);
  expect(disk.size).toBe(0);
});

it("a kept charter that its domain's owner did not sign, or another domain's, counts for nothing", () => {
  const key = neighbourKeys.neighbours + first.domain;
  const newer = successorOf(exampleCharter, exampleCharter.controls, 1_700_000_000_000);
  for (const bytes of [sealCharter(second, simulatedKeys("eve")), sealCharter(newer, simulatedKeys("owner"))])
    expect(started(new Map([[key, bytes]])).byId(first.domain)).toEqual(first);
});
