import { describe, expect, it } from "vitest";
import { Loop } from "../../../node/core/loop.ts";
import type { Stores } from "../../../node/core/effects.ts";
import type { Clock, Storage } from "../../../node/ports.ts";
import type { Message } from "../../../protocol/messages.ts";

type Told = string;
type Asked =
  | { readonly kind: "say"; readonly word: string }
  | { readonly kind: "echo"; readonly word: string }
  | { readonly kind: "recorded"; readonly word: string }
  | { readonly kind: "send"; readonly word: string; readonly message: Message };
const say = (word: string): Asked => ({ kind: "say", word });
const store = (key: string): Stores => ({
  kind: "store",
  operations: [{ kind: "put", key, value: new Uint8Array() }],
});
const storeSoon = (key: string): Stores => ({ ...store(key), soon: true });
const barrier: Stores = { kind: "store", operations: [] };
/** Tells of what is stored. */
const tell = (word: string): Asked => ({ kind: "recorded", word });
/** Tells a worker what the domain has decided. */
const grant = (word: string): Asked => ({
  kind: "send",
  word,
  message: { kind: "grant", nonce: "", leases: [], bundles: {} },
});

/** A loop over a disk whose syncs return when the test says so; everything that happens is written down. */
class Bench {
  readonly happened: string[] = [];
  readonly failures: unknown[] = [];
  readonly loop: Loop<Told, Asked>;
  failing = false;
  #syncs: (() => void)[] = [];
  /** Those that are due at some time, the tick's left out. */
  #timers: (() => void)[] = [];

