/**
 * As somebody whose words others read at their terminals: the name of a machine that joins, of a domain, what a node answers, a file that
 * is handed on. None of it moves a cursor, wipes a line, or turns one round.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { verifyAudit, writeAudit } from "../../cli/audit-file.ts";
import { revokedWords } from "../../cli/render/peers.ts";
import { formatError } from "../../cli/words.ts";
import { signBook } from "../../node/verify/audit-book.ts";
import { openCertificate } from "../../protocol/certificate.ts";
import { judgeClaim } from "../../protocol/certifying.ts";
import { OttoError } from "../../protocol/errors.ts";
import { type Invite, sealApplication, sealInvite } from "../../protocol/invite.ts";
import { limits } from "../../protocol/limits.ts";
import { type Charter, domainId, openCharter, sealCharter, successorOf } from "../../protocol/membership.ts";
import { certify, charter, control, newIdentity, owner, person, wallMs } from "../protocol/domain.ts";

const folder = mkdtempSync(join(tmpdir(), "otto-words-"));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

const tricks = ["w\u001b[2K", "w\rdev", "w\nnext", "w\u009b1A", "w\u202edev", "w\u2028next"];

describe("a name", () => {
  it.each(tricks)(
    "of a machine that joins is of one line that a terminal shows as it is, and not %j",
    (name) => {
      const key = newIdentity();
      const { peer } = newIdentity();
      const expiresMs = wallMs + limits.inviteMsDefault;
      const invite: Invite = { otto: "invite/1", nonce: key.peer, role: "worker", expiresMs, addresses: [] };
      const by = { keys: person, certificate: certify({ expiresMs: wallMs + limits.dayMs }) };
      const joining = (called: string) => {
        const applied = { otto: "application/1", peer, person: peer, name: called } as const;
        const application = sealApplication(charter.domain, applied, key);
        const claim = {
          kind: "invite",
          invite: sealInvite(charter.domain, invite, by),
          application,
        } as const;
        return judgeClaim(claim, wallMs, charter, { wallMs, keys: owner });
      };
      expect(joining("Werkbank 7 – Köln").ok).toBe(true);
      expect(joining(name)).toEqual({ ok: false, problem: "a name has at most 100 characters, of one line" });
    },
  );

  it.each(tricks)("in a certificate or of a domain is none of that either: %j", (name) => {
    expect(openCertificate(certify({ name }), charter, wallMs, owner).ok).toBe(false);
    const called: Charter = { ...charter, name, domain: domainId(name, owner.peer) };
    expect(openCharter(sealCharter(called, owner), null, owner)).toEqual({ ok: false, problem: "malformed" });
  });
});

it.each(tricks)("what a node answers, and why somebody was revoked, is shown as text: %j", (text) => {
  const error = new OttoError("OTTO_REFUSED", { what: text, state: text, next: text });
  const because = revokedWords({ peer: control.peer, name: text, because: text, atMs: wallMs, by: "o" });
  const harmful = ["\u001b", "\r", "\u009b", "\u202e", "\u2028"];
  for (const shown of [formatError(error, false), because])
    expect(harmful.filter((one) => shown.includes(one))).toEqual([]);
});

describe("a file of books of uses", () => {
  const file = join(folder, "books");
  const book = (peer: string) => ({
    peer,
    ...signBook([], { last: "", atMs: wallMs }, charter.domain, control),
  });
  function verified(options: Parameters<typeof verifyAudit>[1]): { code: number; text: string } {
    let text = "";
    vi.spyOn(process.stdout, "write").mockImplementation((chunk) => (text += String(chunk)) !== "");
    const code = verifyAudit(file, options);
    return { code, text };
  }

  it("moves no cursor by whose book it says that it is", () => {
    writeAudit(file, {
      charter: sealCharter(charter, owner),
      books: [book(control.peer), book("p\u001b[2K")],
    });
    const { code, text } = verified({});
    expect(code).toBe(1);
    expect(text).not.toContain("\u001b");
  });

  it("says by which charter it is whole, and whose book was left out with a newer or an older one", () => {
    const other = newIdentity();
    const listed = [control, other].map(({ peer }) => ({ peer, store: "s", addresses: [] }));
    const two = successorOf(charter, listed, wallMs - limits.dayMs);
    const one = successorOf(two, listed.slice(0, 1), wallMs);
    const books = [book(control.peer)];
    writeAudit(file, { charter: sealCharter(charter, owner), books });
    expect(verified({}).text).toContain(
      "configuration 1, of 1 control peer. That there is no newer one is not",
    );
    writeAudit(file, { charter: sealCharter(two, owner), books });
    expect(verified({})).toMatchObject({ code: 1, text: expect.stringContaining(other.peer) as string });
    writeAudit(file, { charter: sealCharter(one, owner), books });
    const { text } = verified({ domain: charter.domain });
    expect(text).toContain(`${other.peer}  was one until ${new Date(wallMs).toISOString()}; its book is not`);
  });
});
