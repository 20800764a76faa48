import {
  array,
  assert as check,
  constant,
  constantFrom,
  integer,
  oneof,
  property,
  record,
  subarray,
  uniqueArray,
} from "fast-check";
import { describe, expect, it } from "vitest";
import type { ParkedPull } from "../../../node/core/queue/parking.ts";
import { ReadyQueue } from "../../../node/core/queue/ready-queue.ts";
import type { Demand } from "../../../node/core/queue/shelf.ts";
import { Warmth } from "../../../node/core/queue/warmth.ts";
import { limits } from "../../../protocol/limits.ts";
import { meetsRequirement } from "../../../protocol/names.ts";

const [high, normal, low] = [0, 1, 2];

function pull(session: string, slots: number, ...labels: readonly string[]): ParkedPull {
  return { peer: session, session, nonce: `${session}/1`, labels: new Set(labels), slots };
}

function demand(labels: readonly string[] = [], more: Partial<Demand> = {}): Demand {
  return { labels, level: normal, caches: [], inputs: [], source: "files", avoided: [], ...more };
}

/** A queue that says what it gave as text. */
class Desk {
  readonly warmth = new Warmth();
  readonly queue = new ReadyQueue(this.warmth);
  nowMs = 1_000;

  push(run: string, count: number, asked: Demand = demand()): void {
    for (let index = 0; index < count; index += 1) this.queue.push({ run, index }, asked);
  }

  matched(mayGive: (step: string) => boolean = () => true): Record<string, string[]> {
    const matches = this.queue.match(this.nowMs, ({ run, index }) => mayGive(`${run}${index}`));
    return Object.fromEntries(
      matches.map(({ pull: { session }, steps }) => [
        session,
        steps.map(({ run, index }) => `${run}${index}`),
      ]),
    );
  }

  /** What one worker after another is given, a step at a time. */
  givenOneByOne(count: number, ...labels: readonly string[]): string[] {
    return Array.from({ length: count }, () => {
      this.queue.park(pull("w", 1, ...labels));
      return this.matched()["w"]?.[0] ?? "nothing";
    });
  }
}

/** What may happen to a queue. */
const label = constantFrom("os=linux", "os=mac", "gpu", "memory=16");
const required = uniqueArray(constantFrom("os=linux", "gpu", "memory>=8", "os"), { maxLength: 2 });
const session = integer({ min: 0, max: 5 }).map((number) => `s${number}`);
const run = constantFrom("a", "b", "c");
const action = oneof(
  record({ kind: constant("push" as const), run, required, level: integer({ min: 0, max: 2 }) }),
  record({
    kind: constant("park" as const),
    session,
    slots: integer({ min: 1, max: 3 }),
    has: uniqueArray(label),
  }),
  record({ kind: constant("leave" as const), session }),
  record({ kind: constant("drop" as const), run }),
  record({ kind: constant("match" as const) }),
);

/** A queue beside what anybody would write down about it. */
class Witnessed {
  readonly queue = new ReadyQueue(new Warmth());
  readonly #steps = new Map<string, { readonly run: string; readonly required: readonly string[] }>();
  readonly #pulls = new Map<string, ParkedPull>();
  #pushes = 0;

  push(step: { readonly run: string; readonly required: readonly string[]; readonly level: number }): void {
    const index = this.#pushes;
    this.#pushes += 1;
    this.queue.push({ run: step.run, index }, demand(step.required, { level: step.level }));
    this.#steps.set(`${step.run}${index}`, step);
  }

  park(parked: ParkedPull): void {
    this.queue.park(parked);
    this.#pulls.set(parked.session, parked);
  }

  leave(gone: string): void {
    this.queue.dropPull(gone);
    this.#pulls.delete(gone);
  }

