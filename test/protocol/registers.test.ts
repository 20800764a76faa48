import { describe, expect, it } from "vitest";
import { type Command, evaluate } from "../../protocol/registers/registers.ts";
import { Conversation } from "./conversation.ts";
import { stepAfter } from "../node/core/example.ts";

const admit = { kind: "admit", manifest: "m", envelope: "e", validUntilMs: 10 } as const satisfies Command;
const step = "step/r/0";

function claim(worker: string): Command {
  return { kind: "claim", worker, session: `${worker}:1`, nonce: `${worker}/1` };
}

function finish(worker: string, token: number, again = false): Command {
  const outcome = again ? "failed" : "passed";
  const cause = again ? "failed" : "finished";
  return { kind: "finish", token, worker, cause, outcome, report: Uint8Array.of(1), again };
}

function expire(token: number, again: boolean): Command {
  return { kind: "expire", token, cause: "lost", again };
}

describe("a step's register", () => {
  it("gives every lease a token of its own, also after an expiry and a new attempt", () => {
    const third = stepAfter(claim("w"), expire(1, true), claim("v"), finish("v", 3, true), claim("w"));
    expect(third).toMatchObject({ state: "leased", token: 5, attempt: 3 });
    expect(third.past.map(({ token, cause }) => [token, cause])).toEqual([
      [1, "lost"],
      [3, "failed"],
    ]);
  });

  it("accepts a result under the newest token only", () => {
    const leased = stepAfter(claim("w"), expire(1, true), claim("v"));
    expect(evaluate(leased, finish("w", 1))).toMatchObject({ kind: "refused", reason: "stale" });
    expect(evaluate(leased, finish("v", 4))).toMatchObject({ kind: "refused", reason: "stale" });
    expect(evaluate(leased, finish("v", 3))).toMatchObject({ kind: "changed", value: { state: "done" } });
  });

  it("accepts a result from the lease's holder only", () => {
    expect(evaluate(stepAfter(claim("w")), finish("v", 1))).toMatchObject({
      kind: "refused",
      reason: "stale",
    });
  });

  it("knows a result that comes twice, whether the step is done or is tried again", () => {
    const done = stepAfter(claim("w"), finish("w", 1));
    expect(evaluate(done, finish("w", 1))).toMatchObject({ reason: "duplicate" });
    const again = stepAfter(claim("w"), finish("w", 1, true));
    expect(evaluate(again, finish("w", 1, true))).toMatchObject({ reason: "duplicate" });
    // Whatever it says the second time.
    expect(evaluate(again, finish("w", 1))).toMatchObject({ reason: "duplicate" });
    expect(evaluate(again, finish("v", 1))).toMatchObject({ reason: "stale" });
    const lost = stepAfter(claim("w"), expire(1, true));
    expect(evaluate(lost, finish("w", 1))).toMatchObject({ reason: "stale" });
    expect(evaluate(lost, finish("w", 2))).toMatchObject({ reason: "stale" });
  });

  it("calls a result late when its attempt was cancelled without it, and known when it was cancelled with it", () => {
    const cancelled: Command = { kind: "expire", token: 1, cause: "cancelled", again: false };
    const reported: Command = { ...finish("w", 1), cause: "cancelled", outcome: "cancelled" } as Command;
    expect(evaluate(stepAfter(claim("w"), cancelled), reported)).toMatchObject({ reason: "stale" });
    expect(evaluate(stepAfter(claim("w"), reported), reported)).toMatchObject({ reason: "duplicate" });
  });

  it("raises the token when a lease runs out for good, so that a late result is stale", () => {
    const lost = stepAfter(claim("w"), expire(1, false));
    expect(lost).toMatchObject({ state: "done", outcome: "failed", token: 2, report: null });
    expect(evaluate(lost, finish("w", 1))).toMatchObject({ reason: "stale" });
    expect(evaluate(lost, finish("w", 2))).toMatchObject({ reason: "stale" });
  });

  it("is not granted while it is leased or done, and answers the pull that won it again", () => {
    expect(evaluate(stepAfter(claim("w")), claim("v"))).toMatchObject({ reason: "taken" });
    expect(evaluate(stepAfter(claim("w")), claim("w"))).toMatchObject({ reason: "duplicate" });
    expect(evaluate(stepAfter(claim("w"), finish("w", 1)), claim("v"))).toMatchObject({ reason: "taken" });
  });

  it("does not expire under a token that is not its newest", () => {
    const leased = stepAfter(claim("w"), expire(1, true), claim("v"));
    expect(evaluate(leased, expire(1, true))).toMatchObject({ reason: "stale" });
  });
});

