/**
 * As somebody who has the keys of some control peers, of another domain, or of nobody: what a majority signs cannot be made, changed,
 * carried over to another step, or brought back.
 */

import { describe, expect, it } from "vitest";
import { sealEnvelope, type EnvelopeKind } from "../../protocol/envelope.ts";
import { limits } from "../../protocol/limits.ts";
import { type Charter, domainId, sealCharter, successorOf } from "../../protocol/membership.ts";
import { openEarlierPermit, openPermit, type Permit, sealPermit } from "../../protocol/permits.ts";
import { sealQuorum } from "../../protocol/quorum.ts";
import {
  openOutcome,
  openRelease,
  type Release,
  type ReleasedOutcome,
  sealOutcome,
} from "../../protocol/release.ts";
import { decodeValue, encodeValue } from "../../protocol/values.ts";
import type { Identity } from "../../node/edge/identity.ts";
import { newIdentity } from "../protocol/domain.ts";

const owner = newIdentity();
const controls = [newIdentity(), newIdentity(), newIdentity(), newIdentity(), newIdentity()];
const [one, two, three] = controls as [Identity, Identity, Identity];
const eve = newIdentity();

function charterOf(peers: readonly Identity[], changes: Partial<Charter> = {}): Charter {
  return {
    otto: "charter/1",
    domain: domainId("ops", owner.peer),
    name: "ops",
    owner: owner.peer,
    version: 1,
    configuration: 1,
    size: peers.length,
    controls: peers.map(({ peer }) => ({ peer, store: "s", addresses: [] })),
    former: [],
    leaseMs: 30_000,
    ...changes,
  };
}

const charter = charterOf(controls);

const permit: Permit = {
  otto: "permit/1",
  run: "r1",
  manifest: "m1",
  index: 3,
  step: "deploy",
  given: "0".repeat(64),
  approvedBy: [],
  fromMs: 1,
  untilMs: 2,
};

function signed(
  value: unknown,
  by: readonly Identity[],
  kind: EnvelopeKind = "permit",
  domain = charter.domain,
) {
  return sealQuorum(by.map((keys) => sealEnvelope(kind, domain, value, keys)));
}

describe("a permit that was kept", () => {
  const minute = 60_000;
  const then = charterOf(controls.slice(0, 3));
  const kept = (by: readonly Identity[], charter: Charter = then, signer = owner, fromMs = 60 * minute) =>
    sealPermit(signed({ ...permit, fromMs }, by), sealCharter(charter, signer));
  const listed = (peers: readonly Identity[]) =>
    peers.map(({ peer }) => ({ peer, store: "s", addresses: [] }));
  const grown = successorOf(then, listed(controls), 61 * minute);
  const opened = (bytes: Uint8Array, newest = grown) => openEarlierPermit(bytes, newest, eve).ok;

  it("holds long afterwards, when the domain has more control peers, and opens nothing any more", () => {
    expect(opened(kept([one, two]))).toBe(true);
    expect(openPermit(kept([one, two]), then, eve).ok).toBe(true);
    expect(openPermit(kept([one, two]), grown, eve)).toEqual({ ok: false, problem: "unsigned" });
  });

  it("is held by a majority of that time, and by a charter that the owner of this domain signed", () => {
    expect(opened(kept([one]))).toBe(false);
    expect(opened(kept([one, two], charterOf([one, two]), one))).toBe(false);
    expect(opened(kept([one, two], { ...then, domain: domainId("dev", owner.peer) }))).toBe(false);
    expect(opened(kept([one], charterOf([one], { version: 3, configuration: 3 })))).toBe(false);
  });

  it("is not signed by a charter of which somebody was taken out before", () => {
    const replaced = (sinceMs: number) => successorOf(then, listed(controls.slice(1)), sinceMs);
    expect(opened(kept([one, two]), replaced(61 * minute))).toBe(true);
    expect(opened(kept([one, two]), replaced(49 * minute))).toBe(false);
    expect(opened(kept([two, three]), replaced(49 * minute))).toBe(false);
  });

  it("holds when it was signed while somebody was away who has come back, and not when it was signed after that", () => {
    const without = successorOf(charterOf(controls.slice(0, 4)), listed([one, two, three]), 55 * minute);
    const back = successorOf(without, listed(controls), 70 * minute);
    expect(opened(kept([one, two], without), back)).toBe(true);
    expect(opened(kept([one], without), back)).toBe(false);
    expect(opened(kept([one, two], without, owner, 81 * minute), back)).toBe(false);
  });

  it("is not signed by a founder, once the domain has grown", () => {
    const alone = charterOf([one]);
    const many = successorOf(alone, listed([one, two, three]), 40 * minute);
    expect(opened(kept([one], alone), many)).toBe(false);
    expect(opened(kept([one], alone, owner, 30 * minute), many)).toBe(true);
  });
});

