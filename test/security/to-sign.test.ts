/**
 * As one of several owners, or whoever carries a file between them: the next one signs what it has read, for the domain that it has
 * read of, and nothing else.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, it, vi } from "vitest";
import { sign } from "../../cli/commands/sign.ts";
import { readToSign, writeToSign } from "../../cli/to-sign.ts";
import { readPolicy } from "../../planner/policy/read-policy.ts";
import { openIdentity } from "../../node/edge/identity.ts";
import type { OttoError } from "../../protocol/errors.ts";
import { sealDocument } from "../../protocol/documents.ts";
import { type Charter, domainId, sealCharter } from "../../protocol/membership.ts";
import { type Owners, ownersId } from "../../protocol/owners.ts";
import { policyDocument } from "../../protocol/policy.ts";
import { errorOf } from "../cli/error-of.ts";
import { charter, newIdentity, wallMs } from "../protocol/domain.ts";

const folder = mkdtempSync(join(tmpdir(), "otto-to-sign-"));
const file = join(folder, "ops.to-sign");
const mine = join(folder, "mine.key");
const me = openIdentity(mine);
const eve = newIdentity();
const owners: Owners = { threshold: 2, keys: [me.peer, eve.peer].toSorted((a, b) => (a < b ? -1 : 1)) };
const domain = domainId("ops", ownersId(owners));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

/** What somebody asks the owners of a domain to sign, as it is handed on. */
function handOn(
  seal: (bytesOf: { peer: string; sign(bytes: Uint8Array): Uint8Array }) => void,
  name = "ops",
): void {
  const keep = (bytes: Uint8Array): Uint8Array => {
    writeToSign(file, { name, owners, bytes, untilMs: Date.now() + 60_000, signed: new Map() });
    return new Uint8Array(64);
  };
  seal({ peer: ownersId(owners), sign: keep });
}
const policy = (body: unknown, of = domain, name = "ops"): void =>
  handOn((keys) => {
    const document = { otto: "document/1", ...policyDocument, version: 2, timeMs: wallMs, body } as const;
    sealDocument(document, of, { keys, certificate: null });
  }, name);
const signing = (): Promise<OttoError> => errorOf(sign(file, { ownerKey: [mine] }));
const policyOf = (text: string) => {
  const read = readPolicy(text);
  return read.ok ? read.policy : expect.fail("This is no policy.");
};

async function shown(): Promise<string> {
  const written: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => written.push(String(chunk)) > 0);
  await sign(file, { show: true });
  vi.restoreAllMocks();
  return written.join("");
}

const strict = "otto-policy: 1\nexpose: [legacy]\n";

it("is shown a policy in its own words, and the domain that it is for", async () => {
  policy({ text: strict, policy: policyOf(strict) });
  const text = await shown();
  expect(text).toContain(`Domain ops (${domain})`);
  expect(text).toContain("  expose: [legacy]\n");
});

it("is not shown other words than what the policy demands", async () => {
  policy({ text: strict, policy: policyOf('otto-policy: 1\nexpose: ["*"]\n') });
  expect((await signing()).message).toContain("demands something else than its own words show");
  expect(readToSign(file).signed.size).toBe(0);
});

it.each([
  ["a line that a carriage return begins", "otto-policy: 1\n# no secret is\rexpose: [legacy]\n"],
  ["a line that the terminal is told to wipe", "otto-policy: 1\nexpose: [legacy] #\u001b[2K\u001b[1A\n"],
  ["marks that turn a line round", "otto-policy: 1\nexpose: [legacy] # \u202enothing\n"],
])("is not given words that it cannot see: %s", async (_, text) => {
  policy({ text, policy: policyOf(text) });
  expect((await signing()).message).toContain("demands something else than its own words show");
});

it("signs nothing for another domain that it owns with the same key, alone or with others", async () => {
  const own = domainId("mine", me.peer);
  for (const name of ["ops", "mine"]) {
    policy({ text: strict, policy: policyOf(strict) }, own, name);
    expect((await signing()).message).toContain(
      "it is for another domain than that of those who are to sign it",
    );
  }
});

it("is shown since when each control peer is to count, and no address of one moves its cursor", async () => {
  const peer = { peer: eve.peer, store: "s", addresses: ["/ip4/127.0.0.1/tcp/1\u001b[2K"], fromMs: wallMs };
  const changed: Charter = {
    ...charter,
    name: "ops",
    owner: ownersId(owners),
    owners,
    domain,
    controls: [peer],
  };
  handOn((keys) => void sealCharter(changed, keys));
  const text = await shown();
  expect(text).toContain(`${eve.peer}  /ip4/127.0.0.1/tcp/1, from ${new Date(wallMs).toISOString()}`);
  expect(text).not.toContain("\u001b");
});
