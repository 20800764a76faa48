/** What is not Otto's, not signed, not from here or not as agreed is refused and counted, and the honest go on. */

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { askFor } from "../../node/edge/client.ts";
import { DataFolder } from "../../node/edge/data-folder.ts";
import { openIdentity } from "../../node/edge/identity.ts";
import { connectLocally } from "../../node/edge/local-socket.ts";
import { encodeRequest, type NodeSeen } from "../../protocol/calls.ts";
import { sealEnvelope } from "../../protocol/envelope.ts";
import type { Event } from "../../protocol/events.ts";
import { encodeFrame } from "../../protocol/frames.ts";
import { limits } from "../../protocol/limits.ts";
import { emptyLog, logId, sealEntry } from "../../protocol/log.ts";
import { type Certificate, sealCertificate } from "../../protocol/certificate.ts";
import { type Charter, openCharter, sealCharter } from "../../protocol/membership.ts";
import { encodeMessage, type Message } from "../../protocol/messages.ts";
import { encodeValue } from "../../protocol/values.ts";
import { Mesh, type MeshNode } from "./mesh.ts";
import { eventually } from "./program.ts";
import { frameHead, Stranger } from "./stranger.ts";

const messages = "/otto/messages/1";
const calls = "/otto/calls/1";

let mesh: Mesh;
let control: MeshNode;
let charter: Charter;
let charterBytes: Uint8Array;
let topic: string;
let stranger: Stranger;
let repository: string;

beforeAll(async () => {
  mesh = await Mesh.found({ controls: 1, workers: [[]] });
  const [only] = mesh.controls;
  if (only === undefined) throw new Error("The mesh has no control peer.");
  control = only;
  charterBytes = readFileSync(join(control.folder, "charter"));
  const opened = openCharter(charterBytes, null, openIdentity(join(control.folder, "key")));
  if (!opened.ok) throw new Error(opened.problem);
  charter = opened.value;
  topic = `otto/${charter.domain}/announcements`;
  stranger = await Stranger.meet(control.address, topic);
  repository = mesh.repository("honest", "  one:\n    run: echo honest\n");
});
afterAll(async () => {
  await stranger?.leave();
  await mesh?.end();
});

let before: Readonly<Record<string, number>>;
beforeEach(async () => {
  before = (await control.peers()).node.refused;
});

/** Waits until these were refused since the test began, and nothing else was. */
async function refused(expected: Readonly<Record<string, number>>): Promise<void> {
  const grown = async (): Promise<Record<string, number>> => {
    const now = (await control.peers()).node.refused;
    const growth = Object.entries(now).map(
      ([because, count]) => [because, count - (before[because] ?? 0)] as const,
    );
    return Object.fromEntries(growth.filter(([, count]) => count > 0));
  };
  const same = (now: object): boolean =>
    Object.entries(expected).every(([because, count]) => now[because as keyof typeof now] === count);
  expect(await eventually(`refused ${JSON.stringify(expected)}`, grown, same)).toEqual(expected);
}

function certificate(overrides: Partial<Certificate> = {}): Certificate {
  const { peer } = stranger.identity;
  return {
    otto: "certificate/1",
    peer,
    role: "worker",
    name: "stranger",
    expiresMs: Date.now() + 60_000,
    ...overrides,
  };
}

function hello(certified: Uint8Array, chartered = charterBytes): Uint8Array {
  return encodeFrame(encodeMessage({ kind: "hello", certificate: certified, charter: chartered }));
}

function unsigned(envelope: readonly unknown[]): Uint8Array {
  return encodeValue([...envelope.slice(0, 4), new Uint8Array()]);
}

describe("a link", () => {
  it("is refused to whoever sends what is no message, too much, or speaks before it said who it is", async () => {
    await stranger.say(messages, encodeFrame(randomBytes(100)));
    await stranger.say(messages, encodeFrame(encodeValue({ kind: "pull", session: 7 })));
    await stranger.say(messages, frameHead(limits.frameBytesMax + 1));
    const pull: Message = { kind: "pull", session: "mine", nonce: "1", slots: 4, again: false };
    await stranger.say(messages, encodeFrame(encodeMessage(pull)));
    await refused({ malformed: 2, oversized: 1, stranger: 1 });
  });

  it("is refused to whoever shows no certificate of this domain", async () => {
    const { identity } = stranger;
    const { domain } = charter;
    await stranger.say(messages, hello(sealCertificate(domain, certificate(), identity)));
    const elsewhere = "0".repeat(32);
    await stranger.say(messages, hello(sealCertificate(elsewhere, certificate(), identity)));
    await stranger.say(
      messages,
      hello(unsigned(["certificate", domain, identity.peer, encodeValue(certificate())])),
    );
    const own = sealCharter({ ...charter, owner: identity.peer, version: 99 }, identity);
    await stranger.say(messages, hello(sealCertificate(domain, certificate(), identity), own));
    // Somebody else's certificate, as anybody may have seen it.
    await stranger.say(messages, hello(readFileSync(join(mesh.workers[0]?.folder ?? "", "certificate"))));
    await refused({ stranger: 2, "other-domain": 1, unsigned: 1, role: 1 });
    expect((await control.peers()).peers.map(({ name }) => name).toSorted()).toEqual([
      "control-1",
      "worker-1",
    ]);
  });
});

