/**
 * Somebody who has used a credential and can write to the disk of the control peer that brokered it: he changes the line that
 * says so, cuts it out, cuts off the end or the beginning of the book, also while the peer is away.
 */

import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Audit } from "../../node/edge/broker/audit.ts";
import { verifyChain } from "../../node/edge/broker/audit-chain.ts";

let folder: string;
let path: string;
let audit: Audit;

const holder = {
  run: "run",
  index: 0,
  token: 1,
  step: "deploy",
  attempt: 1,
  worker: "worker",
  submitter: "mallory",
};

function use(count: number): void {
  for (let index = 0; index < count; index += 1)
    audit.used(
      { holder, binding: { name: "heroku" } },
      { method: "POST", template: `/apps/${index}`, status: 200, sentBytes: index, receivedBytes: 1 },
    );
  audit.flush();
}

const lines = (): string[] => readFileSync(path, "utf8").trim().split("\n");
const write = (some: readonly string[]): void =>
  writeFileSync(path, some.map((line) => `${line}\n`).join(""));
const without = <Item>(some: readonly Item[], index: number): Item[] => some.toSpliced(index, 1);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "otto-audit-"));
  path = join(folder, "audit.jsonl");
  audit = new Audit(path, () => 1_000);
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("a book of uses", () => {
  it("is whole as it was written, also by one process after another", () => {
    expect(audit.verify()).toEqual({ lines: 0, problem: null });
    use(5);
    expect(audit.verify()).toEqual({ lines: 5, problem: null });
    audit = new Audit(path, () => 2_000);
    use(2);
    expect(audit.verify()).toEqual({ lines: 7, problem: null });
  });

  it("is whole when a process died before it had noted where the book ends", () => {
    use(2);
    const ends = readFileSync(`${path}.ends`);
    use(2);
    writeFileSync(`${path}.ends`, ends);
    audit = new Audit(path, () => 2_000);
    expect(audit.verify()).toEqual({ lines: 4, problem: null });
  });

  it.each<[string, () => void, RegExp]>([
    [
      "a line was changed",
      () => write(lines().map((line) => line.replace('"/apps/2"', '"/apps/9"'))),
      /^line 4 does not follow the one before it/u,
    ],
    ["a line was cut out", () => write(without(lines(), 2)), /^line 3 does not follow/u],
    [
      "two lines changed places",
      () => write(without(lines(), 1).toSpliced(2, 0, lines()[1] ?? "")),
      /^line 2 /u,
    ],
    ["a line was put in", () => write(lines().toSpliced(3, 0, lines()[2] ?? "")), /^line 4 /u],
    ["a line is none", () => write(lines().with(1, "nothing")), /^line 2 is none that was written here/u],
    [
      "the last line was changed",
      () => write(lines().with(4, lines()[4]?.replace("4", "5") ?? "")),
      /^its end/u,
    ],
    ["the end was cut off", () => write(lines().slice(0, 3)), /^its end was cut off/u],
    ["the beginning was cut off", () => write(lines().slice(2)), /^its beginning was cut off/u],
    ["all of it was taken", () => rmSync(path), /^its end was cut off/u],
    ["its ends were taken", () => rmSync(`${path}.ends`), /^it is not known where it begins and ends/u],
  ])("shows it when %s", (_, attack, why) => {
    use(5);
    attack();
    expect(audit.verify().problem).toMatch(why);
    expect(() => audit.lines()).not.toThrow();
  });

  it.each<[string, () => void]>([
    ["its end was cut off", () => write(lines().slice(0, 3))],
    ["all of it was taken", () => rmSync(path)],
    ["its ends were taken", () => rmSync(`${path}.ends`)],
    ["a line was cut out", () => write(without(lines(), 2))],
  ])("shows for good that %s while its control peer was away", (_, attack) => {
    use(5);
    attack();
    audit = new Audit(path, () => 2_000);
    use(3);
    expect(audit.verify().problem).not.toBeNull();
  });

  it("goes on over two files, and shows it when the older one was cut or taken", () => {
    use(3);
    const ends = { last: "", before: "" };
    const all = lines();
    const last = readFileSync(`${path}.ends`, "utf8");
    Object.assign(ends, JSON.parse(last));
    const split = { older: all.slice(0, 2), newer: all.slice(2) };
    expect(verifyChain(split, ends)).toEqual({ lines: 3, problem: null });
    expect(verifyChain({ ...split, older: all.slice(0, 1) }, ends).problem).toMatch(/^line 1 does not/u);
    expect(verifyChain({ ...split, older: [] }, ends).problem).toMatch(/beginning/u);
    expect(verifyChain({ ...split, older: all.slice(1, 2) }, ends).problem).toMatch(
      /older file was changed/u,
    );
    renameSync(path, `${path}.old`);
    expect(audit.verify()).toEqual({ lines: 3, problem: null });
  });
});
