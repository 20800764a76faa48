/** Steps that are claimed together are one entry on the disk, and at the next start what they were. */

import { beforeEach, describe, expect, it } from "vitest";
import { encodeValue } from "../../protocol/values.ts";
import { Acceptor } from "../../protocol/registers/acceptor.ts";
import { origin } from "../../protocol/registers/ballot.ts";
import type { WireRecord } from "../../protocol/registers/messages.ts";
import type { TableEffect } from "../../protocol/registers/table.ts";
import type { Command } from "../../protocol/registers/registers.ts";
import { readRegisters, storedGroup } from "../../protocol/registers/stored.ts";
import { Conversation } from "./conversation.ts";

const peers = ["a", "b", "c"] as const;
const admit: Command = { kind: "admit", manifest: "m", envelope: "e", validUntilMs: 10 };
const close: Command = { kind: "close", outcome: "passed" };
const finish: Command = {
  kind: "finish",
  token: 1,
  worker: "w",
  cause: "finished",
  outcome: "passed",
  report: Uint8Array.of(1),
  again: false,
};

/** Three control peers, of which a is home. */
function reignOfA(): Conversation {
  const talk = new Conversation(...peers);
  talk.linkAll();
  talk.tick("a", 0);
  talk.settle();
  return talk;
}

function decide(talk: Conversation, register: string, command: Command): void {
  talk.propose("a", register, command);
  talk.settle();
}

function steps(run: string, from: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `step/${run}/${from + index}`);
}

/** All of them in one round, each of the pulls by a worker of its own: w, v, ... */
function claim(talk: Conversation, home: string, ...pulls: readonly (readonly string[])[]): void {
  const claims = pulls.flatMap((names, index) => {
    const worker = "wvu"[index] ?? "";
    const command: Command = { kind: "claim", worker, session: `${worker}:1`, nonce: `${worker}/1` };
    return names.map((name) => [name, command] as const);
  });
  for (const [name, command] of claims.slice(0, -1)) talk.table(home).propose(name, command, "claim");
  for (const [name, command] of claims.slice(-1)) talk.propose(home, name, command);
}

function claimed(talk: Conversation, ...pulls: readonly (readonly string[])[]): void {
  claim(talk, "a", ...pulls);
  talk.settle();
}

/** Of its registers, in the order of writing. */
function keysAt(talk: Conversation, peer: string): string[] {
  return talk.entries(peer).flatMap(([key]) => (key.startsWith("register/") ? [key] : []));
}

function away(talk: Conversation, peer: string): void {
  for (const other of peers) if (other !== peer) talk.cut(other, peer);
}

function back(talk: Conversation, peer: string): void {
  for (const other of peers) if (other !== peer) talk.link(other, peer);
}

/** a alone has accepted that steps were claimed together; then b was home, had others claim some, and gave a its table. */
function repairedAfterOwnClaim(common: readonly string[], own: readonly string[]): Conversation {
  const talk = reignOfA();
  decide(talk, "run/r", admit);
  if (common.length > 0) {
    claimed(talk, common);
    decide(talk, common[0] ?? "", finish);
    // With it a knows that the end of that step is the domain's.
    decide(talk, "run/q", admit);
  }
  away(talk, "a");
  claim(talk, "a", own);
  talk.deliver("a", "a");
  talk.tick("b", 200);
  talk.settle();
  claim(talk, "b", [], own.slice(0, 1));
  talk.settle();
  back(talk, "a");
  talk.tick("b", 100);
  talk.settle();
  return talk;
}