  constructor(decisions: Readonly<Record<Told, readonly (Asked | Stores)[]>>) {
    const clock: Clock = {
      monotonicMs: () => 0,
      wallMs: () => 0,
      setTimer: (afterMs, callback) => {
        if (afterMs < 100) this.#timers.push(callback);
        return { cancel: () => void (this.#timers = this.#timers.filter((timer) => timer !== callback)) };
      },
      afterTurn: (callback) => queueMicrotask(callback),
    };
    this.loop = new Loop({
      decide: (inputs) => {
        if (inputs.includes("throw")) throw new Error("Bug: thrown");
        return inputs.flatMap((input) => decisions[input] ?? []);
      },
      perform: (effect) => {
        this.happened.push(effect.word);
        if (effect.kind === "echo") this.loop.post(effect.word);
      },
      clock,
      storage: this.#storage(),
      tick: { input: "tick", afterMs: () => 100 },
      failed: (cause) => this.failures.push(cause),
    });
  }

  /** Lets the sync under way return, and everything that follows from it happen. */
  async synced(): Promise<void> {
    const waiting = this.#syncs;
    this.#syncs = [];
    for (const resolve of waiting) resolve();
    await settled();
  }

  get timers(): number {
    return this.#timers.length;
  }

  /** Lets what waits for a while go on. */
  async waited(): Promise<void> {
    for (const callback of this.#timers.splice(0)) callback();
    await settled();
  }

  #storage(): Storage {
    return {
      get: () => Promise.resolve(undefined),
      list: () => Promise.resolve([]),
      write: () => Promise.reject(new Error("a loop commits")),
      sync: () => Promise.reject(new Error("a loop commits")),
      commit: (operations, done) => {
        if (this.failing) return queueMicrotask(() => done(new Error("disk full")));
        this.happened.push(`write ${operations.map(({ key }) => key).join("+")}`);
        this.#syncs.push(() => done(null));
      },
      close: () => Promise.resolve(),
    };
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

describe("the loop", () => {
  it("says nothing that comes after a store before that is on disk", async () => {
    const bench = new Bench({ vote: [say("early"), store("vote"), say("voted")] });
    bench.loop.post("vote");
    await settled();
    expect(bench.happened).toEqual(["early", "write vote"]);
    await bench.synced();
    expect(bench.happened).toEqual(["early", "write vote", "voted"]);
  });

  it("goes on deciding while the disk works, and makes one write of what gathers", async () => {
    const bench = new Bench({
      a: [store("a"), say("A")],
      b: [store("b"), say("B")],
      c: [store("c"), say("C")],
    });
    bench.loop.post("a");
    await settled();
    bench.loop.post("b");
    await settled();
    bench.loop.post("c");
    await settled();
    expect(bench.happened).toEqual(["write a"]);
    await bench.synced();
    expect(bench.happened).toEqual(["write a", "A", "write b+c"]);
    await bench.synced();
    expect(bench.happened).toEqual(["write a", "A", "write b+c", "B", "C"]);
  });

  it("decides together what comes together, and writes it at once", async () => {
    const bench = new Bench({ a: [store("a"), say("A")], b: [store("b"), say("B")] });
    bench.loop.post("a");
    bench.loop.post("b");
    expect(bench.happened).toEqual([]);
    await settled();
    expect(bench.happened).toEqual(["write a+b"]);
    await bench.synced();
    expect(bench.happened).toEqual(["write a+b", "A", "B"]);
  });

  it("keeps the order of effects when performing one tells it something", async () => {
    const bench = new Bench({ first: [{ kind: "echo", word: "second" }, say("1")], second: [say("2")] });
    bench.loop.post("first");
    await settled();
    expect(bench.happened).toEqual(["second", "1", "2"]);
  });
});

describe("the loop, of what others have decided", () => {
  it("tells it while its own disk works, in order, and nothing besides", async () => {
    const bench = new Bench({
      vote: [store("a"), say("A")],
      chosen: [store("b"), grant("1"), say("B"), grant("2")],
    });
    bench.loop.post("vote");
    await settled();
    bench.loop.post("chosen");
    await settled();
    expect(bench.happened).toEqual(["write a", "1", "2"]);
    await bench.synced();
    await bench.synced();
    expect(bench.happened).toEqual(["write a", "1", "2", "A", "write b", "B"]);
  });
});

describe("the loop, of what is to be stored soon", () => {
  it("goes on without it, and lets only what tells of it wait", async () => {
    const bench = new Bench({ claim: [storeSoon("event"), tell("told"), say("granted")] });
    bench.loop.post("claim");
    await settled();
    expect(bench.happened).toEqual(["granted"]);
    await bench.waited();
    expect(bench.happened).toEqual(["granted", "write event"]);
    await bench.synced();
    expect(bench.happened).toEqual(["granted", "write event", "told"]);
  });

  it("writes it in the order in which it was decided, with the next that is waited for", async () => {
    const bench = new Bench({
      claim: [storeSoon("a"), tell("A"), say("granted")],
      vote: [store("b"), storeSoon("c"), tell("C"), say("B")],
    });
    bench.loop.post("claim");
    await settled();
    bench.loop.post("vote");
    await settled();
    expect(bench.happened).toEqual(["granted", "write a+b+c"]);
    await bench.waited();
    await bench.synced();
    expect(bench.happened).toEqual(["granted", "write a+b+c", "A", "C", "B"]);
    await bench.waited();
    expect(bench.happened).toHaveLength(5);
  });

  it("waits anew for what is to be stored behind that", async () => {
    const bench = new Bench({ claim: [storeSoon("a")], vote: [store("b")], next: [storeSoon("c")] });
    bench.loop.post("claim");
    await settled();
    bench.loop.post("vote");
    await settled();
    expect(bench.timers).toBe(0);
    await bench.synced();
    bench.loop.post("next");
    await settled();
    expect(bench.timers).toBe(1);
    await bench.waited();
    expect(bench.happened).toEqual(["write a+b", "write c"]);
  });

  it("waits for it where an effect rests on all that was decided, and for nothing where nothing is left", async () => {
    const bench = new Bench({ claim: [storeSoon("a")], ask: [barrier, say("held")] });
    bench.loop.post("claim");
    bench.loop.post("ask");
    await settled();
    expect(bench.happened).toEqual(["write a"]);
    await bench.synced();
    expect(bench.happened).toEqual(["write a", "held"]);
    bench.loop.post("ask");
    await settled();
    expect(bench.happened).toEqual(["write a", "held", "held"]);
  });

  it("has stored it when it has stopped, and loses it when the disk fails", async () => {
    const bench = new Bench({ claim: [storeSoon("a"), tell("A")] });
    bench.loop.post("claim");
    await settled();
    const stopping = bench.loop.stop();
    await bench.synced();
    await stopping;
    expect(bench.happened).toEqual(["write a", "A"]);

    const failing = new Bench({ claim: [storeSoon("a"), tell("A")] });
    failing.failing = true;
    failing.loop.post("claim");
    await settled();
    await failing.waited();
    await failing.loop.stop();
    expect(failing.happened).toEqual([]);
    expect(failing.failures).toHaveLength(1);
  });

  it("stores also what was decided while it was being stopped", async () => {
    const bench = new Bench({ vote: [store("a"), say("A")], claim: [storeSoon("b"), tell("B")] });
    bench.loop.post("vote");
    await settled();
    bench.loop.post("claim");
    const stopping = bench.loop.stop();
    await bench.synced();
    await bench.synced();
    await stopping;
    expect(bench.happened).toEqual(["write a", "A", "write b", "B"]);
  });
});

describe("the loop at its end", () => {
  it("stops when the disk fails, says nothing more, and tells of it once", async () => {
    const bench = new Bench({ vote: [store("vote"), say("voted")], more: [say("more")] });
    bench.failing = true;
    bench.loop.post("vote");
    await settled();
    bench.loop.post("more");
    await settled();
    expect(bench.happened).toEqual([]);
    expect(bench.failures).toMatchObject([{ message: "disk full" }]);
  });

  it("decides what it was told before it was stopped", async () => {
    const bench = new Bench({ vote: [say("voted")] });
    bench.loop.post("vote");
    await bench.loop.stop();
    expect(bench.happened).toEqual(["voted"]);
  });

  it("performs what it had decided before it has stopped, and takes nothing more", async () => {
    const bench = new Bench({ vote: [store("vote"), say("voted")], more: [say("more")] });
    bench.loop.post("vote");
    await settled();
    const stopping = bench.loop.stop();
    bench.loop.post("more");
    await bench.synced();
    await stopping;
    expect(bench.happened).toEqual(["write vote", "voted"]);
  });

  it("performs everything that it had decided before it has stopped, at whatever moment it is stopped", async () => {
    for (let turns = 0; turns < 12; turns += 1) {
      const bench = new Bench({ first: [say("1")], second: [say("2")] });
      bench.loop.post("first");
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      bench.loop.post("second");
      await bench.loop.stop();
      expect(bench.happened, `after ${turns} turns`).toEqual(["1", "2"]);
    }
  });

  it("stops when its core throws, says nothing of what was decided since, and tells of it once", async () => {
    const bench = new Bench({ vote: [store("vote"), say("voted")], more: [say("more")] });
    bench.loop.post("vote");
    await settled();
    bench.loop.post("more");
    await settled();
    bench.loop.post("throw");
    bench.loop.post("throw");
    await settled();
    bench.loop.post("more");
    await bench.synced();
    await bench.loop.stop();
    expect(bench.happened).toEqual(["write vote", "voted"]);
    expect(bench.failures).toMatchObject([{ message: "Bug: thrown" }]);
  });
});
