/**
 * As a node that somebody of the domain asks, and that has gone bad: for whom a secret is sealed, and where an invite leads, is said by the
 * charter that it shows; what is approved, by the gate.
 */

import { expect, it } from "vitest";
import { gatesOf } from "../../cli/commands/gate.ts";
import { controlsOf, recipientsOf } from "../../cli/domain-documents.ts";
import type { Target } from "../../cli/target.ts";
import type { Channel } from "../../node/edge/channel.ts";
import { endDigest, inputsDigest } from "../../protocol/attempt-content.ts";
import { encodeItem, type GateSeen, type Item } from "../../protocol/calls.ts";
import { recipientTopic } from "../../protocol/credentials/sealed-secret.ts";
import { sealDocument } from "../../protocol/documents.ts";
import { type Charter, domainId, sealCharter, successorOf } from "../../protocol/membership.ts";
import { charter, control, newIdentity, owner, stranger, wallMs } from "../protocol/domain.ts";

const bad = newIdentity();
const listing = (peer: string) => [{ peer, store: "s", addresses: [] }];
const badOnce = { ...charter, controls: listing(bad.peer) };
/** Since then the bad one was taken out. */
const now = successorOf(badOnce, listing(control.peer), wallMs);

/** The node answers with this; `learned`: what was kept of it. */
function asked(...items: readonly Item[]): Target & { readonly learned: Charter[] } {
  const learned: Charter[] = [];
  const frames = async function* () {
    yield* items.map((item) => encodeItem(item));
  };
  const channel = { send: () => Promise.resolve(), frames, abort: () => undefined };
  return {
    learned,
    certificate: null,
    charter: () => now,
    learn: (one) => void learned.push(one),
    open: () => Promise.resolve(channel as unknown as Channel),
    standing: () => expect.fail("Nobody signs anything."),
    close: () => Promise.resolve(),
  };
}
const shown = (bytes: Uint8Array): Item => ({ kind: "control", charter: bytes, controls: [] });

it("is believed when it shows the charter that is known, or a newer one, which is remembered", async () => {
  const same = asked(shown(sealCharter(now, owner)));
  expect((await controlsOf(same)).opened).toEqual(now);
  expect(same.learned).toEqual([]);
  const newer = successorOf(now, [...listing(control.peer), ...listing(newIdentity().peer)], wallMs);
  const later = asked(shown(sealCharter(newer, owner)));
  expect((await controlsOf(later)).opened).toEqual(newer);
  expect(later.learned).toEqual([newer]);
});

it("is not believed with a domain of its own, whatever that is called", async () => {
  const later = { ...badOnce, version: 99, configuration: 99 };
  const own = { ...later, owner: stranger.peer, domain: domainId("dev", stranger.peer) };
  const answer = controlsOf(asked(shown(sealCharter(own, stranger))));
  await expect(answer).rejects.toMatchObject({ code: "OTTO_MESSAGE_INVALID" });
});

it("is not believed with the charter of the days before it was taken out", async () => {
  const answer = controlsOf(asked(shown(sealCharter(badOnce, owner))));
  await expect(answer).rejects.toMatchObject({
    message: expect.stringContaining("an older charter of domain dev than this user has seen") as string,
    // Only who owns it can tell that from a domain that came from a backup.
    next: expect.stringContaining("If the owner says that the domain was restored from a backup") as string,
  });
});

it("has nothing sealed for a control peer that was taken out, though that says for which key", async () => {
  const told = ({ peer, ...keys }: typeof bad): Item => {
    const body = { recipient: `age1${"q".repeat(58)}` };
    const document = {
      otto: "document/1",
      topic: recipientTopic,
      name: peer,
      version: 1,
      timeMs: wallMs,
      body,
    } as const;
    const bytes = sealDocument(document, now.domain, { keys: { peer, ...keys }, certificate: null });
    return { kind: "document", version: 1, bytes };
  };
  const found = await recipientsOf(asked(told(bad), told(control)), now);
  expect(found.map(({ peer }) => peer)).toContain(control.peer);
  expect(found.map(({ peer }) => peer)).not.toContain(bad.peer);
});

it("shows nobody one artifact and has another one approved", async () => {
  const [good, evil] = ["a".repeat(64), "b".repeat(64)];
  const inputs = (tree: string) => [{ name: "site", tree }];
  const ended = (tree: string) => ({ token: 1, outcome: "passed", outputs: inputs(tree) });
  const gate: GateSeen = {
    run: "q4f6rmtw2k7c",
    step: "deploy",
    environment: "production",
    missing: [],
    refusals: {},
    approvedBy: [],
    untilMs: wallMs,
    manifest: "m",
    given: inputsDigest({ inputs: inputs(good) }),
    inputs: inputs(good),
  };
  const gatesSeen = (more: Partial<GateSeen>) =>
    gatesOf(asked({ kind: "gates", gates: [{ ...gate, ...more }] }));
  expect(await gatesSeen({})).toMatchObject([{ step: "deploy" }]);
  const behind = endDigest(gate.given, ended(good));
  expect(await gatesSeen({ ended: ended(good), given: behind })).toMatchObject([{ given: behind }]);
  for (const lie of [
    { given: inputsDigest({ inputs: inputs(evil) }) },
    { inputs: inputs(evil) },
    { values: [{ name: "version", value: "2" }] },
    { ended: ended(evil), given: behind },
    { ended: ended(good) },
  ])
    await expect(gatesSeen(lie)).rejects.toMatchObject({ code: "OTTO_MESSAGE_INVALID" });
});
