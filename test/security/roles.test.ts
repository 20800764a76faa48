/**
 * As a member who is not what it takes: a worker that would decide, a control peer that would run steps, a worker that would let in
 * whom it likes, and somebody with a certificate that is another's.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ControlEffect } from "../../node/core/effects.ts";
import { askFor } from "../../node/edge/client.ts";
import { DataFolder } from "../../node/edge/data-folder.ts";
import { dialForCalls } from "../../node/edge/dial-call.ts";
import { type Identity, openIdentity } from "../../node/edge/identity.ts";
import { certify } from "../../node/edge/founding.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { type Charter, openCharter, type Role } from "../../protocol/membership.ts";
import { type Message, messageKinds } from "../../protocol/messages.ts";
import type { Request } from "../../protocol/requests.ts";
import { Mesh, type MeshNode } from "../mesh/mesh.ts";
import { Bench } from "../node/core/bench.ts";
import { home, worker } from "../node/core/example.ts";
import { newIdentity } from "../protocol/domain.ts";
import { messages } from "../protocol/said.ts";

/** What only a worker says to a control peer, and what both say; `events` are judged by who signed them (`mesh/hostile.test.ts`). */
const ofWorkers = ["session", "pull", "renew", "result", "release", "output"];
const ofBoth = ["announce", "events"];

const refusals = (effects: readonly ControlEffect[], from: string) =>
  effects.filter((one) => one.kind === "count-refused" && one.because === "role" && one.from === from);

/** How often a stranger is told that its invite is none, until nobody answers it. */
async function refusalsOf(identity: Identity, address: string): Promise<number> {
  const remote = await dialForCalls(identity, [address]);
  const join = { call: "join", certificate: null, addresses: [], store: "" } as const;
  const [invite, application] = [new Uint8Array(9), new Uint8Array(9)];
  let heard = 0;
  try {
    for (; heard < 10 * limits.refusalsMax; heard += 1) {
      const answer = askFor(await remote.open(), { ...join, invite, application }, "joined");
      const code = await answer.then(
        () => null,
        (error: unknown) => (error as { readonly code?: ErrorCode }).code,
      );
      if (code !== "OTTO_INVITE_INVALID") break;
    }
  } catch {
    // The connection is closed.
  } finally {
    await remote.close();
  }
  return heard;
}

/** What a control peer answers: null, or the code of its refusal. */
async function ask(address: string, identity: Identity, request: Request): Promise<ErrorCode | null> {
  const remote = await dialForCalls(identity, [address]);
  try {
    await askFor(await remote.open(), request, "peers");
    return null;
  } catch (error) {
    return (error as { code: ErrorCode }).code;
  } finally {
    await remote.close();
  }
}

/** A worker that is away, and a person: who they are, and what they have to show. */
async function membersOf(mesh: Mesh, node: MeshNode) {
  const [bad] = mesh.workers;
  if (bad === undefined) throw new Error("The mesh has no worker.");
  await bad.kill();
  await mesh.succeed(["join", await mesh.invite(node, ["--role", "person"])], { home: "mia" });
  const folder = new DataFolder(bad.folder);
  const keys = {
    worker: openIdentity(folder.key),
    person: openIdentity(join(mesh.folder, "mia", "person.key")),
  };
  const opened = openCharter(folder.need("charter"), null, keys.worker);
  if (!opened.ok) throw new Error(opened.problem);
  const personal = join(mesh.folder, "mia", "domains", opened.value.domain, "certificate");
  const certificates = { worker: folder.need("certificate"), person: readFileSync(personal) };
  return { keys, certificates, charter: opened.value };
}

describe("a control peer", () => {
  it.each(messageKinds.filter((kind) => ![...ofWorkers, ...ofBoth].includes(kind)))(
    "takes no word of another control peer from a worker: %s",
    (kind) => {
      const bench = new Bench();
      const effects = bench.tell({
        kind: "message",
        from: worker,
        message: messages[kind as Message["kind"]],
      });
      expect(effects).toEqual(refusals(effects, worker));
      expect(effects).toHaveLength(1);
    },
  );

  it.each(ofWorkers)("takes no word of a worker from a control peer, which runs nothing: %s", (kind) => {
    const bench = new Bench();
    const effects = bench.tell({ kind: "message", from: home, message: messages[kind as Message["kind"]] });
    expect(effects).toEqual(refusals(effects, home));
    expect(effects).toHaveLength(1);
  });
});

