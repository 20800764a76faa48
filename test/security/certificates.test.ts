/**
 * As one control peer of three that has gone bad, with its key and all that it has seen: it makes nobody a member by itself, and has
 * the others make nobody one whom no person invited.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askFor } from "../../node/edge/client.ts";
import { DataFolder } from "../../node/edge/data-folder.ts";
import { dialForCalls } from "../../node/edge/dial-call.ts";
import { type Identity, openIdentity } from "../../node/edge/identity.ts";
import { inviteOfCode } from "../../node/edge/invite-code.ts";
import { type Certificate, certifiersOf, lifeMs, openCertificate } from "../../protocol/certificate.ts";
import { type CertificateClaim, judgeClaim } from "../../protocol/certifying.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { Signer } from "../../protocol/envelope.ts";
import { type Invite, sealApplication, sealInvite } from "../../protocol/invite.ts";
import { limits } from "../../protocol/limits.ts";
import { type Charter, openCharter, successorOf } from "../../protocol/membership.ts";
import { sealQuorum } from "../../protocol/quorum.ts";
import { renewFromMs, sealRenewal } from "../../protocol/renewal.ts";
import type { Request } from "../../protocol/requests.ts";
import { Mesh, type MeshNode } from "../mesh/mesh.ts";
import {
  certify,
  charter,
  control,
  flipped,
  newIdentity,
  owner,
  person,
  wallMs,
} from "../protocol/domain.ts";

const [second, third, eve] = [newIdentity(), newIdentity(), newIdentity()];
const grownMs = wallMs - 2 * limits.dayMs;
const listed = [control, second, third].map(({ peer }) => ({ peer, store: "s", addresses: [] }));
/** Founded by the first alone, and grown since. */
const three = successorOf(charter, listed, grownMs);
const refused = (problem: string) => ({ ok: false, problem });
const worker = (fromMs: number): Partial<Certificate> => ({
  peer: eve.peer,
  role: "worker",
  expiresMs: fromMs + lifeMs("worker"),
});
const open = (bytes: Uint8Array, by: Charter = three) => openCertificate(bytes, by, wallMs, owner);
const by = (fromMs: number, ...signers: readonly Signer[]): Uint8Array =>
  sealQuorum(signers.map((signer) => certify(worker(fromMs), signer)));

describe("a certificate", () => {
  it("holds when two of three signed it, and one is not enough, however often it signs", () => {
    expect(open(by(wallMs, control, second)).ok).toBe(true);
    expect(open(certify(worker(wallMs), control))).toEqual(refused("unsigned"));
    expect(open(by(wallMs, control))).toEqual(refused("unsigned"));
    expect(open(by(wallMs, control, control, control))).toEqual(refused("unsigned"));
    expect(open(by(wallMs, control, eve))).toEqual(refused("stranger"));
  });

  it("is not put together of what others signed of somebody else", () => {
    const other = certify({ ...worker(wallMs), peer: person.peer }, second);
    expect(open(sealQuorum([certify(worker(wallMs), control), other]))).toEqual(refused("malformed"));
  });

  it("is refused with one bit flipped, in any of its bytes", () => {
    for (const [at, bytes] of flipped(by(wallMs, control, second)))
      expect(open(bytes).ok, `byte ${at}`).toBe(false);
  });

  it("that a lone founder signed holds until it ends, and is one of its day: nothing that it signs later", () => {
    expect(open(certify(worker(grownMs - 1), control)).ok).toBe(true);
    expect(open(certify(worker(grownMs), control))).toEqual(refused("unsigned"));
    expect(renewFromMs(certify(worker(grownMs - 1), control), three, owner)).toBe(0);
    const two = by(wallMs, control, second);
    expect(renewFromMs(two, three, owner)).toBe(wallMs + (lifeMs("worker") * 2) / 3);
  });
});

describe("a certificate with a date at which the domain had fewer control peers", () => {
  it("is not signed alone by one that came later, and it says the day before", () => {
    expect(open(by(grownMs - 1, second))).toEqual(refused("unsigned"));
    expect(open(certify({ ...worker(grownMs - 1), role: "person" }, second)).ok).toBe(false);
    expect(open(by(grownMs - 1, control, second)).ok).toBe(true);
    expect(open(by(grownMs - 1, second, third)).ok).toBe(true);
  });

  it("is not signed alone by one that was taken out, and it says the moment after", () => {
    const shrunkMs = wallMs - limits.dayMs;
    const one = successorOf(three, listed.slice(0, 1), shrunkMs);
    for (const fromMs of [shrunkMs, shrunkMs + limits.signedApartMsMax])
      expect(open(by(fromMs, second), one)).toEqual(refused("unsigned"));
    expect(open(by(shrunkMs - 1, second, third), one).ok).toBe(true);
    expect(open(by(shrunkMs, control), one).ok).toBe(true);
  });
});