describe("steps that are claimed together", () => {
  it("are one entry, and all of them are there after a restart", () => {
    const talk = reignOfA();
    decide(talk, "run/r", admit);
    claimed(talk, steps("r", 0, 50));
    expect(keysAt(talk, "b")).toEqual(["register/run/r", "register/group/0"]);
    talk.restart("b");
    for (const name of steps("r", 0, 50))
      expect(talk.table("b").value(name)).toMatchObject({ state: "leased", worker: "w", token: 1 });
  });

  it("take nobody's place that was claimed before a restart", () => {
    const talk = reignOfA();
    decide(talk, "run/r", admit);
    claimed(talk, steps("r", 0, 3));
    claimed(talk, steps("r", 3, 3));
    talk.restart("b");
    talk.link("a", "b");
    talk.link("b", "c");
    talk.settle();
    claimed(talk, steps("r", 6, 3));
    expect(talk.disk("b")).toEqual(talk.disk("a"));
    expect(talk.disk("b").size).toBe(10);
  });

  it("are finished one by one, whichever entry is read first at the next start", () => {
    const talk = reignOfA();
    decide(talk, "run/r", admit);
    claimed(talk, steps("r", 0, 3));
    decide(talk, "step/r/1", finish);
    expect(keysAt(talk, "b")).toEqual(["register/run/r", "register/group/0", "register/step/r/1"]);
    for (const stored of [talk.entries("b"), talk.entries("b").toReversed()]) {
      const acceptor = new Acceptor("again");
      acceptor.restore(stored);
      expect(acceptor.accepted("step/r/0")).toMatchObject({ state: "leased" });
      expect(acceptor.accepted("step/r/1")).toMatchObject({ state: "done" });
      expect(acceptor.accepted("step/r/2")).toMatchObject({ state: "leased" });
    }
  });

  it("are a record and an entry for each run that they are of", () => {
    const talk = reignOfA();
    decide(talk, "run/r", admit);
    decide(talk, "run/q", admit);
    claimed(talk, ["step/r/0", "step/q/0", "step/r/1", "step/q/1"]);
    expect(talk.said.filter(({ kind }) => kind === "accept").at(-1)).toMatchObject({
      records: [{ names: ["step/r/0", "step/r/1"] }, { names: ["step/q/0", "step/q/1"] }],
    });
    expect(keysAt(talk, "b")).toEqual([
      "register/run/r",
      "register/run/q",
      "register/group/0",
      "register/group/1",
    ]);
    decide(talk, "run/r", close);
    expect(keysAt(talk, "b")).toEqual(["register/run/r", "register/run/q", "register/group/1"]);
    talk.restart("b");
    expect(talk.table("b").value("step/q/1")).toMatchObject({ state: "leased" });
  });

  it("are kept apart from those of the same run that another worker claims in the same round", () => {
    const talk = reignOfA();
    decide(talk, "run/r", admit);
    claimed(talk, steps("r", 0, 2), steps("r", 2, 2));
    expect(keysAt(talk, "b")).toEqual(["register/run/r", "register/group/0", "register/group/1"]);
    talk.restart("b");
    const workers = steps("r", 0, 4).map((name) => talk.table("b").value(name));
    expect(workers).toMatchObject([{ worker: "w" }, { worker: "w" }, { worker: "v" }, { worker: "v" }]);
  });

  it("are all that a peer must remove before it begins with another's table", () => {
    const talk = reignOfA();
    decide(talk, "run/r", admit);
    claimed(talk, steps("r", 0, 2));
    const keys = [...talk.table("b").registerKeys()];
    expect(keys).toEqual(expect.arrayContaining(keysAt(talk, "b")));
  });
});

describe("what is claimed together in a run that is closed", () => {
  it("is gone from the disk with the run's other steps, also when it was there at a start", () => {
    const talk = reignOfA();
    decide(talk, "run/r", admit);
    claimed(talk, steps("r", 0, 3));
    talk.restart("b");
    back(talk, "b");
    talk.settle();
    decide(talk, "step/r/1", finish);
    decide(talk, "run/r", close);
    for (const peer of peers) {
      expect(keysAt(talk, peer)).toEqual(["register/run/r"]);
      expect([...talk.table(peer).registerKeys()]).toEqual(["register/run/r"]);
    }
  });

  it("is not stored when it comes after the end", () => {
    const talk = reignOfA();
    decide(talk, "run/r", admit);
    decide(talk, "run/r", close);
    claimed(talk, steps("r", 0, 3));
    for (const peer of peers) expect(keysAt(talk, peer)).toEqual(["register/run/r"]);
  });

  it("is gone from who was away when it was closed, and when it was forgotten", () => {
    const talk = reignOfA();
    for (const run of ["closed", "forgotten"]) {
      decide(talk, `run/${run}`, admit);
      claimed(talk, steps(run, 0, 3));
    }
    away(talk, "c");
    decide(talk, "run/forgotten", close);
    decide(talk, "retired", { kind: "retire", throughMs: 10 });
    decide(talk, "run/closed", close);
    back(talk, "c");
    talk.settle();
    expect(keysAt(talk, "c").toSorted()).toEqual(["register/retired", "register/run/closed"]);
  });
});

describe("a repair", () => {
  it("takes away for good what a home alone had claimed together", () => {
    const talk = repairedAfterOwnClaim([], steps("r", 0, 3));
    talk.restart("a");
    expect(talk.table("a").value("step/r/0")).toMatchObject({ worker: "v" });
    expect(talk.table("a").value("step/r/1")).toBeNull();
    expect(talk.disk("a")).toEqual(talk.disk("b"));
  });

  it("leaves what was claimed together before, and what it takes to end them", () => {
    const talk = repairedAfterOwnClaim(steps("r", 10, 3), steps("r", 0, 3));
    expect(talk.disk("a")).toEqual(talk.disk("b"));
    talk.restart("a");
    expect(talk.table("a").value("step/r/10")).toMatchObject({ state: "done" });
    expect(talk.table("a").value("step/r/12")).toMatchObject({ state: "leased", worker: "w" });
    back(talk, "a");
    talk.tick("b", 100);
    talk.settle();
    talk.propose("b", "run/r", close);
    talk.settle();
    expect(keysAt(talk, "a").toSorted()).toEqual(["register/run/q", "register/run/r"]);
  });

  it("does not touch the entries of runs of which it brings nothing", () => {
    const talk = reignOfA();
    decide(talk, "run/r", admit);
    claimed(talk, steps("r", 0, 3));
    decide(talk, "run/q", admit);
    away(talk, "c");
    claimed(talk, steps("q", 0, 2));
    back(talk, "c");
    talk.settle();
    expect(keysAt(talk, "c")).toEqual([
      "register/run/r",
      "register/group/0",
      "register/run/q",
      "register/step/q/0",
      "register/step/q/1",
    ]);
  });
});