describe("a call over the network", () => {
  let mesh: Mesh;
  let keys: Record<"worker" | "person", Identity>;
  let certificates: Record<"worker" | "person", Uint8Array>;
  let charter: Charter;

  const control = (): MeshNode => {
    const [only] = mesh.controls;
    if (only === undefined) throw new Error("The mesh has no control peer.");
    return only;
  };
  const owner = () => openIdentity(new DataFolder(control().folder).ownerKey);

  beforeAll(async () => {
    mesh = await Mesh.found({ controls: 1, workers: [[]] });
    ({ keys, certificates, charter } = await membersOf(mesh, control()));
  });
  afterAll(() => mesh?.end());

  const asked = (identity: Identity, request: Request) => ask(control().address, identity, request);
  const peers = (certificate: Uint8Array | null): Request => ({ call: "peers", certificate });

  it("is answered for whose certificate it is", async () => {
    expect(await asked(keys.worker, peers(certificates.worker))).toBe(null);
    expect(await asked(keys.person, peers(certificates.person))).toBe(null);
  });

  it("is refused without a certificate, with another's, with one of oneself, and with one that has ended", async () => {
    const eve = newIdentity();
    const own = certify(eve, charter, { peer: eve.peer, role: "person", name: "eve" });
    const foreign = certify(
      eve,
      { ...charter, domain: "f".repeat(32) },
      { peer: eve.peer, role: "person", name: "eve" },
    );
    for (const shown of [null, certificates.person, certificates.worker, own, foreign])
      expect(await asked(eve, peers(shown))).toBe("OTTO_NOT_A_MEMBER");
    expect(await asked(keys.worker, peers(certificates.person))).toBe("OTTO_NOT_A_MEMBER");
    expect(await asked(keys.person, peers(certificates.worker))).toBe("OTTO_NOT_A_MEMBER");
  });

  it("of a stranger is refused so often, and then has no connection, while members are answered", async () => {
    const eve = newIdentity();
    const heard = await refusalsOf(eve, control().address);
    expect(heard).toBeGreaterThan(limits.refusalsMax / 2);
    expect(heard).toBeLessThanOrEqual(limits.refusalsMax);
    await expect(dialForCalls(eve, [control().address]).then((again) => again.open())).rejects.toThrow();
    expect(await asked(keys.person, peers(certificates.person))).toBe(null);
  });

  it("is told to be of whose key has made it, whoever it says that it is of", async () => {
    const run = await mesh.submit(mesh.repository("long", "  one:\n    run: echo never\n"), control());
    const followed = control().watch(run);
    await followed.event("run-admitted");
    const cancelling = { call: "cancel", certificate: certificates.worker, run, by: "mia" } as const;
    expect(await asked(keys.worker, cancelling)).toBe("OTTO_UNREACHABLE");
    expect(await followed.event("cancel-requested")).toMatchObject({ by: `mia (${keys.worker.peer})` });
  });

  it("shows a worker no sealed secrets, and all else that the domain signed", async () => {
    const about = (topic: string, by: "worker" | "person") =>
      asked(keys[by], { call: "documents", certificate: certificates[by], topic });
    expect(await about("secret", "worker")).toBe("OTTO_NOT_A_MEMBER");
    // It ends without what was waited for.
    expect(await about("secret", "person")).toBe("OTTO_UNREACHABLE");
    expect(await about("policy", "worker")).toBe("OTTO_UNREACHABLE");
  });

  it.each<Role>(["worker", "person", "control"])(
    "stops nothing and copies nothing for a %s",
    async (role) => {
      const eve = newIdentity();
      const certificate = certify(owner(), charter, { peer: eve.peer, role, name: "eve" });
      for (const call of ["stop", "backup"] as const)
        expect(await asked(eve, { call, certificate })).toBe("OTTO_NOT_A_MEMBER");
    },
  );

  it.each<Role>(["worker", "person", "control"])(
    "uses up no invite for a %s that the charter does not list, and signs nothing for it",
    async (role) => {
      const eve = newIdentity();
      const certificate = certify(owner(), charter, { peer: eve.peer, role, name: "eve" });
      const used = { call: "use-invite", certificate, nonce: "n", peer: eve.peer } as const;
      const claim = { kind: "renewal", renewal: new Uint8Array() } as const;
      const signed = { call: "certify", certificate, fromMs: Date.now(), claim } as const;
      for (const request of [used, signed]) expect(await asked(eve, request)).toBe("OTTO_NOT_A_MEMBER");
    },
  );
});
