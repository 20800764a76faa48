/**
 * As somebody who is no peer of the domain, or not the peer that is asked for: certificates and invites that are forged, changed,
 * borrowed, too old, or of another domain.
 */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Identity } from "../../node/edge/identity.ts";
import { openAnswer, sealAnswer } from "../../protocol/answers.ts";
import { openDocument, sealDocument } from "../../protocol/documents.ts";
import type { Signer } from "../../protocol/envelope.ts";
import { type Certificate, lifeMs, openCertificate, sealCertificate } from "../../protocol/certificate.ts";
import {
  type Charter,
  openCharter,
  type Role,
  type Roll,
  sealCharter,
  successorOf,
} from "../../protocol/membership.ts";
import { limits } from "../../protocol/limits.ts";
import { sealQuorum } from "../../protocol/quorum.ts";
import { openRenewal, renewFromMs, sealRenewal } from "../../protocol/renewal.ts";
import { type Peer, Peers } from "../node/peers.ts";
import type { Revocation } from "../../protocol/revocation.ts";
import {
  certify,
  flipped,
  charter,
  control,
  newIdentity,
  owner,
  person,
  stranger,
  wallMs,
} from "../protocol/domain.ts";

const refused = (problem: string) => ({ ok: false, problem });
const open = (changes: Partial<Certificate>, signer: Signer, by: Roll = charter) =>
  openCertificate(certify(changes, signer), by, wallMs, stranger);

/** Another control peer is in its place. */
const taken = successorOf(charter, [{ peer: newIdentity().peer, store: "t", addresses: [] }], wallMs);

/** The charter as whoever has heard that these were revoked knows it. */
function rollWith(...peers: readonly string[]): Roll {
  const all = peers.map((peer): [string, Revocation] => [
    peer,
    { peer, name: "", because: "", atMs: wallMs, by: owner.peer },
  ]);
  return { ...charter, revoked: new Map(all) };
}

describe("a control peer that has gone bad", () => {
  it.each<Role>(["worker", "person"])("does not make itself a %s", (role) => {
    expect(open({ peer: control.peer, role }, control)).toEqual(refused("role"));
  });

  it.each<Role>(["worker", "person"])(
    "is made a %s by nobody, so that it runs nothing it decides about",
    (role) => {
      const second = newIdentity();
      const controls = [...charter.controls, { peer: second.peer, store: "t", addresses: [] }];
      const two: Charter = { ...charter, size: 2, controls };
      const bytes = sealQuorum([control, second].map((one) => certify({ peer: control.peer, role }, one)));
      expect(openCertificate(bytes, two, wallMs, stranger)).toEqual(refused("role"));
      expect(open({ peer: control.peer, role }, owner, two)).toEqual(refused("role"));
    },
  );

  it("does not make itself anything any more once the charter does not name it", () => {
    expect(open({ peer: control.peer, role: "person" }, control, taken)).toEqual(refused("role"));
  });

  it("has certified nobody, once it was taken out and revoked", () => {
    expect(open({}, control, taken).ok).toBe(true);
    expect(open({}, control, { ...rollWith(control.peer), ...taken })).toEqual(refused("revoked"));
  });

  it.each<Role>(["worker", "person", "control"])(
    "certifies no %s for longer than it could when it was taken out",
    (role) => {
      const lastMs = wallMs + lifeMs(role) + limits.signedApartMsMax;
      expect(open({ role, expiresMs: wallMs - 1 + lifeMs(role) }, control, taken).ok).toBe(true);
      expect(open({ role, expiresMs: lastMs + 1 }, control, taken).ok).toBe(false);
      expect(open({ role, expiresMs: lastMs + 1 }, control).ok).toBe(true);
    },
  );
});

describe("who was revoked", () => {
  const bytes = certify({ expiresMs: wallMs + limits.minuteMs * 60 });

  it("shows a certificate that is good on paper, and it does not count", () => {
    expect(openCertificate(bytes, charter, wallMs, stranger).ok).toBe(true);
    expect(openCertificate(bytes, rollWith(person.peer), wallMs, stranger)).toEqual(refused("revoked"));
  });

  it("shows a newer one, and it does not count either", () => {
    const later = certify({ expiresMs: wallMs + limits.minuteMs * 120 });
    expect(openCertificate(later, rollWith(person.peer), wallMs, stranger)).toEqual(refused("revoked"));
  });

  it("does not come before the revocation by a clock that is slow", () => {
    const roll = rollWith(person.peer);
    const fromMs = wallMs - limits.signedApartMsMax;
    expect(openCertificate(bytes, roll, fromMs, stranger)).toEqual(refused("revoked"));
    expect(openCertificate(bytes, roll, fromMs - 1, stranger).ok).toBe(true);
  });

  it("approves nothing", () => {
    const answer = {
      otto: "answer/1",
      run: "r",
      manifest: "m",
      step: "s",
      verdict: "passed",
      detail: "",
    } as const;
    const signed = sealAnswer(answer, charter.domain, { keys: person, certificate: certify() });
    expect(openAnswer(signed, charter, wallMs, stranger).ok).toBe(true);
    expect(openAnswer(signed, rollWith(person.peer), wallMs, stranger)).toEqual(refused("revoked"));
  });

  it("is not let in by a charter that says so itself, and no charter says whom it revokes", () => {
    const roll = rollWith(person.peer);
    expect(openCharter(sealCharter(roll, owner), charter.domain, stranger)).toEqual({
      ok: true,
      value: charter,
    });
  });
});