describe("a call", () => {
  it("is refused when it is none, too large, or its caller shows nothing of this domain", async () => {
    const { identity } = stranger;
    expect(Buffer.from(await stranger.say(calls, encodeFrame(randomBytes(100)))).toString()).toContain(
      "OTTO_MESSAGE_INVALID",
    );
    await stranger.say(calls, frameHead(limits.frameBytesMax + 1));
    const shown = [
      null,
      sealCertificate(charter.domain, certificate({ role: "person" }), identity),
      readFileSync(join(control.folder, "person.cert")),
    ];
    for (const each of shown) {
      const answer = await stranger.say(
        calls,
        encodeFrame(encodeRequest({ call: "status", certificate: each })),
      );
      expect(Buffer.from(answer).toString()).toContain("OTTO_NOT_A_MEMBER");
    }
    await refused({ malformed: 2, unsigned: 1, stranger: 2 });
  });
});

describe("gossip", () => {
  it("is refused when it is none, too large, by a stranger or for another domain", async () => {
    const { identity } = stranger;
    const { domain } = charter;
    const announcement = encodeMessage({ kind: "announce", run: "abc", bundle: "f".repeat(64) });
    const sealed = (of: string): Uint8Array =>
      encodeValue([
        sealEnvelope("announcement", of, announcement, identity),
        sealCertificate(domain, certificate(), identity),
      ]);
    await stranger.publish(topic, randomBytes(100));
    await stranger.publish(topic, randomBytes(limits.gossipBytesMax + 1));
    await stranger.publish(topic, sealed(domain));
    await stranger.publish(topic, sealed("0".repeat(32)));
    await refused({ malformed: 1, oversized: 1, stranger: 1, "other-domain": 1 });
  });
});

describe("a submission", () => {
  it("is refused when one byte of it was changed, wherever it is: the signature covers the whole plan", async () => {
    const run = await mesh.submit(repository, control);
    await control.watch(run).closed();
    const { socket } = new DataFolder(control.folder);
    const { bytes } = await askFor(
      await connectLocally(socket),
      { call: "bundle", certificate: null, run },
      "bundle",
    );
    if (bytes === null) throw new Error("The node has no bundle of the run.");
    let changed = 0;
    for (let at = 0; at < bytes.length; at += 37) {
      const bundle = Uint8Array.from(bytes);
      bundle[at] = (bundle[at] ?? 0) ^ 1;
      const submitted = askFor(
        await connectLocally(socket),
        { call: "submit", certificate: null, bundle },
        "submitted",
      );
      await expect(submitted, `byte ${at}`).rejects.toMatchObject({ code: "OTTO_REFUSED" });
      changed += 1;
    }
    expect(changed).toBeGreaterThan(20);
    const { refused: now } = (await control.peers()).node;
    const total = (counts: Readonly<Record<string, number>>): number =>
      Object.values(counts).reduce((sum, count) => sum + count, 0);
    expect(total(now) - total(before)).toBe(changed);
  });
});

describe("the honest", () => {
  it("go on after all of it, and `otto peers` says what was refused", async () => {
    expect(control.program.isOver).toBe(false);
    const run = await mesh.submit(repository, mesh.workers[0] ?? control);
    expect(await control.watch(run).closed()).toBe("passed");
    const { stdout } = await mesh.succeed(["peers", "--json", "--node", control.folder]);
    expect((JSON.parse(stdout) as { refused: object }).refused).toEqual((await control.peers()).node.refused);
    const said = await mesh.succeed(["peers", "--node", control.folder]);
    expect(said.stdout).toMatch(/Refused by this node since it started: .*\d+ malformed/u);
    expect(control.program.stderr).toBe("");
  });
});

describe("a log", () => {
  it("is frozen and told of when somebody who has a control peer's key signs two entries in one place", async () => {
    const { domain } = charter;
    const thief = openIdentity(join(control.folder, "key"));
    const [id, incarnation] = [logId(domain, thief.peer, "stolen"), "stolen"];
    const place = { id, incarnation, head: emptyLog, before: "" };
    const entries = ["ada", "eve"].map((by) => {
      const event: Event = { kind: "cancel-requested", run: "nowhere", timeMs: 1, by };
      return sealEntry(place, domain, "nowhere", [{ event, result: null }], thief).bytes;
    });
    const owner = openIdentity(join(control.folder, "owner.key"));
    const member = hello(sealCertificate(domain, certificate(), owner));
    const end = await stranger.tell(
      messages,
      member,
      encodeFrame(encodeMessage({ kind: "events", entries, answer: false })),
    );
    const forks = async (): Promise<NodeSeen["forks"]> => (await control.peers()).node.forks;
    const found = await eventually("the log is frozen", forks, ({ length }) => length > 0);
    end();
    expect(found).toEqual([{ log: id, author: thief.peer, seq: 1, sinceSeq: 1 }]);
    const { stdout } = await mesh.succeed(["peers", "--node", control.folder]);
    expect(stdout).toContain(
      `LOG_FORKED  control-1 (${thief.peer}) signed two different entries 1 of its log ${id}`,
    );
    // The honest go on.
    const run = await mesh.submit(repository, control);
    expect(await control.watch(run).closed()).toBe("passed");
  });
});
