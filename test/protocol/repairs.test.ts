/** Whoever lacks part of a table is sent that part, and takes it up whole. */

import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { encodeMessage } from "../../protocol/messages.ts";
import type { RegisterMessage } from "../../protocol/registers/messages.ts";
import type { Command } from "../../protocol/registers/registers.ts";
import { Conversation } from "./conversation.ts";

const admit: Command = { kind: "admit", manifest: "m", envelope: "e", validUntilMs: 10 };
const use: Command = { kind: "use-invite", peer: "p" };
const step = "step/r/0";

function claim(worker: string): Command {
  return { kind: "claim", worker, session: `${worker}:1`, nonce: `${worker}/1` };
}

/** Three control peers, of which a is home. */
function reignOfA(): Conversation {
  const talk = new Conversation("a", "b", "c");
  talk.linkAll();
  talk.tick("a", 0);
  talk.settle();
  return talk;
}

function decide(talk: Conversation, home: string, ...registers: readonly string[]): void {
  for (const register of registers) {
    talk.propose(home, register, register.startsWith("run/") ? admit : use);
    talk.settle();
  }
}

function invites(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `invite/${String(from + index).padStart(6, "0")}`);
}

function repairs(talk: Conversation): Extract<RegisterMessage, { kind: "repair" }>[] {
  return talk.said.flatMap((message) => (message.kind === "repair" ? [message] : []));
}

function namesIn(talk: Conversation): string[] {
  return repairs(talk).flatMap(({ records }) => records.map(({ name }) => name));
}

function away(talk: Conversation, peer: string): void {
  for (const other of ["a", "b", "c"]) if (other !== peer) talk.cut(other, peer);
}

function back(talk: Conversation, peer: string): void {
  for (const other of ["a", "b", "c"]) if (other !== peer) talk.link(other, peer);
}

describe("a voter that was away", () => {
  it("is sent what has changed meanwhile, each register once, and nothing else", () => {
    const talk = reignOfA();
    decide(talk, "a", "run/r", ...invites(0, 30));
    away(talk, "c");
    talk.propose("a", step, claim("w"));
    talk.settle();
    talk.propose("a", step, { kind: "expire", token: 1, cause: "lost", again: true });
    talk.settle();
    decide(talk, "a", "invite/new");
    back(talk, "c");
    talk.settle();
    // The last round before it left may not have been known to be chosen: it is told again.
    expect(namesIn(talk).toSorted()).toEqual(["invite/000029", "invite/new", step]);
    expect(talk.disk("c")).toEqual(talk.disk("a"));
  });

  it("is sent a page when it has the one before, and holds its old table until it has all", () => {
    const talk = reignOfA();
    decide(talk, "a", "run/r");
    away(talk, "c");
    decide(talk, "a", ...invites(0, 50));
    const before = talk.disk("c");
    back(talk, "c");
    talk.settleUntil(({ kind }) => kind === "more");
    talk.tick("a", limits.tickMs);
    talk.deliver("a", "b");
    talk.deliver("b", "a");
    expect(repairs(talk).map(({ last }) => last)).toEqual([false]);
    expect(talk.disk("c")).toEqual(before);
    talk.settle();
    expect(repairs(talk).map(({ page, last }) => [page, last])).toEqual([
      [0, false],
      [1, false],
      [2, true],
    ]);
    expect(talk.disk("c")).toEqual(talk.disk("a"));
  });

  it("begins anew when it is killed in between, and is none the worse for it", () => {
    const talk = reignOfA();
    away(talk, "c");
    decide(talk, "a", ...invites(0, 50));
    const before = talk.disk("c");
    back(talk, "c");
    talk.settleUntil(({ kind }) => kind === "more");
    talk.restart("c");
    expect(talk.disk("c")).toEqual(before);
    back(talk, "c");
    talk.settle();
    expect(talk.disk("c")).toEqual(talk.disk("a"));
  });
});