describe("a certificate of a time in which one of today's control peers was none", () => {
  const fourth = newIdentity();
  const lastMs = wallMs - limits.dayMs;
  const [first, , last] = listed;
  const others = { peer: fourth.peer, store: "s", addresses: [] };
  const without = successorOf(three, listed.slice(1), grownMs + limits.dayMs / 4);
  const two = successorOf(without, [...listed.slice(1), others], grownMs + limits.dayMs / 2);
  const back = successorOf(
    two,
    [first, last, others].flatMap((one) => one ?? []),
    lastMs,
  );
  const meanwhileMs = grownMs + (limits.dayMs * 3) / 4;

  it("holds when more than half of those signed it that there were then", () => {
    expect(open(by(meanwhileMs, second, fourth), back).ok).toBe(true);
    expect(open(by(meanwhileMs, second, third), back).ok).toBe(true);
    expect(open(by(meanwhileMs, second), back)).toEqual(refused("unsigned"));
  });

  it("is signed neither by who was away, nor counted with it", () => {
    expect(open(by(meanwhileMs, control, second), back)).toEqual(refused("unsigned"));
    expect(open(by(grownMs, control, second), back).ok).toBe(true);
    const again = successorOf(
      back,
      [last, others].flatMap((one) => one ?? []),
      wallMs,
    );
    expect(open(by(meanwhileMs, control, second), again)).toEqual(refused("unsigned"));
    expect(open(by(wallMs - 1, control, third), again).ok).toBe(true);
    expect(open(by(lastMs - 1, second, third), again).ok).toBe(true);
  });

  it("counts nobody twice who came back by a clock that was behind", () => {
    const early = successorOf(without, listed, grownMs + limits.dayMs / 8);
    const alone = successorOf(early, listed.slice(0, 1), lastMs);
    expect(open(by(grownMs + limits.dayMs / 6, second, third), alone).ok).toBe(true);
  });
});

describe("what another control peer signs", () => {
  const key = newIdentity();
  const invite: Invite = {
    otto: "invite/1",
    nonce: key.peer,
    role: "worker",
    expiresMs: wallMs + limits.inviteMsDefault,
    addresses: [],
  };
  const shown = certify({ expiresMs: wallMs + limits.dayMs });
  const joining = (peer: string): CertificateClaim & { readonly kind: "invite" } => ({
    kind: "invite",
    invite: sealInvite(charter.domain, invite, { keys: person, certificate: shown }),
    application: applied(peer, key),
  });
  const applied = (peer: string, invited: Signer): Uint8Array =>
    sealApplication(charter.domain, { otto: "application/1", peer, person: peer, name: "w" }, invited);
  const judge = (claim: CertificateClaim, fromMs = wallMs) =>
    judgeClaim(claim, fromMs, three, { wallMs, keys: owner });

  it("is for whom a person invited, and for nobody whom a control peer or a worker invited", () => {
    expect(judge(joining(eve.peer))).toMatchObject({ ok: true, value: { used: { peer: eve.peer } } });
    const workers = certify({ peer: eve.peer, role: "worker", expiresMs: wallMs + limits.dayMs });
    for (const made of [
      { keys: control, certificate: certify({ peer: control.peer, role: "control" }, control) },
      { keys: control, certificate: shown },
      { keys: control, certificate: null },
      { keys: eve, certificate: workers },
    ]) {
      const claim = { ...joining(eve.peer), invite: sealInvite(charter.domain, invite, made) };
      expect(judge(claim)).toEqual(refused("no person of this domain made it"));
    }
  });

  it("is for an invite that is good for a week at most", () => {
    const until = (expiresMs: number): CertificateClaim => {
      const made = sealInvite(charter.domain, { ...invite, expiresMs }, { keys: person, certificate: shown });
      return { ...joining(eve.peer), invite: made };
    };
    expect(judge(until(wallMs + limits.inviteMsMax)).ok).toBe(true);
    expect(judge(until(wallMs + limits.inviteMsMax + 1))).toEqual(refused("it is good for too long"));
  });

  it("is not for somebody else who has seen the invite, and not its code", () => {
    const stolen = { ...joining(person.peer), application: applied(eve.peer, control) };
    expect(judge(stolen)).toEqual(refused("whoever shows it does not have its code"));
  });

  it("is no longer good than from now on, and renews only whose certificate it is", () => {
    const far = wallMs + limits.signedApartMsMax + 1;
    expect(judge(joining(eve.peer), far)).toEqual(refused("clocks are too far apart"));
    const own = sealRenewal(wallMs, charter.domain, { keys: person, certificate: shown });
    expect(judge({ kind: "renewal", renewal: own }).ok).toBe(true);
    const foreign = sealRenewal(wallMs, charter.domain, { keys: control, certificate: shown });
    expect(judge({ kind: "renewal", renewal: foreign }).ok).toBe(false);
  });

  it("is a control peer's for whom the charter lists: not for one that was taken out, nor for one that has only joined", () => {
    const two = successorOf(three, listed.slice(0, 2), wallMs);
    const renewed = (keys: Identity, by: Charter) => {
      const own = { peer: keys.peer, role: "control", expiresMs: wallMs + limits.dayMs } as const;
      const renewal = sealRenewal(wallMs, charter.domain, { keys, certificate: certify(own) });
      return judgeClaim({ kind: "renewal", renewal }, wallMs, by, { wallMs, keys: owner });
    };
    const unlisted = refused("it is a control peer's, and the charter lists it as none");
    expect(renewed(third, three).ok).toBe(true);
    expect(renewed(third, two)).toEqual(unlisted);
    expect(renewed(eve, three)).toEqual(unlisted);
    const invited = { ...invite, role: "control" } as const;
    const made = sealInvite(charter.domain, invited, { keys: person, certificate: shown });
    expect(judge({ ...joining(eve.peer), invite: made })).toMatchObject({ ok: true });
  });
});

