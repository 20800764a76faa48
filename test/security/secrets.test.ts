/** The attacker has the sealed records, may put others, or has a shell beside the vault, and wants a value. */

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { sealSecret } from "../../node/edge/broker/sealing.ts";
import { Vault } from "../../node/edge/broker/vault.ts";
import { decodeHeader, encodeHeader, recipientIn } from "../../protocol/credentials/sealed-secret.ts";
import type { SecretHeader } from "../../protocol/credentials/secret.ts";
import { openDocument, sealDocument } from "../../protocol/documents.ts";
import { eventually } from "../mesh/program.ts";
import { newIdentity } from "../node/peers.ts";
import { canary, destinationOf, Mesh, raw, requestOf, Upstream } from "./brokered.ts";

let upstream: Upstream;
let evil: Upstream;
let mesh: Mesh;

beforeAll(async () => {
  [upstream, evil, mesh] = await Promise.all([Upstream.start(), Upstream.start(), Mesh.start()]);
});
afterAll(async () => {
  await mesh?.end();
  await Promise.all([upstream?.stop(), evil?.stop()]);
});
beforeEach(() => {
  for (const { seen } of [upstream, evil]) seen.length = 0;
});
afterEach(() => mesh.reset());

/** What a step is answered that uses `token` at the evil server, once this is the record. */
async function stolen(bytes: Uint8Array, { name = "token", version = 1 } = {}): Promise<string> {
  mesh.records.set(name, { version, bytes });
  const told = await mesh.runs([{ name, kind: "http", to: `https://localhost:${evil.port}` }]);
  const base = told[`OTTO_CREDENTIAL_${name.toUpperCase()}_URL`] ?? "";
  const answer = await raw(base, requestOf(base, "GET /"));
  expect(evil.seen.some(({ headers }) => JSON.stringify(headers).includes(canary))).toBe(false);
  return answer;
}

/** The two halves of a record as it is kept. */
function halves(bytes: Uint8Array): { readonly header: Uint8Array; readonly sealed: Uint8Array } {
  const opened = openDocument(bytes, mesh.peers.charter, mesh.control.identity);
  if (!opened.ok) throw new Error(opened.problem);
  return opened.value.document.body as { header: Uint8Array; sealed: Uint8Array };
}

describe("a sealed record", () => {
  it("does not open under a header that points elsewhere, though a member of the domain signs that", async () => {
    const good = await mesh.header(destinationOf(upstream));
    const { sealed } = halves(await mesh.seal(good));
    const bad: SecretHeader = { ...good, destinations: [destinationOf(evil)] };
    const answer = await stolen(mesh.sign(bad, { header: encodeHeader(bad), sealed }));
    expect(answer).toContain("its value was sealed under another header");
  });

  it("does not open under another secret's name, whose places are the thief's", async () => {
    const { sealed } = halves(await mesh.seal(await mesh.header(destinationOf(upstream))));
    const own = await mesh.header(destinationOf(evil), { name: "mine" });
    const answer = await stolen(mesh.sign(own, { header: encodeHeader(own), sealed }), { name: "mine" });
    expect(answer).toContain("its value was sealed under another header");
  });

  it("is not taken in the place of another, nor an older one in place of a newer", async () => {
    const mine = await mesh.seal(await mesh.header(destinationOf(evil), { name: "mine" }), "mine-mine-mine");
    expect(await stolen(mine)).toContain("does not hold: stranger");
    const old = await mesh.seal(await mesh.header(destinationOf(evil)));
    expect(await stolen(old, { version: 2 })).toContain("does not hold: stranger");
  });

  it("is not taken with a bit of it changed, wherever that is", async () => {
    const good = await mesh.seal(await mesh.header(destinationOf(evil)));
    for (let at = 0; at < good.length; at += Math.ceil(good.length / 60)) {
      const changed = good.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(await stolen(changed)).toMatch(/does not hold: |could not be opened: /u);
    }
  });

  it("is not taken from anybody but a person of the domain", async () => {
    const header = await mesh.header(destinationOf(evil));
    const body = await sealSecret(header, Buffer.from("not the canary, but a host of the thief's"));
    const { domain } = mesh.peers.charter;
    const document = {
      otto: "document/1",
      topic: "secret",
      name: "token",
      version: 1,
      timeMs: Date.now(),
      body,
    } as const;
    const signs = (keys: ReturnType<typeof newIdentity>, certificate: Uint8Array | null): Uint8Array =>
      sealDocument(document, domain, { keys, certificate });
    const { control, worker, certificate } = mesh;
    for (const [keys, shown, why] of [
      [newIdentity(), certificate, "stranger"],
      [worker.identity, null, "unsigned"],
      [control.identity, null, "unsigned"],
      [control.identity, certificate, "stranger"],
    ] as const)
      expect(await stolen(signs(keys, shown))).toContain(`does not hold: ${why}`);
  });

  it("does not open for a control peer that it is not sealed for", async () => {
    const stranger = new Vault(join(mesh.folder, "another-vault"));
    try {
      const recipients = [{ peer: mesh.control.id, recipient: await stranger.recipient() }];
      const bytes = await mesh.seal(await mesh.header(destinationOf(evil), { recipients }));
      expect(await stolen(bytes)).toContain("not sealed for this control peer");
    } finally {
      stranger.close();
    }
  });

  it("has nobody's key in it but those of its recipients, all of one kind", async () => {
    const header = await mesh.header(destinationOf(upstream));
    for (const recipient of ["age1pq1abc", `age1${"q".repeat(57)}`, "ssh-ed25519 AAAA"])
      expect(decodeHeader(encodeHeader({ ...header, recipients: [{ peer: "p", recipient }] }))).toBeNull();
  });
});