describe("a request for a new certificate", () => {
  const bytes = certify({ expiresMs: wallMs + limits.minuteMs });
  const asked = (changes: { atMs?: number; keys?: Signer; of?: Uint8Array; domain?: string } = {}) => {
    const { atMs = wallMs, keys = person, of: certificate = bytes, domain = charter.domain } = changes;
    return sealRenewal(atMs, domain, { keys, certificate });
  };
  const judged = (request: Uint8Array, roll: Roll = charter) => openRenewal(request, roll, wallMs, stranger);

  it("holds for whose it is, now", () => {
    expect(judged(asked())).toMatchObject({ ok: true, value: { peer: person.peer, role: "person" } });
  });

  it("is made by nobody else, whoever has seen the certificate", () => {
    expect(judged(asked({ keys: stranger }))).toEqual(refused("stranger"));
    expect(judged(asked({ keys: control }))).toEqual(refused("stranger"));
  });

  it("does not bring back what has ended, was revoked, or was signed by nobody", () => {
    expect(judged(asked({ of: certify({ expiresMs: wallMs - 1 }) }))).toEqual(refused("stranger"));
    expect(judged(asked(), rollWith(person.peer))).toEqual(refused("revoked"));
    expect(judged(asked({ of: certify({}, stranger) }))).toEqual(refused("stranger"));
  });

  it("is not kept for later, made in another domain, or changed", () => {
    const apartMs = limits.signedApartMsMax + 1;
    expect(judged(asked({ atMs: wallMs - apartMs }))).toEqual(refused("stranger"));
    expect(judged(asked({ atMs: wallMs + apartMs }))).toEqual(refused("stranger"));
    expect(judged(asked({ domain: "d".repeat(32) }))).toEqual(refused("other-domain"));
    for (const [at, changed] of flipped(asked())) expect(judged(changed).ok, `byte ${at}`).toBe(false);
  });

  it("is due in the last third, and at once when its signer is a control peer no more", () => {
    const dueMs = wallMs + limits.minuteMs - limits.certificateMs / 3;
    expect(renewFromMs(bytes, charter, stranger)).toBe(dueMs);
    const signed = certify({ expiresMs: wallMs + limits.minuteMs }, control);
    expect(renewFromMs(signed, charter, stranger)).toBe(dueMs);
    const others = { ...charter, controls: [], former: [{ peer: control.peer, sinceMs: wallMs }] };
    expect(renewFromMs(signed, others, stranger)).toBe(0);
  });
});

describe("a link", () => {
  let peers: Peers;
  beforeEach(() => {
    peers = new Peers(1);
  });
  afterEach(() => peers.end());

  function certificateOf({ peer }: Identity, expiresMs: number, role: Role = "worker"): Uint8Array {
    const certificate = { otto: "certificate/1", peer, role, name: "w", expiresMs } as const;
    return sealCertificate(peers.charter.domain, certificate, peers.owner);
  }

  it("is not a person's, who has a certificate and is no node", async () => {
    const hub = await peers.control(0);
    const identity = newIdentity();
    const person = await peers.start({
      role: "worker",
      identity,
      certificate: certificateOf(identity, Date.now() + limits.dayMs, "person"),
    });
    person.dials(hub);
    await peers.until(() => hub.refused.length > 0);
    expect(hub.refused).toContain("role");
    expect(hub.isLinked(person)).toBe(false);
  });

  it("ends with the certificate of the other side, and goes on when a new one was shown before that", async () => {
    const hub = await peers.control(0);
    // On a busy machine it takes longer until both are linked and one of them has shown its next certificate.
    for (let certifiedMs = 1_000; !(await outlives(hub, certifiedMs)); certifiedMs *= 3);
  });

  /** False: a certificate had ended before its peer was linked, or before it had shown the next one. */
  async function outlives(hub: Peer, certifiedMs: number): Promise<boolean> {
    const endsMs = Date.now() + certifiedMs;
    const [lasting, ending] = [newIdentity(), newIdentity()];
    const one = await peers.start({
      role: "worker",
      identity: lasting,
      certificate: certificateOf(lasting, endsMs),
    });
    const two = await peers.start({
      role: "worker",
      identity: ending,
      certificate: certificateOf(ending, endsMs + 100),
    });
    const refused = hub.refused.length;
    one.dials(hub);
    two.dials(hub);
    await peers.until(() => (hub.isLinked(one) && hub.isLinked(two)) || hub.refused.length > refused);
    one.membership.certificate = certificateOf(lasting, endsMs + 600_000);
    one.network.greetAgain();
    if (Date.now() > endsMs - certifiedMs / 4) return false;
    await peers.until(() => hub.heard.some(({ kind, peer }) => kind === "down" && peer === two.id));
    expect(hub.refused).toContain("stranger");
    expect(hub.isLinked(one)).toBe(true);
    expect(hub.heard.filter(({ peer }) => peer === one.id).map(({ kind }) => kind)).toEqual(["up"]);
    return true;
  }
});

describe("a revocation", () => {
  const document = {
    otto: "document/1",
    topic: "revocation",
    name: person.peer,
    version: 1,
    timeMs: wallMs,
    body: { name: "ada", because: "" },
  } as const;

  it.each([
    ["the owner", owner, null, true],
    ["a person, whom the policy may name", person, certify(), true],
    ["a control peer alone", control, null, false],
    ["a stranger in the owner's place", stranger, null, false],
    ["a stranger with a person's certificate", stranger, certify(), false],
    ["a worker", person, certify({ role: "worker" }), false],
  ] as const)("is signed by %s: %#", (_, keys, certificate, holds) => {
    const bytes = sealDocument(document, charter.domain, { keys, certificate });
    expect(openDocument(bytes, charter, stranger).ok).toBe(holds);
  });
});