describe("a control peer that was taken out when the domain became smaller", () => {
  const smallerMs = 3_600_000;
  const shrunk = (by: readonly Identity[], from: number, to: number, fromMs: number) => {
    const before = charterOf(controls.slice(0, from));
    const after = successorOf(before, before.controls.slice(0, to), smallerMs);
    return openPermit(signed({ ...permit, fromMs, untilMs: fromMs + 1 }, by), after, eve).ok;
  };

  it.each([-1, 0, 1, limits.signedApartMsMax])(
    "permits nothing alone, dated %i ms after, and two of five nothing for the one that is left",
    (apartMs) => {
      expect(shrunk([two], 3, 1, smallerMs + apartMs)).toBe(false);
      expect(shrunk([two, three], 5, 1, smallerMs + apartMs)).toBe(false);
      expect(shrunk([one], 3, 1, smallerMs + apartMs)).toBe(true);
    },
  );

  it("counts with those with whom it was a majority", () => {
    expect(shrunk([two, three], 3, 1, smallerMs - 1)).toBe(true);
    expect(shrunk([two, three], 3, 1, smallerMs + limits.signedApartMsMax)).toBe(true);
    expect(shrunk([two, three], 3, 1, smallerMs + limits.signedApartMsMax + 1)).toBe(false);
  });
});

describe("a founder that was alone", () => {
  const grownMs = 3_600_000;
  const alone = charterOf([one]);
  const three = successorOf(alone, charter.controls.slice(0, 3), grownMs);
  const byIt = (fromMs: number, untilMs: number, by: Charter = alone) =>
    openEarlierPermit(
      sealPermit(signed({ ...permit, fromMs, untilMs }, [one]), sealCharter(by, owner)),
      three,
      eve,
    ).ok;
  const lastMs = grownMs + limits.signedApartMsMax;

  it("permits nothing alone once the domain has grown, by whichever charter", () => {
    expect(byIt(lastMs, lastMs + 1)).toBe(true);
    expect(byIt(lastMs + 1, lastMs + 2)).toBe(false);
    expect(byIt(lastMs + 1, lastMs + 2, three)).toBe(false);
  });

  it("permits nothing for longer by signing it with an earlier date", () => {
    expect(byIt(grownMs, grownMs + limits.permitMs)).toBe(true);
    expect(byIt(grownMs, grownMs + limits.permitMs + 1)).toBe(false);
  });

  it("is still counted as one that was alone when it was replaced later", () => {
    const later = successorOf(three, charter.controls.slice(1, 4), 2 * grownMs);
    const found = openEarlierPermit(
      sealPermit(signed({ ...permit, fromMs: lastMs + 1 }, [one]), sealCharter(alone, owner)),
      later,
      eve,
    );
    expect(found.ok).toBe(false);
  });
});