describe("a voter that is behind", () => {
  it("votes for no round while it is behind, and for each from then on", () => {
    const talk = reignOfA();
    away(talk, "c");
    decide(talk, "a", ...invites(0, 50));
    back(talk, "c");
    talk.settleUntil(({ kind }) => kind === "more");
    const said = talk.said.length;
    talk.propose("a", "run/meanwhile", admit);
    talk.deliver("a", "b");
    talk.deliver("a", "a");
    talk.deliver("b", "a");
    expect(talk.said.slice(said).filter(({ kind }) => kind === "accepted")).toHaveLength(2);
    talk.settle();
    expect(talk.disk("c")).toEqual(talk.disk("a"));
    const rounds = talk.said.length;
    decide(talk, "a", "run/next");
    expect(talk.said.slice(rounds).filter(({ kind }) => kind === "accepted")).toHaveLength(3);
    expect(talk.said.slice(rounds).filter(({ kind }) => kind === "repair")).toEqual([]);
  });

  it("asks again when a page is lost", () => {
    const talk = reignOfA();
    away(talk, "c");
    decide(talk, "a", ...invites(0, 50));
    back(talk, "c");
    talk.settleUntil(({ kind }) => kind === "more");
    talk.drop("c", "a");
    for (let beats = 0; beats < 2; beats += 1) {
      talk.tick("a", limits.heartbeatMs);
      talk.settle();
    }
    expect(talk.disk("c")).toEqual(talk.disk("a"));
  });

  it("asks at once when the link is back that broke in between", () => {
    const talk = reignOfA();
    away(talk, "c");
    decide(talk, "a", ...invites(0, 50));
    back(talk, "c");
    talk.settleUntil(({ kind }) => kind === "more");
    talk.cut("a", "c");
    talk.link("a", "c");
    talk.settle();
    expect(talk.disk("c")).toEqual(talk.disk("a"));
  });

  it("does not vote for a round that follows one that it has missed", () => {
    const talk = reignOfA();
    talk.propose("a", "run/r", admit);
    talk.drop("a", "c");
    talk.settle();
    talk.propose("a", step, claim("w"));
    talk.deliver("a", "c");
    expect(talk.said.at(-1)).toMatchObject({ kind: "gap" });
    talk.settle();
    expect(talk.disk("c")).toEqual(talk.disk("a"));
  });
});

describe("a voter", () => {
  it("does not begin a reign with another table than the home that begins it", () => {
    const talk = reignOfA();
    away(talk, "c");
    decide(talk, "a", "run/r");
    away(talk, "a");
    talk.link("b", "c");
    talk.tick("b", 5_000);
    talk.settle();
    expect(talk.table("b").stage).toBe("home");
    expect(talk.disk("c")).toEqual(talk.disk("b"));
  });

  it("has its vote counted that was lost with the link, when the link is back", () => {
    const talk = reignOfA();
    away(talk, "b");
    talk.propose("a", "run/r", admit);
    talk.deliver("a", "c");
    talk.deliver("a", "a");
    talk.cut("a", "c");
    talk.link("a", "c");
    talk.settle();
    expect(talk.table("a").value("run/r")).not.toBeNull();
  });

  it("takes no page of a repair that it had asked for before", () => {
    const talk = reignOfA();
    away(talk, "c");
    decide(talk, "a", ...invites(0, 50));
    back(talk, "c");
    talk.settleUntil(({ kind }) => kind === "more");
    const [late] = repairs(talk);
    talk.restart("c");
    back(talk, "c");
    talk.settleUntil(({ kind }) => kind === "gap");
    const before = talk.disk("c");
    if (late !== undefined) talk.hear("a", "c", { ...late, last: true });
    expect(talk.disk("c")).toEqual(before);
    talk.settle();
    expect(talk.disk("c")).toEqual(talk.disk("a"));
  });
});

describe("a home that was succeeded", () => {
  it("is sent, in place of what it alone had accepted, what the domain has: also the steps of a run that it had closed", () => {
    const talk = reignOfA();
    decide(talk, "a", "run/r");
    talk.propose("a", step, claim("w"));
    talk.settle();
    away(talk, "a");
    talk.propose("a", "run/r", { kind: "close", outcome: "passed" });
    talk.deliver("a", "a");
    expect([...talk.disk("a").keys()]).toEqual(expect.not.arrayContaining([step]));
    talk.tick("b", 200);
    talk.settle();
    decide(talk, "b", "invite/new");
    back(talk, "a");
    talk.tick("b", limits.heartbeatMs);
    talk.settle();
    expect(talk.table("a").stage).toBe("following");
    expect(talk.table("a").value(step)).toMatchObject({ state: "leased", worker: "w" });
    expect(talk.disk("a")).toEqual(talk.disk("b"));
  });

  it("has no register any more that it alone had accepted", () => {
    const talk = reignOfA();
    away(talk, "a");
    talk.propose("a", "run/own", admit);
    talk.deliver("a", "a");
    expect([...talk.disk("a").keys()]).toEqual(["run/own"]);
    talk.tick("b", 200);
    talk.settle();
    back(talk, "a");
    talk.tick("b", limits.heartbeatMs);
    talk.settle();
    expect([...talk.disk("a").keys()]).toEqual([]);
    expect(talk.disk("a")).toEqual(talk.disk("b"));
  });
});