describe("a run's register", () => {
  const open = evaluate(null, admit);
  const value = open.kind === "changed" ? open.value : null;
  const closed = evaluate(value, { kind: "close", outcome: "passed" });

  it("admits a run once", () => {
    expect(evaluate(value, admit)).toMatchObject({ kind: "refused", reason: "duplicate" });
  });

  it("closes once, and nothing opens or cancels it again", () => {
    const ended = closed.kind === "changed" ? closed.value : null;
    expect(evaluate(ended, { kind: "close", outcome: "failed" })).toMatchObject({ reason: "duplicate" });
    expect(evaluate(ended, { kind: "cancel", by: "ada" })).toMatchObject({ reason: "closed" });
    expect(evaluate(ended, admit)).toMatchObject({ reason: "duplicate" });
  });

  it("ends as cancelled once a cancellation was accepted, whatever raced it", () => {
    const cancelled = evaluate(value, { kind: "cancel", by: "ada" });
    const before = cancelled.kind === "changed" ? cancelled.value : null;
    expect(evaluate(before, { kind: "cancel", by: "ada" })).toMatchObject({ reason: "duplicate" });
    // Whoever closes it so has not heard of the cancellation, and has told nobody of it.
    expect(evaluate(before, { kind: "close", outcome: "passed" })).toMatchObject({ reason: "stale" });
    const end = evaluate(before, { kind: "close", outcome: "cancelled" });
    expect(end).toMatchObject({ kind: "changed", value: { outcome: "cancelled" } });
    expect(evaluate(value, { kind: "close", outcome: "cancelled" })).toMatchObject({ reason: "stale" });
  });

  it("cannot be cancelled before it was admitted", () => {
    expect(evaluate(null, { kind: "cancel", by: "ada" })).toMatchObject({ reason: "absent" });
  });

  it("is no step: a step's command leaves it alone", () => {
    expect(evaluate(value, claim("w"))).toMatchObject({ reason: "absent" });
  });
});

describe("the watermark", () => {
  const raised = evaluate(null, { kind: "retire", throughMs: 10 });
  const watermark = raised.kind === "changed" ? raised.value : null;

  it("only rises", () => {
    for (const throughMs of [9, 10])
      expect(evaluate(watermark, { kind: "retire", throughMs })).toMatchObject({ reason: "stale" });
    expect(evaluate(watermark, { kind: "retire", throughMs: 11 })).toMatchObject({ kind: "changed" });
  });

  it("has what could be admitted until then, or earlier, admitted no more", () => {
    expect(evaluate(null, admit, watermark)).toMatchObject({ reason: "expired" });
    expect(evaluate(null, { ...admit, validUntilMs: 11 }, watermark)).toMatchObject({ kind: "changed" });
  });
});

describe("an invite's register", () => {
  it("lets one peer in, and the same peer again", () => {
    const used = evaluate(null, { kind: "use-invite", peer: "p" });
    const value = used.kind === "changed" ? used.value : null;
    expect(evaluate(value, { kind: "use-invite", peer: "p" })).toMatchObject({ reason: "duplicate" });
    expect(evaluate(value, { kind: "use-invite", peer: "q" })).toMatchObject({ reason: "taken" });
  });
});