const ballot = { configuration: 1, epoch: 1, peer: "h", incarnation: "h1" };
const value = encodeValue({ kind: "step", state: "queued", token: 0, past: [] });

describe("a record of several registers", () => {
  it.each([
    ["steps of two runs", ["step/r/0", "step/q/0"]],
    ["steps whose places a home would not write so", ["step/r/0", "step/r/01"]],
    ["steps without a place in a plan", ["step/r/0", "step/r/-1"]],
    ["other registers", ["invite/0", "invite/1"]],
  ])("is stored register by register where it is of %s, as homes of earlier versions send it", (_, names) => {
    const acceptor = new Acceptor("b1");
    acceptor.begin({ kind: "reign", ballot, base: origin });
    const record = { names, value };
    const effects = acceptor.accept({ kind: "accept", ballot, round: 2, chosen: 1, records: [record] });
    const keys = effects.flatMap((effect) =>
      effect.kind === "store" ? effect.operations.map(({ key }) => key) : [],
    );
    expect(keys).toEqual([...names.map((name) => `register/${name}`), "acceptor"]);
  });
});

describe("a home that does not keep to the protocol", () => {
  const stepsOfR = { names: ["step/r/0", "step/r/1"], value };
  const later = encodeValue({ kind: "step", state: "queued", token: 7, past: [] });
  const disk = new Map<string, Uint8Array>();
  let acceptor: Acceptor;
  beforeEach(() => {
    disk.clear();
    acceptor = new Acceptor("b1");
    acceptor.begin({ kind: "reign", ballot, base: origin });
  });

  function accept(round: number, ...records: readonly WireRecord[]): readonly TableEffect[] {
    const effects = acceptor.accept({ kind: "accept", ballot, round, chosen: 1, records });
    for (const effect of effects)
      if (effect.kind === "store")
        for (const operation of effect.operations)
          if (operation.kind === "put") disk.set(operation.key, operation.value);
    return effects;
  }

  it("takes from the disk nothing of what is stored together, whatever it calls a register", () => {
    accept(2, stepsOfR);
    const names = ["group/0", "/group/0", "group/", "/", ""];
    for (const [index, name] of names.entries()) accept(3 + index, { names: [name], value: later });
    accept(8, { names: ["step/r/2", "step/r/3"], value });
    const again = new Acceptor("b2");
    again.restore([...disk]);
    expect(new Map(again.records.all().map(({ name, ...record }) => [name, record]))).toEqual(
      new Map(acceptor.records.all().map(({ name, ...record }) => [name, record])),
    );
    expect(again.records.size).toBe(4 + names.length);
  });

  it("gets no vote for a round in which a register has two values", () => {
    expect(accept(2, stepsOfR, { names: ["step/r/0"], value: later })).toEqual([]);
    expect(accept(2, { names: ["step/r/0", "step/r/0"], value })).toEqual([]);
    expect(accept(2, stepsOfR)).toHaveLength(2);
  });
});

describe("what is read from a disk", () => {
  it("is also what earlier versions wrote: each register alone", () => {
    const acceptor = new Acceptor("b1");
    acceptor.restore([
      ["register/step/r/0", encodeValue([1, 1, "h", "h1", 7, value])],
      ["register/step/r/1", encodeValue([1, 1, "h", "h1", 8, value])],
    ]);
    expect(acceptor.records.all()).toEqual([
      { name: "step/r/0", ballot, round: 7, value },
      { name: "step/r/1", ballot, round: 8, value },
    ]);
  });

  it("is a group only as it is written", () => {
    const record = { ballot, round: 7, value };
    const group = storedGroup({ run: "r", places: [0, 12], record });
    const { registers } = readRegisters([["register/group/0", group]]);
    expect([...registers]).toEqual([
      ["step/r/0", record],
      ["step/r/12", record],
    ]);
    const fields = [1, 1, "h", "h1", 7, value];
    for (const wrong of [
      [...fields, "r"],
      [...fields, "r", []],
      [...fields, "r", ["0"]],
      [...fields, "r", [-1]],
      [...fields, "r", [0.5]],
      [...fields, 5, [0]],
      [...fields, "r", [0], 1],
      fields.slice(0, 5),
    ])
      expect(() => readRegisters([["register/group/0", encodeValue(wrong)]])).toThrow("register/group/0");
  });
});
