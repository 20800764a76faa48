/** As one of several owners of a domain, or as a stranger who names owners that it likes better. */

import { expect, it } from "vitest";
import { ownersSigner } from "../../node/edge/owner.ts";
import { openDocument, sealDocument } from "../../protocol/documents.ts";
import type { Signer } from "../../protocol/envelope.ts";
import { type Charter, domainId, openCharter, sealCharter } from "../../protocol/membership.ts";
import { type Owners, ownersId, sealOwnersSignature } from "../../protocol/owners.ts";
import { charter, flipped, newIdentity, stranger, wallMs } from "../protocol/domain.ts";

const people = [newIdentity(), newIdentity(), newIdentity()].toSorted((a, b) => (a.peer < b.peer ? -1 : 1));
const [ada, ben, cyd] = people as [(typeof people)[0], (typeof people)[0], (typeof people)[0]];
const owners: Owners = { threshold: 2, keys: people.map(({ peer }) => peer) };
const owner = ownersId(owners);
const owned: Charter = { ...charter, owner, owners, domain: domainId("dev", owner) };
const refused = { ok: false, problem: "bad-signature" };

/** Signs in the owners' name with what these have signed, also when they are too few. */
function by(...signed: readonly (readonly [as: string, by: Signer])[]): Signer {
  return {
    peer: owner,
    sign: (bytes) => sealOwnersSignature(owners, new Map(signed.map(([as, one]) => [as, one.sign(bytes)]))),
  };
}
const open = (signer: Signer) => openCharter(sealCharter(owned, signer), owned.domain, stranger);

it("two of three change the charter and sign a policy", () => {
  const two = ownersSigner(owners, [ada, cyd], () => expect.fail("They are enough."));
  expect(open(two).ok).toBe(true);
  const policy = {
    otto: "document/1",
    topic: "policy",
    name: "domain",
    version: 1,
    timeMs: wallMs,
    body: null,
  } as const;
  const sealed = (keys: Signer) => sealDocument(policy, owned.domain, { keys, certificate: null });
  expect(openDocument(sealed(two), owned, stranger).ok).toBe(true);
  expect(openDocument(sealed(by([ada.peer, ada])), owned, stranger)).toEqual(refused);
});

it("one does not, in whosever name it signs", () => {
  expect(open(by([ada.peer, ada]))).toEqual(refused);
  expect(open(by([ada.peer, ada], [ben.peer, ada]))).toEqual(refused);
  expect(open(by([ada.peer, ada], [ben.peer, stranger]))).toEqual(refused);
});

it("nobody says who the owners are, or how few it takes, but with another domain's id", () => {
  for (const others of [
    { threshold: 1, keys: owners.keys },
    { threshold: 1, keys: [ada.peer] },
    { threshold: 2, keys: [ada.peer, ada.peer] },
  ]) {
    const sign = (bytes: Uint8Array): Uint8Array =>
      sealOwnersSignature(others, new Map([[ada.peer, ada.sign(bytes)]]));
    expect(open({ peer: owner, sign })).toEqual(refused);
    const own = { ...owned, owner: ownersId(others), owners: others };
    const sealed = sealCharter(own, { peer: own.owner, sign });
    expect(openCharter(sealed, owned.domain, stranger).ok).toBe(false);
  }
  const two = ownersSigner(owners, [ada, cyd], () => expect.fail("They are enough."));
  const said = { ...owned, owners: { ...owners, threshold: 1 } };
  expect(openCharter(sealCharter(said, two), owned.domain, stranger)).toEqual({
    ok: false,
    problem: "stranger",
  });
});

it("nobody founds a domain that says to be owned by two, who are one", () => {
  const others = { threshold: 2, keys: [ada.peer, ada.peer] };
  const sign = (bytes: Uint8Array): Uint8Array =>
    sealOwnersSignature(others, new Map([[ada.peer, ada.sign(bytes)]]));
  const id = ownersId(others);
  const own = { ...owned, owner: id, owners: others, domain: domainId("dev", id) };
  expect(openCharter(sealCharter(own, { peer: id, sign }), null, stranger).ok).toBe(false);
});

it("no bit of it is another's", () => {
  const two = ownersSigner(owners, [ada, cyd], () => expect.fail("They are enough."));
  for (const [at, bytes] of flipped(sealCharter(owned, two)))
    expect(openCharter(bytes, owned.domain, stranger).ok, `byte ${at}`).toBe(false);
});