it("does not take a key to seal for from another control peer than the one whose it is", () => {
  const recipient = `age1${"q".repeat(58)}`;
  const document = {
    otto: "document/1",
    topic: "recipient",
    name: "alder",
    version: 1,
    timeMs: 1,
    body: { recipient },
  } as const;
  expect(recipientIn(document, "alder")).toEqual({ peer: "alder", recipient });
  expect(recipientIn(document, "birch")).toBeNull();
});

describe("the vault", () => {
  it("gives out a value for no place that the header does not name", async () => {
    const { header, sealed: body } = halves(await mesh.seal(await mesh.header(destinationOf(upstream))));
    const origin = `https://localhost:${upstream.port}`;
    const opened = await mesh.vault.open({ header, body, origin });
    expect("value" in opened && Buffer.from(opened.value).toString()).toBe(canary);
    expect(await mesh.vault.open({ header, body, origin: "https://evil.example.org" })).toEqual({
      why: "it may not be sent to https://evil.example.org",
    });
  });

  it("keeps its key to this user, opens no socket, and has no network where bubblewrap is", async () => {
    await mesh.vault.recipient();
    expect(statSync(join(mesh.folder, "vault", "key")).mode & 0o077).toBe(0);
    if (process.platform !== "linux") return;
    const inner = innermost(mesh.vault.pid ?? 0);
    const open = readdirSync(`/proc/${inner}/fd`).map((fd) => readlinkSync(`/proc/${inner}/fd/${fd}`));
    const tables = ["tcp", "tcp6", "udp", "udp6"].map((table) =>
      readFileSync(`/proc/${inner}/net/${table}`, "utf8"),
    );
    const inodes = open.flatMap((target) => /^socket:\[(\d+)\]$/u.exec(target)?.[1] ?? []);
    for (const inode of inodes) for (const table of tables) expect(table).not.toContain(` ${inode} `);
    if (!canConfine()) return;
    expect(readlinkSync(`/proc/${inner}/ns/net`)).not.toBe(readlinkSync("/proc/self/ns/net"));
    expect(readFileSync(`/proc/${inner}/net/dev`, "utf8")).not.toMatch(/eth|ens|wlan/u);
  });

  it("ends with the process that it is of", async () => {
    const vault = new Vault(join(mesh.folder, "ending-vault"));
    await vault.recipient();
    const inner = innermost(vault.pid ?? 0);
    vault.close();
    await eventually(
      "the vault's process is gone",
      () => existsSync(`/proc/${inner}`),
      (there) => !there,
    );
  });
});

/** The process that has no child: bubblewrap starts what it confines. */
function innermost(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return children === "" ? pid : innermost(Number(children.split(" ")[0]));
}

/** On some machines bubblewrap is there and may not do its work. */
function canConfine(): boolean {
  try {
    execFileSync("bwrap", ["--ro-bind", "/", "/", "--unshare-net", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