describe("three control peers of which one has gone bad", () => {
  let mesh: Mesh;
  let known: Charter;
  let bad: Identity;
  let others: readonly MeshNode[];

  beforeAll(async () => {
    mesh = await Mesh.found({ controls: 3, workers: [[]] });
    const [one, two, three] = mesh.controls;
    if (one === undefined || two === undefined || three === undefined)
      throw new Error("There are not three.");
    await three.kill();
    others = [one, two];
    bad = openIdentity(new DataFolder(three.folder).key);
    const opened = openCharter(new DataFolder(one.folder).need("charter"), null, bad);
    if (!opened.ok) throw new Error(opened.problem);
    known = opened.value;
  });
  afterAll(() => mesh?.end());

  async function asked(node: MeshNode, identity: Identity, request: Request): Promise<ErrorCode | null> {
    const remote = await dialForCalls(identity, [node.address]);
    try {
      await askFor(await remote.open(), request, request.call === "certify" ? "certified" : "peers");
      return null;
    } catch (error) {
      return (error as { code: ErrorCode }).code;
    } finally {
      await remote.close();
    }
  }

  it("still let in whom a person invites, with the signatures of two", async () => {
    const data = `${mesh.folder}/late`;
    const node = others[1];
    if (node === undefined) throw new Error("There is no such control peer.");
    await mesh.succeed(["join", await mesh.invite(node), "--no-start", "--data", data]);
    const signers = certifiersOf(new DataFolder(data).need("certificate"), known, bad);
    expect(signers?.toSorted()).toEqual(others.map(({ peer }) => peer).toSorted());
  });

  it("refuse whom it certified alone, each of them", async () => {
    const made: Certificate = {
      otto: "certificate/1",
      peer: eve.peer,
      role: "person",
      name: "eve",
      expiresMs: Date.now() + lifeMs("person"),
    };
    const alone = certify(made, bad, known.domain);
    for (const certificate of [alone, sealQuorum([alone, alone])])
      for (const node of others)
        expect(await asked(node, eve, { call: "peers", certificate })).toBe("OTTO_NOT_A_MEMBER");
  });

  it("sign for one use of an invite, whichever of them is asked, though it has had it used for another", async () => {
    const [one, two] = others;
    if (one === undefined || two === undefined) throw new Error("There are not two.");
    const { bytes: invite, domain, key } = inviteOfCode(await mesh.invite(one));
    const certificate = new DataFolder(mesh.controls[2]?.folder ?? "").need("certificate");
    const sign = (node: MeshNode, { peer }: Identity) => {
      const applied = { otto: "application/1", peer, person: peer, name: "eve" } as const;
      const claim = { kind: "invite", invite, application: sealApplication(domain, applied, key) } as const;
      return asked(node, bad, { call: "certify", certificate, fromMs: Date.now(), claim });
    };
    expect(await sign(one, eve)).toBeNull();
    expect(await sign(two, newIdentity())).toBe("OTTO_INVITE_INVALID");
    expect(await sign(two, eve)).toBeNull();
  });

  it("sign nothing for an invite that it made", async () => {
    const [node] = others;
    if (node === undefined) throw new Error("There is no such control peer.");
    const { invite, domain, key } = inviteOfCode(await mesh.invite(node));
    const certificate = new DataFolder(mesh.controls[2]?.folder ?? "").need("certificate");
    const claim: CertificateClaim = {
      kind: "invite",
      invite: sealInvite(domain, invite, { keys: bad, certificate }),
      application: sealApplication(
        domain,
        { otto: "application/1", peer: eve.peer, person: eve.peer, name: "eve" },
        key,
      ),
    };
    for (const other of others)
      expect(await asked(other, bad, { call: "certify", certificate, fromMs: Date.now(), claim })).toBe(
        "OTTO_INVITE_INVALID",
      );
  });
});