  drop(dropped: string): void {
    this.queue.drop(dropped);
    for (const [key, step] of this.#steps) if (step.run === dropped) this.#steps.delete(key);
  }

  /** Matches, and looks whether everything is right. */
  look(): void {
    for (const { pull: got, steps } of this.queue.match(0, () => true)) {
      expect(this.#pulls.get(got.session)).toBe(got);
      this.#pulls.delete(got.session);
      expect(steps.length).toBeLessThanOrEqual(got.slots);
      for (const { run: of, index } of steps) {
        expect(this.#fits(got, this.#steps.get(`${of}${index}`)?.required)).toBe(true);
        this.#steps.delete(`${of}${index}`);
      }
    }
    for (const parked of this.#pulls.values())
      for (const step of this.#steps.values()) expect(this.#fits(parked, step.required)).toBe(false);
    expect(this.queue.length).toBe(this.#steps.size);
  }

  #fits({ labels }: ParkedPull, wanted: readonly string[] | undefined): boolean {
    return wanted?.every((each) => meetsRequirement(labels, each)) === true;
  }
}

describe("the queue of ready steps", () => {
  it("pairs the oldest pull with the oldest steps, as many as it has slots for", () => {
    const desk = new Desk();
    desk.push("r", 3);
    desk.queue.park(pull("a", 2));
    desk.queue.park(pull("b", 2));
    expect(desk.matched()).toEqual({ a: ["r0", "r1"], b: ["r2"] });
    expect(desk.queue.length).toBe(0);
  });

  it("gives a step only to a worker that has all its labels", () => {
    const desk = new Desk();
    desk.queue.push({ run: "r", index: 0 }, demand(["gpu", "os=linux"]));
    desk.queue.push({ run: "r", index: 1 }, demand());
    desk.queue.park(pull("plain", 5, "os=linux"));
    desk.queue.park(pull("large", 5, "gpu", "os=linux"));
    expect(desk.matched()).toEqual({ plain: ["r1"], large: ["r0"] });
  });

  it("keeps a pull that found nothing, and forgets one that was paired or dropped", () => {
    const desk = new Desk();
    desk.queue.park(pull("a", 1));
    desk.queue.park(pull("gone", 1));
    desk.queue.dropPull("gone");
    expect(desk.matched()).toEqual({});
    desk.push("r", 2);
    expect(desk.matched()).toEqual({ a: ["r0"] });
    expect(desk.queue.hasPull("a")).toBe(false);
  });

  it("holds one pull a session: a later one takes the place of the one before", () => {
    const desk = new Desk();
    desk.queue.park(pull("a", 1));
    desk.queue.park({ ...pull("a", 3), nonce: "a/2" });
    desk.push("r", 3);
    const [match] = desk.queue.match(0, () => true);
    expect([match?.pull.nonce, match?.steps.length]).toEqual(["a/2", 3]);
  });

  it("refuses more pulls than it may hold, but not a known session's next one", () => {
    const { queue } = new Desk();
    for (let count = 0; count < limits.parkedPullsMax; count += 1) queue.park(pull(`s${count}`, 1));
    expect(queue.park(pull("one-too-many", 1))).toBe(false);
    expect(queue.park(pull("s0", 2))).toBe(true);
  });

  it("stays in order over thousands of steps", () => {
    const desk = new Desk();
    desk.push("r", 5_000);
    const seen: string[] = [];
    while (desk.queue.length > 0) {
      desk.queue.park(pull("a", 7));
      seen.push(...(desk.matched()["a"] ?? []));
    }
    expect(seen).toEqual(Array.from({ length: 5_000 }, (_, index) => `r${index}`));
  });

  it("forgets a step that may not be given, and gives its pull the next", () => {
    const desk = new Desk();
    desk.push("r", 3);
    desk.queue.park(pull("a", 1));
    expect(desk.matched((step) => step !== "r0")).toEqual({ a: ["r1"] });
    expect(desk.queue.length).toBe(1);
  });

  it("drops all that waits of a run", () => {
    const desk = new Desk();
    desk.push("gone", 3);
    desk.push("gone", 2, demand(["gpu"]));
    desk.push("here", 1);
    expect(desk.queue.drop("gone").length).toBe(5);
    desk.queue.park(pull("a", 9, "gpu"));
    expect(desk.matched()).toEqual({ a: ["here0"] });
    expect(desk.queue.length).toBe(0);
  });

  it("leaves no pull and no step that fit each other, and gives nothing twice, whatever comes", () => {
    check(
      property(array(action, { maxLength: 60 }), (actions) => {
        const witnessed = new Witnessed();
        for (const each of actions) {
          if (each.kind === "push") witnessed.push(each);
          else if (each.kind === "park") witnessed.park(pull(each.session, each.slots, ...each.has));
          else if (each.kind === "leave") witnessed.leave(each.session);
          else if (each.kind === "drop") witnessed.drop(each.run);
          else witnessed.look();
        }
        witnessed.look();
      }),
      { numRuns: 300 },
    );
  });
});

describe("fairness between runs", () => {
  it("gives a run of three steps its steps in turn with one of ten thousand that was there before", () => {
    const desk = new Desk();
    desk.push("large", 10_000);
    desk.givenOneByOne(100);
    desk.push("small", 3);
    const given = desk.givenOneByOne(7);
    expect(given.filter((step) => step.startsWith("small"))).toEqual(["small0", "small1", "small2"]);
    expect(
      given
        .slice(0, 2)
        .map((step) => step.startsWith("large"))
        .toSorted(),
    ).toEqual([false, true]);
    expect(given.slice(-2)).toEqual(["large102", "large103"]);
  });

  it("gives runs that have steps all the time as many as each other, over all sets of labels", () => {
    const runs = array(
      record({ labels: array(subarray(["gpu", "os=linux"]), { minLength: 1, maxLength: 3 }) }),
      { minLength: 2, maxLength: 6 },
    );
    check(
      property(runs, integer({ min: 1, max: 100 }), (wanted, count) => {
        const desk = new Desk();
        for (const [run, { labels }] of wanted.entries())
          for (const set of labels) desk.push(`${run} `, 100, demand(set));
        const given = desk.givenOneByOne(count, "gpu", "os=linux").map((step) => step.split(" ")[0]);
        const counts = [...wanted.keys()].map((run) => given.filter((each) => each === String(run)).length);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
      { numRuns: 50 },
    );
  });

  it("gives a pull of many steps a quarter of them in a row from each, and its turn accounts for all", () => {
    const desk = new Desk();
    for (const run of ["a", "b", "c", "d", "e"]) desk.push(run, 20);
    desk.queue.park(pull("w", 9));
    expect(desk.matched()["w"]).toEqual(["a0", "a1", "b0", "b1", "c0", "c1", "d0", "d1", "e0"]);
    desk.queue.park(pull("w", 8));
    // Who was given one was given least.
    expect(desk.matched()["w"]).toEqual(["e1", "e2", "a2", "a3", "b2", "b3", "c2", "c3"]);
  });

  it("gives a pull of seven steps one run's after the other's", () => {
    const desk = new Desk();
    for (const run of ["a", "b"]) desk.push(run, 20);
    desk.queue.park(pull("w", 7));
    expect(desk.matched()["w"]).toEqual(["a0", "b0", "a1", "b1", "a2", "b2", "a3"]);
  });

  it("gives none in a row that another worker should have", () => {
    const desk = new Desk();
    desk.push("a", 1);
    desk.push("a", 20, demand([], { avoided: ["w"] }));
    desk.queue.park(pull("w", 12));
    desk.queue.park(pull("v", 2));
    expect(desk.matched()).toMatchObject({ v: ["a0", "a1"] });
  });

  it("lets a run that comes back after a while neither catch up nor fall behind", () => {
    const desk = new Desk();
    desk.push("a", 1_000);
    desk.push("b", 1);
    desk.givenOneByOne(500);
    desk.push("b", 100);
    const given = desk.givenOneByOne(20).map((step) => step[0]);
    expect(given.filter((run) => run === "b").length).toBe(10);
  });

  it("does not let a run of one step after another push others aside", () => {
    const desk = new Desk();
    desk.push("chain", 1);
    desk.push("other", 100);
    const given: string[] = [];
    for (let turn = 0; turn < 20; turn += 1) {
      const [step = ""] = desk.givenOneByOne(1);
      given.push(step.slice(0, 5));
      if (step.startsWith("chain")) desk.push("chain", 1);
    }
    expect(given.filter((run) => run === "chain").length).toBe(10);
  });
});

describe("priority", () => {
  it("comes first", () => {
    const desk = new Desk();
    desk.push("low", 1, demand([], { level: low }));
    desk.push("normal", 1);
    desk.push("high", 2, demand([], { level: high }));
    expect(desk.givenOneByOne(4)).toEqual(["high0", "high1", "normal0", "low0"]);
  });

  it("passes a lower one over so many times, then serves it once", () => {
    const desk = new Desk();
    desk.push("high", 1_000, demand([], { level: high }));
    desk.push("normal", 1_000);
    desk.push("low", 1_000, demand([], { level: low }));
    const given = desk.givenOneByOne(400);
    for (const [run, least] of [
      ["normal", 20],
      ["low", 20],
      ["high", 340],
    ] as const)
      expect([run, given.filter((step) => step.startsWith(run)).length >= least]).toEqual([run, true]);
    let since = 0;
    for (const step of given) {
      since = step.startsWith("low") ? 0 : since + 1;
      // Two lower priorities may be due at once.
      expect(since).toBeLessThanOrEqual(limits.passedOverMax + 1);
    }
  });

  it("passes it over no more often for a pull of so many steps that one run has a long row of them", () => {
    const desk = new Desk();
    desk.push("high", 1_000, demand([], { level: high }));
    desk.push("low", 1_000, demand([], { level: low }));
    desk.queue.park(pull("w", 8 * limits.passedOverMax));
    expect(desk.matched()["w"]?.findIndex((step) => step.startsWith("low"))).toBe(limits.passedOverMax);
  });

  it("serves it once then, and no row of it, while there is more of a higher one, be it on another shelf", () => {
    const desk = new Desk();
    desk.push("high", 1_000, demand([], { level: high }));
    desk.push("low", 1_000, demand(["gpu"], { level: low }));
    desk.queue.park(pull("w", 8 * (limits.passedOverMax + 1), "gpu"));
    expect(desk.matched()["w"]?.filter((step) => step.startsWith("low"))).toHaveLength(8);
  });

  it("starves nobody: each waiting step is given after a number of others that is bounded", () => {
    const plans = array(
      record({
        level: integer({ min: 0, max: 2 }),
        labels: subarray(["gpu"]),
        count: integer({ min: 1, max: 4 }),
      }),
      { minLength: 1, maxLength: 5 },
    );
    check(
      property(plans, (others) => {
        const desk = new Desk();
        desk.push("flood", 500, demand([], { level: high }));
        for (const [run, { level, labels, count }] of others.entries())
          desk.push(`run${run}-`, count, demand(labels, { level }));
        const waiting = others.reduce((sum, { count }) => sum + count, 0);
        const given = desk.givenOneByOne((limits.passedOverMax + 1) * (waiting + 2), "gpu");
        expect(given.filter((step) => step.startsWith("run")).length).toBe(waiting);
      }),
      { numRuns: 50 },
    );
  });
});

describe("a worker who could not run a step", () => {
  const avoiding = demand([], { avoided: ["broken"] });

  it("does not get it again while another waits, also when that one waited less long", () => {
    const desk = new Desk();
    desk.queue.park(pull("broken", 2));
    desk.queue.park(pull("other", 2));
    desk.push("r", 1, avoiding);
    desk.push("s", 1);
    expect(desk.matched()).toEqual({ other: ["r0"], broken: ["s0"] });
  });

  it("gets it again when nobody else waits", () => {
    const desk = new Desk();
    desk.queue.park(pull("broken", 1));
    desk.queue.park(pull("unfit", 1));
    desk.push("r", 2, { ...avoiding, avoided: ["broken", "unfit"] });
    expect(desk.matched()).toEqual({ broken: ["r0"], unfit: ["r1"] });
  });
});

describe("what workers have at hand", () => {
  const cached = demand([], { caches: ["cache/app/modules"] });

  function desk(): Desk {
    const desk = new Desk();
    const holder = { labels: new Set<string>(), slots: 1, names: new Set(["cache/app/modules", "tree1"]) };
    desk.warmth.know("warm", holder);
    return desk;
  }

  it("brings a step to the worker that has its cache, though another waits longer", () => {
    const both = desk();
    both.queue.park(pull("cold", 1));
    both.queue.park(pull("warm", 1));
    both.push("r", 1, cached);
    expect(both.matched()).toEqual({ warm: ["r0"] });
  });

  it("lets a step wait for that worker, and no longer than it may", () => {
    const waiting = desk();
    waiting.queue.park(pull("cold", 1));
    waiting.push("r", 1, cached);
    expect(waiting.matched()).toEqual({});
    expect(waiting.queue.length).toBe(1);
    waiting.nowMs += limits.warmWaitMs - 1;
    expect(waiting.matched()).toEqual({});
    waiting.nowMs += 1;
    expect(waiting.matched()).toEqual({ cold: ["r0"] });
    expect(waiting.queue.length).toBe(0);
  });

  it("gives it to that worker when it comes in time", () => {
    const waiting = desk();
    waiting.queue.park(pull("cold", 1));
    waiting.push("r", 1, cached);
    waiting.matched();
    waiting.queue.park(pull("warm", 1));
    expect(waiting.matched()).toEqual({ warm: ["r0"] });
    waiting.nowMs += limits.warmWaitMs;
    expect(waiting.matched()).toEqual({});
  });

  it("holds no more steps for that worker than it can run, and none that could not run there", () => {
    const busy = desk();
    busy.queue.park(pull("cold", 5, "gpu"));
    busy.push("r", 3, cached);
    busy.push("s", 1, { ...cached, labels: ["gpu"] });
    expect(busy.matched()).toEqual({ cold: ["r1", "s0", "r2"] });
  });

  it("chooses among a run's steps one whose cache or input the worker has", () => {
    const choosing = desk();
    choosing.push("r", 1);
    choosing.queue.push({ run: "r", index: 7 }, demand([], { inputs: ["tree1"] }));
    choosing.queue.push({ run: "r", index: 8 }, cached);
    choosing.queue.park(pull("warm", 1));
    expect(choosing.matched()).toEqual({ warm: ["r8"] });
    choosing.queue.park(pull("warm", 1));
    expect(choosing.matched()).toEqual({ warm: ["r7"] });
    choosing.queue.park(pull("warm", 1));
    expect(choosing.matched()).toEqual({ warm: ["r0"] });
  });

  it("does not wait for a worker whose link is down", () => {
    const gone = desk();
    gone.warmth.forget("warm");
    gone.queue.park(pull("cold", 1));
    gone.push("r", 1, cached);
    expect(gone.matched()).toEqual({ cold: ["r0"] });
  });

  it("drops what waits of a run with the run", () => {
    const dropped = desk();
    dropped.queue.park(pull("cold", 1));
    dropped.push("r", 1, cached);
    dropped.matched();
    expect(dropped.queue.drop("r").length).toBe(1);
    dropped.nowMs += limits.warmWaitMs;
    expect(dropped.matched()).toEqual({});
    expect(dropped.queue.length).toBe(0);
  });
});