describe("control peers agree, as in the trace", () => {
  it("elect a home, decide, and refuse only what is committed", async () => {
    const talk = new Conversation("a", "b", "c");
    talk.say("The first of the charter stands at once; a majority of promises is enough.");
    talk.linkAll();
    talk.tick("a", 0);
    talk.settle();
    talk.say("A run is admitted; its second admission is refused.");
    talk.propose("a", "run/r", admit);
    talk.propose("a", "run/r", admit);
    talk.settle();
    talk.say("Two claims of one step: the second is refused when the first is committed, not before.");
    talk.propose("a", step, claim("w"));
    talk.propose("a", step, claim("v"));
    talk.settle();
    await expect(talk.text).toMatchFileSnapshot("../traces/home-decides.txt");
  });

  it("carry a decision over to the next home when the home dies", async () => {
    const talk = new Conversation("a", "b", "c");
    talk.linkAll();
    talk.tick("a", 0);
    talk.settle();
    talk.propose("a", "run/r", admit);
    talk.settle();
    talk.say("The home grants a step, hears the votes and dies before it tells anybody.");
    talk.propose("a", step, claim("w"));
    talk.deliver("a", "b");
    talk.drop("a", "c");
    talk.restart("a");
    talk.say("b stands next. It had voted for the lease, so the lease is the domain's.");
    talk.tick("b", 200);
    talk.settle();
    expect(talk.table("b").value(step)).toMatchObject({ state: "leased", worker: "w", token: 1 });
    talk.say("a comes back and follows.");
    talk.link("a", "b");
    talk.link("a", "c");
    talk.settle();
    expect(talk.table("a").stage).toBe("following");
    await expect(talk.text).toMatchFileSnapshot("../traces/take-over.txt");
  });

  it("depose a home that cannot be reached, whose late proposals count for nothing", async () => {
    const talk = new Conversation("a", "b", "c");
    talk.linkAll();
    talk.tick("a", 0);
    talk.settle();
    talk.say("a is cut off with a claim on its way, and b takes over.");
    talk.propose("a", step, claim("w"));
    talk.cut("a", "b");
    talk.cut("a", "c");
    talk.tick("b", 200);
    talk.settle();
    talk.propose("b", step, claim("v"));
    talk.settle();
    talk.say("The links are back: a learns that it was succeeded, and its claim is nobody's.");
    talk.link("a", "b");
    talk.link("a", "c");
    talk.settle();
    talk.say("The next heartbeat makes it follow.");
    talk.tick("b", 250);
    talk.settle();
    expect(talk.table("a").stage).toBe("following");
    await expect(talk.text).toMatchFileSnapshot("../traces/deposed.txt");
    expect(talk.table("a").value(step)).toMatchObject({ state: "leased", worker: "v", token: 1 });
  });
});

describe("control peers that do not hear each other, as in the trace", () => {
  it("bring a voter up that missed a round, instead of letting it vote for the next", async () => {
    const talk = new Conversation("a", "b", "c");
    talk.linkAll();
    talk.tick("a", 0);
    talk.settle();
    talk.say("c misses the admission; the claim that follows makes it ask for everything.");
    talk.propose("a", "run/r", admit);
    talk.drop("a", "c");
    talk.settle();
    talk.propose("a", step, claim("w"));
    talk.settle();
    expect(talk.table("c").value("run/r")).not.toBeNull();
    await expect(talk.text).toMatchFileSnapshot("../traces/gap.txt");
  });

  it("leave a home alone that most of them hear well", async () => {
    const talk = new Conversation("a", "b", "c");
    talk.linkAll();
    talk.tick("a", 0);
    talk.settle();
    talk.say("Only the link between a and c breaks. c canvasses; b hears its home and is not willing.");
    talk.cut("a", "c");
    talk.tick("c", 250);
    talk.settle();
    talk.say("The link is back: c has promised nothing meanwhile, and follows again.");
    talk.link("a", "c");
    talk.settle();
    talk.propose("a", "run/r", admit);
    talk.settle();
    expect(talk.table("a").stage).toBe("home");
    expect(talk.table("c").stage).toBe("following");
    expect(talk.table("c").value("run/r")).not.toBeNull();
    await expect(talk.text).toMatchFileSnapshot("../traces/one-broken-link.txt");
  });
});