describe("a permit", () => {
  it("holds with the signatures of three of five control peers", () => {
    expect(openPermit(signed(permit, [one, two, three]), charter, eve)).toEqual({ ok: true, value: permit });
  });

  it.each([
    ["nobody", []],
    ["one control peer", [one]],
    ["one control peer, three times", [one, one, one]],
    ["two of five", [one, two]],
  ])("is not made by %s", (_, by) => {
    expect(openPermit(signed(permit, by), charter, eve)).toEqual({ ok: false, problem: "unsigned" });
  });

  it("is not made by strangers, however many, nor by the owner", () => {
    const strangers = [newIdentity(), newIdentity(), newIdentity()];
    for (const by of [strangers, [one, two, owner], [one, two, eve]])
      expect(openPermit(signed(permit, by), charter, eve)).toEqual({ ok: false, problem: "stranger" });
  });

  it("is not put together from signatures of different statements", () => {
    const other = { ...permit, step: "delete" };
    const mixed = sealQuorum([
      ...[one, two].map((keys) => sealEnvelope("permit", charter.domain, permit, keys)),
      sealEnvelope("permit", charter.domain, other, three),
    ]);
    expect(openPermit(mixed, charter, eve)).toEqual({ ok: false, problem: "malformed" });
  });

  it("is not made from what they signed as something else, or in another domain", () => {
    const release = signed(permit, [one, two, three], "release");
    expect(openPermit(release, charter, eve)).toEqual({ ok: false, problem: "malformed" });
    const elsewhere = signed(permit, [one, two, three], "permit", domainId("dev", owner.peer));
    expect(openPermit(elsewhere, charter, eve)).toEqual({ ok: false, problem: "other-domain" });
  });

  it("is not changed without its signatures", () => {
    const envelopes = decodeValue(signed(permit, [one, two, three])) as Uint8Array[];
    const forged = envelopes.map((envelope) => {
      const [kind, domain, signer, , signature] = decodeValue(envelope) as [
        string,
        string,
        string,
        unknown,
        Uint8Array,
      ];
      return encodeValue([
        kind,
        domain,
        signer,
        encodeValue({ ...permit, given: "1".repeat(64) }),
        signature,
      ]);
    });
    expect(openPermit(encodeValue(forged), charter, eve)).toEqual({ ok: false, problem: "bad-signature" });
  });

  it("is not good for longer than a permit may be", () => {
    const until = (untilMs: number) =>
      openPermit(signed({ ...permit, untilMs }, [one, two, three]), charter, eve);
    expect(until(permit.fromMs + limits.permitMs).ok).toBe(true);
    expect(until(permit.fromMs + limits.permitMs + 1)).toEqual({ ok: false, problem: "malformed" });
  });

  it("is bounded: no list of a thousand signatures is checked", () => {
    const envelope = sealEnvelope("permit", charter.domain, permit, one);
    expect(openPermit(sealQuorum(Array.from({ length: 8 }, () => envelope)), charter, eve)).toEqual({
      ok: false,
      problem: "malformed",
    });
    expect(openPermit(new Uint8Array(70_000), charter, eve)).toEqual({ ok: false, problem: "oversized" });
  });

  it("is not signed by control peers that the owner has taken out since, unless it was before that", () => {
    const { charterNow, lastMs } = replaced();
    const at = (fromMs: number) =>
      openPermit(signed({ ...permit, fromMs, untilMs: fromMs + 1 }, [one, two, three]), charterNow, eve);
    expect(at(lastMs).ok).toBe(true);
    expect(at(lastMs + 1)).toEqual({ ok: false, problem: "stranger" });
    expect(openPermit(signed({ ...permit, fromMs: "now" }, [one, two]), charterNow, eve).ok).toBe(false);
  });
});

const release: Release = {
  otto: "release/1",
  run: "r1",
  manifest: "m1",
  index: 0,
  step: "deploy",
  inputs: [{ name: "out", tree: "a".repeat(64) }],
  values: [],
  outcomes: { build: "passed" },
  fromMs: 1,
  untilMs: 2,
};