describe("a candidate", () => {
  it("begins with the furthest table of a majority, and is sent only what it lacks of that", () => {
    const talk = reignOfA();
    decide(talk, "a", ...invites(0, 40));
    away(talk, "b");
    decide(talk, "a", "run/r", ...invites(100, 20));
    away(talk, "a");
    talk.link("b", "c");
    talk.tick("b", 5_000);
    talk.settle();
    expect(talk.table("b").stage).toBe("home");
    expect(talk.table("b").value("run/r")).not.toBeNull();
    expect(namesIn(talk)).toHaveLength(22);
    expect(talk.disk("c")).toEqual(talk.disk("b"));
  });

  it("is sent nothing when nobody is further, and its voters neither", () => {
    const talk = reignOfA();
    decide(talk, "a", ...invites(0, 40));
    for (const peer of ["b", "c"]) talk.cut("a", peer);
    talk.tick("b", 200);
    talk.settle();
    expect(talk.table("b").stage).toBe("home");
    expect(repairs(talk)).toEqual([]);
    expect(talk.said.filter(({ kind }) => kind === "reign")).toHaveLength(5);
  });
});

describe("a home", () => {
  it("sends no more to who is behind than it may between two ticks, and decides on meanwhile", () => {
    const talk = reignOfA();
    away(talk, "c");
    const report = new Uint8Array(limits.reportBytesMax);
    const steps = Math.ceil((3 * limits.repairBytesPerTickMax) / report.length);
    for (let index = 0; index < steps; index += 1) {
      const finish = { kind: "finish", token: 1, worker: "w", cause: "finished", outcome: "passed" } as const;
      talk.propose("a", `step/r/${index}`, claim("w"));
      talk.settle();
      talk.propose("a", `step/r/${index}`, { ...finish, report, again: false });
      talk.settle();
    }
    back(talk, "c");
    talk.settle();
    const bytesOf = (pages: readonly RegisterMessage[]): number =>
      pages.reduce((sum, page) => sum + encodeMessage(page).length, 0);
    const first = bytesOf(repairs(talk));
    expect(first).toBeGreaterThanOrEqual(limits.repairBytesPerTickMax);
    expect(first).toBeLessThan(limits.repairBytesPerTickMax + 2 * limits.batchBytesMax);
    decide(talk, "a", "run/meanwhile");
    expect(talk.table("a").value("run/meanwhile")).not.toBeNull();
    for (let ticks = 0; ticks < 4; ticks += 1) {
      talk.tick("a", limits.tickMs);
      talk.settle();
    }
    expect(repairs(talk).at(-1)?.last).toBe(true);
    expect(talk.disk("c")).toEqual(talk.disk("a"));
  });
});

const close: Command = { kind: "close", outcome: "passed" };
const retire = (throughMs: number): Command => ({ kind: "retire", throughMs });
const told = (
  talk: Conversation,
  ...some: readonly (readonly [register: string, command: Command])[]
): void => {
  for (const [register, command] of some) {
    talk.propose("a", register, command);
    talk.settle();
  }
};

const namesAt = (talk: Conversation, peer: string): string[] => [...talk.disk(peer).keys()];

/** Both are below the watermark; one of them is to be closed. */
const twoRuns = [
  ["run/gone", admit],
  ["run/open", admit],
  ["step/gone/0", claim("w")],
  ["step/open/0", claim("w")],
] as const;