describe("control peers", () => {
  it("leave a home alone when one of them starts anew, also when that one comes first in the charter", () => {
    const talk = new Conversation("a", "b", "c");
    talk.linkAll();
    talk.tick("b", 200);
    talk.settle();
    expect(talk.table("b").stage).toBe("home");
    talk.restart("a");
    talk.link("a", "b");
    talk.link("a", "c");
    talk.tick("a", 300);
    talk.settle();
    talk.tick("b", 450);
    talk.settle();
    talk.propose("b", "run/r", admit);
    talk.settle();
    expect(talk.table("b").stage).toBe("home");
    expect(talk.table("a").home).toBe("b");
    expect(talk.table("a").value("run/r")).not.toBeNull();
    expect(talk.text).not.toContain("@a2 {");
  });

  it("are home again at once after a voter had promised more, when nobody else is", () => {
    const talk = new Conversation("a", "b", "c");
    talk.linkAll();
    talk.tick("a", 0);
    talk.settle();
    // c finds both willing, promises itself its ballot, and is cut off before anybody hears of it.
    talk.cut("a", "c");
    talk.cut("b", "c");
    talk.cut("a", "b");
    talk.link("b", "c");
    talk.tick("c", 250);
    talk.deliver("c", "b");
    talk.deliver("b", "c");
    talk.deliver("c", "c");
    talk.cut("b", "c");
    talk.link("a", "b");
    talk.settle();
    talk.link("a", "c");
    talk.link("b", "c");
    talk.settle();
    talk.tick("a", 600);
    talk.settle();
    expect(talk.text).toContain("nack 1@a1, promised 2@c1");
    expect(talk.table("a").stage).toBe("home");
    expect(talk.table("c").home).toBe("a");
  });

  it("never propose under a ballot of an earlier life", () => {
    const talk = new Conversation("a", "b", "c");
    talk.linkAll();
    talk.tick("a", 0);
    talk.settle();
    talk.restart("a");
    talk.link("a", "b");
    talk.link("a", "c");
    talk.tick("a", 3_000);
    talk.settle();
    expect(talk.text).toContain("prepare 2@a2");
    expect(talk.text.match(/prepare 1@a2/u)).toBeNull();
  });

  it("follow another home when theirs has lost its majority, though they still hear it", () => {
    const talk = new Conversation("a", "b", "c", "d", "e");
    talk.linkAll();
    talk.tick("a", 0);
    talk.settle();
    for (const far of ["c", "d", "e"]) talk.cut("a", far);
    for (const peer of ["a", "b", "a"]) talk.tick(peer, 600);
    talk.settle();
    talk.tick("c", 400);
    talk.settle();
    expect(talk.table("c").stage).toBe("home");
    expect(talk.table("b").home).toBe("c");
  });
});

