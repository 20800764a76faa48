/** As whoever hands on a file of books of uses: nothing of it is changed, left out, or another's, and goes unseen. */

import { expect, it } from "vitest";
import { digestOf, signBook, type SignedBook, verifyBook } from "../../node/verify/audit-book.ts";
import { limits } from "../../protocol/limits.ts";
import { successorOf } from "../../protocol/membership.ts";
import { charter, control, newIdentity, owner, wallMs } from "../protocol/domain.ts";

function written(count: number): string[] {
  const lines: string[] = [];
  for (let index = 0; index < count; index += 1)
    lines.push(JSON.stringify({ secret: "heroku", step: `step${index}`, before: digestOfLast(lines) }));
  return lines;
}

function digestOfLast(lines: readonly string[]): string {
  const last = lines.at(-1);
  return last === undefined ? "" : digestOf(last);
}

const lines = written(5);
const sign = (all: readonly string[], keys = control): SignedBook =>
  signBook(all, { last: digestOfLast(all), atMs: wallMs }, charter.domain, keys);
const book = sign(lines);
const verify = (some: SignedBook, peer = control.peer, by = charter) => verifyBook(peer, some, by, owner);

it("is proven as it was signed, also when it is empty, and says when it is the end of a longer one", () => {
  expect(verify(book)).toEqual({ ok: true, value: { lines: 5, shown: 5, atMs: wallMs } });
  expect(verify(sign([]))).toEqual({ ok: true, value: { lines: 0, shown: 0, atMs: wallMs } });
  const long = sign(written(limits.auditLinesShownMax + 2));
  expect(verify(long)).toMatchObject({ ok: true, value: { shown: limits.auditLinesShownMax } });
  expect(verify({ ...book, lines: lines.slice(2) })).toMatchObject({
    ok: true,
    value: { lines: 5, shown: 3 },
  });
});

it.each<[string, SignedBook, RegExp]>([
  [
    "a line was changed",
    { ...book, lines: lines.with(2, lines[2]?.replace("step2", "step9") ?? "") },
    /line 4 does/u,
  ],
  ["a line was cut out", { ...book, lines: lines.toSpliced(2, 1) }, /line 3 does not follow/u],
  ["its end was cut off", { ...book, lines: lines.slice(0, 4) }, /its end was cut off/u],
  ["all of it was taken", { ...book, lines: [] }, /its end was cut off/u],
  ["a line was put before it", { ...book, lines: ['{"before":""}', ...lines] }, /put in/u],
  ["a line is none", { ...book, lines: lines.with(1, "nothing") }, /line 2 is none/u],
  ["the end of another book is with it", { ...book, end: sign(lines.slice(0, 4)).end }, /put in/u],
])("shows it when %s", (_, changed, why) => {
  const found = verify(changed);
  expect(found.ok ? "" : found.problem).toMatch(why);
});

it("is nobody's but the control peer's, of this domain, at a time when it was one", () => {
  const eve = newIdentity();
  expect(verify(sign(lines, eve), eve.peer)).toMatchObject({ ok: false });
  expect(verify(book, eve.peer)).toMatchObject({ ok: false });
  const two = {
    ...charter,
    size: 2,
    controls: [...charter.controls, { peer: eve.peer, store: "t", addresses: [] }],
  };
  expect(verify(book, eve.peer, two)).toEqual({ ok: false, problem: `it is signed by ${control.peer}` });
  expect(verify(book, control.peer, { ...charter, domain: "f".repeat(32) })).toMatchObject({ ok: false });
  const before = wallMs - limits.signedApartMsMax - 1;
  const taken = successorOf(charter, [{ peer: eve.peer, store: "t", addresses: [] }], before);
  expect(verify(book, control.peer, taken)).toMatchObject({ ok: false });
});
