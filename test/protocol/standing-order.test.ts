/** Standing orders: what a person signs once, and the run that each slot of it is. */

import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import {
  bundleOfSlot,
  isBundleOfSlot,
  nameBundle,
  openBundle,
  orderOf,
  planOfBundle,
  type Submission,
} from "../../protocol/manifest.ts";
import { runOfSlot, type StandingOrder } from "../../protocol/standing-order.ts";
import { decodeValue, encodeValue, sha256Hex } from "../../protocol/values.ts";
import { simulatedVerifier } from "../../simulations/keys.ts";
import { startWallMs, submissionOf } from "../../simulations/workload.ts";
import { exampleCharter, runOf } from "../node/core/example.ts";
import { plannedStep } from "../node/view/example.ts";

const hour = 60 * limits.minuteMs;
/** The beginning of an hour. */
const slotMs = Math.floor(startWallMs / hour) * hour;
const hourly: StandingOrder = { revision: 1, slots: [{ cron: "0 * * * *", missed: "latest" }] };

function give(order: unknown): { readonly bundle: Uint8Array; readonly submission: Submission } {
  const ordered = { pipeline: "nightly", order: order as StandingOrder };
  return submissionOf([plannedStep("a")], exampleCharter, "n1", false, ordered);
}

const { bundle, submission } = give(hourly);

function open(bytes: Uint8Array) {
  return openBundle(bytes, exampleCharter, startWallMs, simulatedVerifier);
}

describe("a standing order", () => {
  it("is no run itself, and has its id from its manifest", () => {
    expect(orderOf(submission)).toEqual(hourly);
    expect(submission).toMatchObject({ run: submission.manifestCid.slice(-12), slotMs: null });
    expect(isBundleOfSlot(bundle)).toBe(false);
    expect(orderOf(runOf([plannedStep("a")]).submission)).toBeNull();
  });

  it.each([
    null,
    {},
    { revision: 0, slots: hourly.slots },
    { revision: 1, slots: [] },
    { revision: 1, slots: [{ cron: "0 * * *", missed: "latest" }] },
    { revision: 1, slots: [{ cron: "0 0 31 2 *", missed: "latest" }] },
    { revision: 1, slots: [{ cron: "0 * * * *", missed: "all" }] },
    { revision: 1, slots: [null] },
    { revision: 1, slots: Array.from({ length: limits.schedulesPerOrderMax + 1 }, () => hourly.slots[0]) },
    {
      revision: 1,
      slots: [{ cron: `${"0,".repeat(limits.cronCharactersMax / 2)}0 * * * *`, missed: "none" }],
    },
  ])("that says something else is refused, whoever signed it: %j", (order) => {
    expect(() => give(order)).toThrow("not a standing order");
  });
});

describe("the run of a slot", () => {
  it("is made from the order alone: the same bytes and the same id, whoever makes it", () => {
    const bytes = bundleOfSlot(bundle, slotMs);
    const run = runOfSlot(submission.manifestCid, slotMs);
    expect(bundleOfSlot(bundle, slotMs)).toEqual(bytes);
    expect(nameBundle(bytes)).toEqual({ run, digest: sha256Hex(bytes) });
    const opened = open(bytes);
    expect(opened).toMatchObject({ ok: true, value: { run, slotMs, planId: submission.planId } });
    if (opened.ok) expect(orderOf(opened.value)).toBeNull();
    expect(isBundleOfSlot(bytes)).toBe(true);
    expect(planOfBundle(bytes)).toEqual(planOfBundle(bundle));
  });

  it("is another one for each slot and each order", () => {
    const other = give({ ...hourly, revision: 2 }).submission;
    const runs = [
      submission.run,
      runOfSlot(submission.manifestCid, slotMs),
      runOfSlot(submission.manifestCid, slotMs + hour),
      runOfSlot(other.manifestCid, slotMs),
    ];
    expect(new Set(runs).size).toBe(4);
  });

  it.each([slotMs + 1, slotMs + limits.minuteMs, slotMs - 1, 0, -hour, 0.5, "0", null])(
    "is refused when the order does not name the slot: %j",
    (wrong) => {
      const [envelope, certificate] = decodeValue(bundle) as unknown[];
      const bytes = encodeValue([envelope, certificate, wrong]);
      expect(open(bytes)).toMatchObject({ ok: false, problem: { because: "malformed" } });
    },
  );

  it("is refused for a manifest that is no order, and with anything more in it", () => {
    const plain = runOf([plannedStep("a")]).bundle;
    expect(open(bundleOfSlot(plain, slotMs))).toMatchObject({ ok: false });
    const [envelope, certificate] = decodeValue(bundle) as unknown[];
    expect(open(encodeValue([envelope, certificate, slotMs, 1]))).toMatchObject({ ok: false });
  });
});