describe("control peers whose home is not heard by all", () => {
  it("are not kept from a home by one of them that still hears the old one, when the others do not", () => {
    const talk = new Conversation("a", "b", "c", "d", "e");
    talk.linkAll();
    talk.tick("a", 0);
    talk.settle();
    // Nothing that a says arrives but at e: the links seem up.
    const deaf = ["b", "c", "d"];
    const settleButForDeaf = (): void => {
      for (let turn = 0; turn < 10; turn += 1) {
        for (const peer of deaf) talk.drop("a", peer);
        for (const from of ["e", ...deaf]) for (const to of ["a", "e", ...deaf]) talk.deliver(from, to);
        talk.deliver("a", "e");
      }
    };
    for (const afterMs of [1_000, 1_000]) {
      talk.tick("a", afterMs);
      settleButForDeaf();
    }
    talk.tick("b", 100);
    settleButForDeaf();
    expect(talk.table("b").stage).toBe("home");
  });

  it("find a home together again after one of them has promised more, though nothing is proposed", () => {
    const talk = new Conversation("a", "b", "c");
    talk.linkAll();
    talk.tick("a", 0);
    talk.settle();
    // a and b are silent for long, and are heard again when c has already promised itself its ballot.
    talk.tick("c", 2_000);
    talk.deliver("c", "b");
    talk.deliver("b", "c");
    talk.deliver("c", "c");
    talk.tick("a", 0);
    talk.deliver("a", "b");
    talk.settle();
    expect(talk.text).toContain("prepare 2@c1");
    talk.restart("b");
    for (let turn = 0; turn < 20; turn += 1)
      for (const peer of ["a", "c"]) {
        talk.tick(peer, 125);
        talk.settle();
      }
    const [home, other] = talk.table("a").stage === "home" ? ["a", "c"] : ["c", "a"];
    expect(talk.table(home).isAssured(talk.nowMs)).toBe(true);
    expect(talk.table(other).home).toBe(home);
  });

  it("do not count who was willing before its link broke", () => {
    const talk = new Conversation("a", "b", "c", "d", "e");
    for (const peer of ["b", "c", "d"]) talk.link("a", peer);
    talk.tick("a", 0);
    talk.deliver("a", "b");
    talk.deliver("b", "a");
    talk.cut("a", "b");
    talk.link("a", "e");
    talk.deliver("a", "c");
    talk.deliver("c", "a");
    expect(talk.text).not.toContain("prepare");
    expect(talk.table("a").stage).toBe("following");
    talk.deliver("a", "d");
    talk.deliver("d", "a");
    expect(talk.table("a").stage).toBe("preparing");
  });

  it("do not count who was willing before the majority was lost", () => {
    const talk = new Conversation("a", "b", "c", "d", "e");
    for (const peer of ["b", "c"]) talk.link("a", peer);
    talk.tick("a", 0);
    talk.deliver("a", "b");
    talk.deliver("b", "a");
    talk.cut("a", "c");
    talk.tick("a", 60_000);
    talk.link("a", "d");
    talk.settle();
    expect(talk.table("a").stage).toBe("following");
    talk.tick("a", 250);
    talk.settle();
    expect(talk.table("a").stage).toBe("home");
  });
});

describe("control peers whose home does not hear them", () => {
  it("find another home when theirs hears nobody, though they hear it", () => {
    const talk = new Conversation("a", "b", "c");
    talk.linkAll();
    talk.tick("a", 0);
    talk.settle();
    for (let turn = 0; turn < 100; turn += 1) {
      for (const [peer, afterMs] of [
        ["a", 100],
        ["b", 0],
        ["c", 0],
      ] as const)
        talk.tick(peer, afterMs);
      for (let answers = 0; answers < 6; answers += 1) {
        for (const to of ["a", "b", "c"]) talk.deliver("a", to);
        for (const from of ["b", "c"]) for (const to of ["b", "c"]) talk.deliver(from, to);
        for (const from of ["b", "c"]) talk.drop(from, "a");
      }
    }
    expect(talk.table("b").stage).toBe("home");
    expect(talk.table("c").home).toBe("b");
    expect(talk.table("b").isAssured(talk.nowMs)).toBe(true);
    talk.settle();
    talk.tick("b", 250);
    talk.settle();
    expect(talk.table("a").home).toBe("b");
  });

  it("leave a home alone that hears them late, as long as it hears them", () => {
    const talk = new Conversation("a", "b", "c");
    talk.linkAll();
    talk.tick("a", 0);
    talk.settle();
    for (let turn = 0; turn < 100; turn += 1) {
      talk.tick("a", 250);
      for (const peer of ["b", "c"]) talk.deliver("a", peer);
      // What b and c say takes five seconds.
      if (turn % 20 === 19) talk.settle();
    }
    expect(talk.table("a").stage).toBe("home");
  });

  it("leave a home alone that was paused for long, when its next heartbeat is answered", () => {
    const talk = new Conversation("a", "b", "c");
    talk.linkAll();
    talk.tick("a", 0);
    talk.settle();
    for (let turn = 0; turn < 3; turn += 1) {
      talk.tick("a", 60_000);
      talk.settle();
    }
    expect(talk.table("a").stage).toBe("home");
  });
});