describe("the watermark", () => {
  it("takes with it what was closed before, and nothing that is open, closed with it, or valid for longer", () => {
    const talk = reignOfA();
    const later: Command = { kind: "admit", manifest: "m", envelope: "e", validUntilMs: 11 };
    told(talk, ["run/closed", admit], ["run/open", admit], ["run/late", admit], ["run/longer", later]);
    told(talk, ["run/closed", close], ["run/longer", close], ["step/open/0", claim("w")]);
    // In one round.
    talk.table("a").propose("run/late", close, "close");
    talk.propose("a", "retired", retire(10));
    talk.settle();
    const left = ["retired", "run/late", "run/longer", "run/open", "step/open/0"];
    for (const peer of ["a", "b", "c"]) expect(namesAt(talk, peer)).toEqual(left);
    expect(talk.table("a").value("run/closed")).toBeNull();
    told(talk, ["run/closed", admit]);
    expect(talk.table("a").value("run/closed")).toBeNull();
    told(talk, ["retired", retire(11)]);
    for (const peer of ["a", "b", "c"])
      expect(namesAt(talk, peer)).toEqual(["retired", "run/open", "step/open/0"]);
  });

  it("is a voter's to go by only when it knows that a majority holds it", () => {
    const talk = reignOfA();
    talk.propose("a", "retired", retire(10));
    talk.settle();
    expect([talk.table("a").retired?.throughMs, talk.table("b").retired]).toEqual([10, null]);
    talk.tick("a", limits.heartbeatMs);
    talk.settle();
    expect(talk.table("b").retired?.throughMs).toBe(10);
  });
});

describe("a watermark", () => {
  it("that rose while a voter was away is told first, with what is left below it", () => {
    const talk = reignOfA();
    told(talk, ...twoRuns);
    away(talk, "c");
    told(talk, ["run/gone", close], ["run/new", admit], ["retired", retire(10)]);
    back(talk, "c");
    talk.settle();
    expect(namesIn(talk)).toEqual(["retired", "run/open", "run/new", "step/open/0"]);
    expect(talk.disk("c")).toEqual(talk.disk("a"));
    expect(namesAt(talk, "c")).toEqual(["retired", "run/new", "run/open", "step/open/0"]);
  });

  it("takes the steps of a run along whose register a voter had asked for by its name", () => {
    const talk = reignOfA();
    // Nobody has told it that this last round is chosen.
    told(talk, ...twoRuns, ["run/gone", { kind: "cancel", by: "person" }]);
    away(talk, "c");
    told(talk, ["run/gone", { kind: "close", outcome: "cancelled" }], ["retired", retire(10)]);
    back(talk, "c");
    talk.settle();
    const asked = talk.said.flatMap((message) => (message.kind === "gap" ? message.names : []));
    expect(asked).toContain("run/gone");
    expect(talk.disk("c")).toEqual(talk.disk("a"));
    expect(namesAt(talk, "c")).toEqual(["retired", "run/open", "step/open/0"]);
  });

  it("that rises while pages come takes back what came in them before", () => {
    const talk = reignOfA();
    away(talk, "c");
    told(talk, ...twoRuns);
    decide(talk, "a", ...invites(0, 50));
    back(talk, "c");
    talk.settleUntil(({ kind }) => kind === "more");
    talk.propose("a", "run/gone", close);
    talk.settleUntil(({ kind }) => kind === "accepted");
    talk.propose("a", "retired", retire(10));
    talk.settle();
    expect(namesIn(talk).filter((name) => name === "retired")).toHaveLength(1);
    expect(namesIn(talk)).toContain("run/gone");
    expect(talk.disk("c")).toEqual(talk.disk("a"));
    expect(namesAt(talk, "c")).toContain("run/open");
    expect(namesAt(talk, "c")).toContain("step/open/0");
    expect(namesAt(talk, "c")).not.toContain("run/gone");
  });

  it("that a voter took and nobody chose is taken back with all that it had forgotten", () => {
    const talk = reignOfA();
    told(talk, ["run/closed", admit], ["run/closed", close], ["invite/x", use]);
    talk.propose("a", "retired", retire(10));
    talk.deliver("a", "a");
    expect(namesAt(talk, "a")).not.toContain("run/closed");
    away(talk, "a");
    talk.tick("b", limits.homeSilenceMsMax * 4);
    talk.settle();
    expect(talk.table("b").stage).toBe("home");
    back(talk, "a");
    talk.settle();
    talk.tick("b", limits.heartbeatMs);
    talk.settle();
    expect(talk.disk("a")).toEqual(talk.disk("b"));
    expect(namesAt(talk, "a")).toEqual(["invite/x", "run/closed"]);
  });
});