describe("a release", () => {
  const bytes = sealCharter(charter, owner);

  it("is good by the charter that comes with it, which only its domain's owner signs", () => {
    const good = { release: signed(release, [one, two, three], "release"), charter: bytes };
    expect(openRelease(good, eve)).toMatchObject({ ok: true, value: { release } });
    const own = charterOf([eve]);
    const forged = { release: signed(release, [eve], "release"), charter: sealCharter(own, eve) };
    expect(openRelease(forged, eve)).toEqual({ ok: false, problem: "stranger" });
  });

  it("of a domain of the thief's own has another id, whatever it is called", () => {
    const own = charterOf([eve], { domain: domainId("ops", eve.peer), owner: eve.peer });
    const opened = openRelease(
      { release: signed(release, [eve], "release", own.domain), charter: sealCharter(own, eve) },
      eve,
    );
    expect(opened.ok && opened.value.from.charter.domain).not.toBe(charter.domain);
  });

  it.each([
    ["files that are no digests", { inputs: [{ name: "out", tree: "../../etc" }] }],
    ["values that are no values", { values: [{ name: "x", value: { toString: 1 } }] }],
    ["a place that is none", { index: -1 }],
    ["outcomes that are a list", { outcomes: ["passed"] }],
  ])("with %s is none", (_, change) => {
    const wrong = signed({ ...release, ...change }, [one, two, three], "release");
    expect(openRelease({ release: wrong, charter: bytes }, eve)).toEqual({ ok: false, problem: "malformed" });
  });

  it("is not signed by control peers that the owner has taken out since, unless it was before that", () => {
    const { next, lastMs } = replaced();
    const at = (fromMs: number) =>
      openRelease(
        { release: signed({ ...release, fromMs }, [one, two, three], "release"), charter: next },
        eve,
      );
    expect(at(lastMs).ok).toBe(true);
    expect(at(lastMs + 1)).toEqual({ ok: false, problem: "stranger" });
  });
});

/** Another three control peers, and until when what the five before them signed counts. */
function replaced() {
  const sinceMs = 1_700_000_000_000;
  const others = [newIdentity(), newIdentity(), newIdentity()];
  const charterNow = charterOf(others, {
    controls: others.map(({ peer }) => ({ peer, store: "s", addresses: [], fromMs: sinceMs })),
    former: controls.map(({ peer }) => ({ peer, sinceMs })),
  });
  return { charterNow, next: sealCharter(charterNow, owner), lastMs: sinceMs + limits.signedApartMsMax };
}

describe("an outcome", () => {
  const outcome: ReleasedOutcome = {
    otto: "outcome/1",
    domain: "d",
    run: "r1",
    index: 0,
    outcome: "passed",
    detail: "",
    outputs: [],
    values: {},
  };
  const bytes = sealCharter(charter, owner);

  it("is not made by one control peer of the other domain", () => {
    const alone = sealOutcome(signed(outcome, [one], "outcome"), bytes);
    expect(openOutcome(alone, eve)).toEqual({ ok: false, problem: "unsigned" });
    const whole = sealOutcome(signed(outcome, [one, two, three], "outcome"), bytes);
    expect(openOutcome(whole, eve)).toMatchObject({ ok: true, value: { outcome } });
  });

  it("is not signed by control peers that the owner has taken out since: it says no time", () => {
    const signedBefore = sealOutcome(signed(outcome, [one, two, three], "outcome"), replaced().next);
    expect(openOutcome(signedBefore, eve)).toEqual({ ok: false, problem: "stranger" });
  });

  it("is nothing that is not one of the ways in which a step ends", () => {
    const odd = sealOutcome(signed({ ...outcome, outcome: "skipped" }, [one, two, three], "outcome"), bytes);
    expect(openOutcome(odd, eve)).toEqual({ ok: false, problem: "malformed" });
  });
});