describe("a control peer", () => {
  it("decides alone when the charter lists one", () => {
    const talk = new Conversation("a");
    talk.tick("a", 0);
    talk.settle();
    talk.propose("a", "run/r", admit);
    talk.settle();
    talk.restart("a");
    talk.tick("a", 10);
    talk.settle();
    expect(talk.table("a").stage).toBe("home");
    expect(talk.table("a").value("run/r")).toMatchObject({ outcome: null });
    expect(talk.table("a").isAssured(10)).toBe(true);
  });

  it("is sure of its reign only shortly after a majority answered", () => {
    const talk = new Conversation("a", "b", "c");
    talk.linkAll();
    talk.tick("a", 0);
    talk.settle();
    expect(talk.table("a").isAssured(0)).toBe(false);
    talk.tick("a", 1_000);
    talk.settle();
    expect(talk.table("a").isAssured(1_750)).toBe(true);
    expect(talk.table("a").isAssured(1_751)).toBe(false);
  });

  it("is sure that nobody else was home until a moment when a majority has answered what it said after that", () => {
    const talk = new Conversation("a", "b", "c");
    talk.linkAll();
    talk.tick("a", 0);
    talk.settle();
    talk.tick("a", 1_000);
    expect(talk.table("a").isAssuredAfter(999)).toBe(false);
    talk.settle();
    expect([999, 1_000].map((sinceMs) => talk.table("a").isAssuredAfter(sinceMs))).toEqual([true, false]);
    expect(talk.table("b").isAssuredAfter(0)).toBe(false);
  });

  it("is not sure of its reign when its machine slept, until a majority answers what it says since then", () => {
    const talk = new Conversation("a", "b", "c");
    talk.linkAll();
    talk.tick("a", 0);
    talk.settle();
    talk.tick("a", 1_000);
    // Its heartbeats are answered, and the answers are read after the sleep.
    talk.table("a").slept(1_100);
    talk.settle();
    expect(talk.table("a").isAssured(1_100)).toBe(false);
    talk.tick("a", 1_250);
    talk.settle();
    expect(talk.table("a").isAssured(1_250)).toBe(true);
  });

  it("forgets the steps of a closed run, also after a restart", () => {
    const talk = new Conversation("a");
    talk.tick("a", 0);
    talk.settle();
    talk.propose("a", "run/r", admit);
    talk.settle();
    talk.propose("a", step, claim("w"));
    talk.settle();
    talk.propose("a", "run/r", { kind: "close", outcome: "passed" });
    talk.settle();
    expect(talk.table("a").value(step)).toBeNull();
    talk.restart("a");
    expect(talk.table("a").value(step)).toBeNull();
    expect(talk.table("a").value("run/r")).toMatchObject({ outcome: "passed" });
    expect([...talk.table("a").openRuns]).toEqual([]);
  });

  it("forgets what was proposed of a step before its run was closed, in the same round or one that was under way", () => {
    const talk = new Conversation("a");
    talk.tick("a", 0);
    talk.settle();
    talk.propose("a", "run/r", admit);
    talk.settle();
    const other = "step/r/1";
    talk.table("a").propose("run/r", { kind: "close", outcome: "passed" }, "close");
    talk.propose("a", step, claim("w"));
    talk.propose("a", other, claim("v"));
    talk.settle();
    expect([step, other].map((name) => talk.table("a").value(name))).toEqual([null, null]);
    expect([...talk.table("a").committedEntries()].map(([name]) => name)).toEqual(["run/r"]);
  });
});
