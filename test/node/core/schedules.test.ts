/** A control peer with standing orders, under a clock that the test sets. */

import { beforeEach, describe, expect, it } from "vitest";
import { controlKeys, ControlCore } from "../../../node/core/control.ts";
import type { ControlEffect, ControlInput } from "../../../node/core/effects.ts";
import { Submissions } from "../../../node/core/submissions.ts";
import { type Document, sealDocument } from "../../../protocol/documents.ts";
import type { LoggedEvent } from "../../../protocol/events.ts";
import { limits } from "../../../protocol/limits.ts";
import { bundleOfSlot, nameBundle, sealBundle } from "../../../protocol/manifest.ts";
import { sealCertificate } from "../../../protocol/certificate.ts";
import { runRegister } from "../../../protocol/registers/registers.ts";
import type { OrderedSlots } from "../../../protocol/standing-order.ts";
import { simulatedKeys, simulatedVerifier } from "../../../simulations/keys.ts";
import { certificateOf, charterOf, submissionOf, type Workload } from "../../../simulations/workload.ts";
import { plannedStep } from "../view/example.ts";
import { exampleCharter, home, memberOf, worker } from "./example.ts";

const minute = limits.minuteMs;
/** The first slot after the beginning of the tests' time. */
const firstMs = 1_700_000_040_000;
const everyMinute = (missed: "latest" | "none"): OrderedSlots => ({ cron: "* * * * *", missed });

/** A lone control peer: what it says to itself is delivered at once, what it stores is kept. */
class Bench {
  readonly disk = new Map<string, Uint8Array>();
  readonly events: LoggedEvent[] = [];
  readonly answers: unknown[] = [];
  wallMs = firstMs - 10_000;
  #monotonicMs = 10_000;
  #core: ControlCore;
  #lives = 0;
  /** Forgets everything after so many effects of the next input, as a process that is killed. */
  diesAfter = Infinity;
  /** False while the files of what is given cannot be fetched. */
  hasFiles = true;

  constructor() {
    this.#core = this.#start();
    this.tick();
  }

  restart(): void {
    this.diesAfter = Infinity;
    this.#core = this.#start();
    this.tick();
    this.bringFiles();
  }

  tick(afterMs = 0): void {
    this.wallMs += afterMs;
    this.#monotonicMs += Math.max(0, afterMs);
    this.tell({ kind: "tick" });
  }

  get schedules(): ControlCore["schedules"] {
    return this.#core.schedules;
  }

  get openRuns(): string[] {
    return [...this.#core.openRuns()];
  }

  openPlan(run: string): ReturnType<ControlCore["openPlan"]> {
    return this.#core.openPlan(run);
  }

  tell(input: ControlInput): void {
    const inputs: ControlInput[] = [input];
    for (let next = inputs.shift(); next !== undefined; next = inputs.shift())
      for (const effect of this.#core.decide([next], {
        monotonicMs: this.#monotonicMs,
        wallMs: this.wallMs,
      })) {
        this.diesAfter -= 1;
        if (this.diesAfter < 0) return;
        inputs.push(...this.#perform(effect));
      }
  }

  give({ bundle, submission: { run, digest } }: Workload, from: string | null = null): void {
    const question = from === null ? 1 : null;
    this.tell({ kind: "bundle", run, digest, from, bytes: bundle, question });
  }

  /** The files of everything that is kept are here. */
  bringFiles(): void {
    for (const key of this.disk.keys()) {
      const [, run] = /^(?:bundle|order)\/(.+)$/.exec(key) ?? [];
      if (run !== undefined) this.tell({ kind: "source", run, problem: null });
    }
  }

  told<Kind extends LoggedEvent["kind"]>(kind: Kind): Extract<LoggedEvent, { kind: Kind }>[] {
    return this.events.filter((event): event is Extract<LoggedEvent, { kind: Kind }> => event.kind === kind);
  }

  /** Slots, counted from the first one; what is told again after a restart counts once. */
  get fired(): number[] {
    const facts = this.told("slot-fired").map(
      ({ slotMs, started }) => `${(slotMs - firstMs) / minute} ${started}`,
    );
    return [...new Set(facts)].map((fact) => Number(fact.split(" ")[0]));
  }

  get admitted(): string[] {
    return [...new Set(this.told("run-admitted").map(({ run }) => run))];
  }

  #perform(effect: ControlEffect): ControlInput[] {
    if (effect.kind === "store")
      for (const operation of effect.operations) {
        if (operation.kind === "put") this.disk.set(operation.key, operation.value);
        else this.disk.delete(operation.key);
      }
    if (effect.kind === "recorded") this.events.push(...effect.events);
    if (effect.kind === "answer") this.answers.push(effect.answer);
    if (effect.kind === "fetch-source" && this.hasFiles)
      return [{ kind: "source", run: effect.run, problem: null }];
    if (effect.kind === "send" && effect.to === home)
      return [{ kind: "message", from: home, message: effect.message }];
    return [];
  }

  #start(): ControlCore {
    this.#lives += 1;
    const incarnation = `control0.${this.#lives}`;
    const stored = [...this.disk];
    const now = { monotonicMs: this.#monotonicMs, wallMs: this.wallMs };
    return new ControlCore({ ...memberOf(exampleCharter), incarnation, stored }, now);
  }
}

function orderOf(revision = 1, ...slots: readonly OrderedSlots[]): Workload {
  const order = { revision, slots: slots.length === 0 ? [everyMinute("latest")] : slots };
  return submissionOf([plannedStep("a")], exampleCharter, `n${revision}`, false, {
    pipeline: "nightly",
    order,
  });
}

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});

describe("a slot", () => {
  it("is fired when its minute begins, and becomes a run", () => {
    const order = orderOf();
    bench.give(order);
    expect(bench.answers).toEqual([{ ok: true }]);
    bench.tick(9_999);
    expect(bench.fired).toEqual([]);
    // The order is no run.
    expect(bench.openRuns).toEqual([]);
    expect(bench.openPlan(order.submission.run)).toBeNull();
    bench.tick(1);
    expect(bench.fired).toEqual([0]);
    const [fired] = bench.told("slot-fired");
    expect(bench.admitted).toEqual([fired?.started]);
    expect(bench.openRuns).toEqual([fired?.started]);
    expect(bench.openPlan(fired?.started ?? "")).toEqual({
      plan: order.submission.manifest.plan,
      planId: order.submission.planId,
    });
    for (let seconds = 0; seconds < 59; seconds += 1) bench.tick(1_000);
    expect(bench.fired).toEqual([0]);
    bench.tick(1_000);
    expect(bench.fired).toEqual([0, 1]);
    expect(bench.admitted).toHaveLength(2);
  });

  it("is fired once when the wall clock steps back over it, and the next one in its time", () => {
    bench.give(orderOf());
    bench.tick(10_000);
    bench.tick(-30_000);
    for (let seconds = 0; seconds < 89; seconds += 1) bench.tick(1_000);
    expect(bench.fired).toEqual([0]);
    bench.tick(1_000);
    expect(bench.fired).toEqual([0, 1]);
    expect(bench.told("slots-missed")).toEqual([]);
  });

  it("is fired once, and its run admitted, whichever effect the process dies after", () => {
    for (let effects = 0; effects < 30; effects += 1) {
      bench = new Bench();
      bench.give(orderOf());
      bench.diesAfter = effects;
      bench.tick(10_000);
      bench.restart();
      bench.tick(1_000);
      bench.tick(1_000);
      expect(bench.fired, `after ${effects}`).toEqual([0]);
      expect(bench.admitted, `after ${effects}`).toHaveLength(1);
      expect(bench.told("slots-missed")).toEqual([]);
    }
  });

  it("is not fired for who is no member any more, and that is told", () => {
    const order = orderOf();
    const { manifest } = order.submission;
    const person = simulatedKeys("person");
    const words = { otto: "certificate/1", peer: person.peer, role: "person", name: "ada" } as const;
    const expiresMs = firstMs + 30_000;
    const certificate = sealCertificate(
      exampleCharter.domain,
      { ...words, expiresMs },
      simulatedKeys("owner"),
    );
    const bundle = sealBundle(manifest, exampleCharter.domain, person, certificate);
    const { digest } = nameBundle(bundle) ?? { digest: "" };
    bench.give({ bundle, submission: { ...order.submission, digest } });
    bench.tick(10_000);
    bench.tick(minute);
    expect(bench.fired).toEqual([0]);
    expect(bench.told("slot-refused")).toMatchObject([
      { slotMs: firstMs + minute, reason: "the certificate of ada has expired" },
    ]);
  });
});

describe("a slot of a standing order that was set before", () => {
  const owner = simulatedKeys("owner");

  function put(topic: Document["topic"], name: string, body: unknown, version = 1): void {
    const document: Document = { otto: "document/1", topic, name, version, timeMs: bench.wallMs, body };
    const bytes = sealDocument(document, exampleCharter.domain, { keys: owner, certificate: null });
    bench.tell({ kind: "put-document", bytes, question: 77 });
    expect(bench.answers.at(-1)).toEqual({ ok: true });
  }
  const policy = (require: string) => ({
    text: "",
    policy: { "otto-policy": 1, admit: [{ require, because: "people start it" }] },
  });

  it("is refused by the policy as it stands when the slot begins, and fired again when that has changed", () => {
    bench.give(orderOf());
    bench.tick(10_000);
    put("policy", "domain", policy('trigger != "manual"'));
    bench.tick(minute);
    expect(bench.fired).toEqual([0]);
    expect(bench.told("slot-refused")).toMatchObject([
      { slotMs: firstMs + minute, reason: expect.stringContaining("people start it") as string },
    ]);
    put("policy", "domain", policy("true"), 2);
    bench.tick(minute);
    expect(bench.fired).toEqual([0, 2]);
    expect(bench.admitted).toHaveLength(2);
  });

  it("is fired no more when who set it was revoked: the order is ended, and that is told and kept", () => {
    bench.give(orderOf());
    bench.tick(10_000);
    put("revocation", simulatedKeys("person").peer, { name: "ada", because: "left" });
    bench.tick(minute);
    bench.tick(minute);
    expect(bench.fired).toEqual([0]);
    const because = "its submitter was revoked";
    expect(bench.told("schedule-removed")).toMatchObject([{ pipeline: "nightly", because }]);
    bench.restart();
    bench.tick(minute);
    expect(bench.fired).toEqual([0]);
    expect(bench.schedules.get("nightly")).toMatchObject({ order: null, removed: { because } });
  });

  it("that was fired before is not admitted after, and nothing waits for it", () => {
    bench.give(orderOf());
    bench.hasFiles = false;
    bench.tick(10_000);
    expect(bench.fired).toEqual([0]);
    expect(bench.admitted).toEqual([]);
    put("revocation", simulatedKeys("person").peer, { name: "ada", because: "left" });
    bench.tick(1_000);
    bench.hasFiles = true;
    bench.bringFiles();
    bench.tick(1_000);
    expect(bench.admitted).toEqual([]);
    expect(bench.told("run-refused")).toMatchObject([{ reason: "its submitter was revoked" }]);
    expect(bench.told("schedule-removed")).toHaveLength(1);
    const bob = simulatedKeys("bob");
    const certificate = certificateOf(exampleCharter, bob.peer, "person");
    const { manifest } = orderOf(2).submission;
    const bytes = sealBundle(manifest, exampleCharter.domain, bob, certificate);
    const name = nameBundle(bytes) ?? { run: "", digest: "" };
    bench.tell({ kind: "bundle", ...name, from: null, bytes, question: 9 });
    bench.tick(1_000);
    expect(bench.schedules.get("nightly")?.order?.submitter).toBe(bob.peer);
  });
});

describe("a slot, where runs are forgotten", () => {
  it("is not fired again when its run is over and forgotten, by this home or the next", () => {
    bench.give(orderOf(1, { cron: "0 * * * *", missed: "latest" }));
    const hour = 60 * minute;
    bench.tick(10_000 + hour - (firstMs % hour));
    const [run = ""] = bench.admitted;
    bench.tell({ kind: "cancel", run, by: "p", question: 2 });
    expect(bench.told("run-closed")).toHaveLength(1);
    const register = controlKeys.registers + runRegister(run);
    expect(bench.disk.has(register)).toBe(true);
    for (let minutes = 0; minutes < 3; minutes += 1) bench.tick(minute);
    expect(bench.disk.has(register)).toBe(false);
    bench.restart();
    for (let minutes = 0; minutes < 3; minutes += 1) bench.tick(minute);
    expect(bench.admitted).toEqual([run]);
    expect([...bench.disk.keys()].filter((key) => key.startsWith(controlKeys.bundles))).toEqual([]);
    expect(bench.told("run-admitted")).toHaveLength(1);
    bench.tick(hour);
    expect(bench.admitted).toHaveLength(2);
  });

  it("becomes a run though a home whose clock was ahead has forgotten what was valid for longer", () => {
    const work = submissionOf([plannedStep("a")], exampleCharter, "n");
    const { run } = work.submission;
    bench.give(work);
    bench.bringFiles();
    bench.tell({ kind: "cancel", run, by: "p", question: 2 });
    bench.tick(2 * limits.submissionMsDefault);
    expect(bench.disk.has(controlKeys.registers + runRegister(run))).toBe(false);
    bench.tick(-2 * limits.submissionMsDefault);
    bench.give(orderOf());
    bench.tick(minute);
    expect(bench.admitted).toHaveLength(2);
  });
});

describe("slots that passed while nobody was there", () => {
  it.each([
    [
      "latest",
      [0, 3],
      {
        count: 3,
        fromMs: firstMs + minute,
        throughMs: firstMs + 3 * minute,
        madeUpByMs: firstMs + 3 * minute,
      },
    ],
    ["none", [0], { count: 3, fromMs: firstMs + minute, throughMs: firstMs + 3 * minute, madeUpByMs: null }],
  ] as const)("are told, and made up for as the schedule says: %s", (missed, fired, told) => {
    const from = new Date(firstMs).getUTCMinutes();
    bench.give(orderOf(1, { cron: `${from}-${from + 3} * * * *`, missed }));
    bench.tick(10_000);
    bench.wallMs += 5 * minute;
    bench.restart();
    bench.tick(1_000);
    expect(bench.fired).toEqual(fired);
    expect(bench.told("slots-missed")).toMatchObject([told]);
    bench.restart();
    expect(bench.fired).toEqual(fired);
  });

  it("are none when the minute of the slot is not over", () => {
    bench.give(orderOf(1, everyMinute("none")));
    bench.wallMs = firstMs + minute - 2_000;
    bench.restart();
    bench.tick(1_000);
    expect(bench.fired).toEqual([0]);
    expect(bench.told("slots-missed")).toEqual([]);
  });
});

describe("an order", () => {
  it("for the same pipeline takes the place of the one before, which is no longer kept at hand", () => {
    const [one, two] = [orderOf(1), orderOf(2, { cron: "0 0 1 1 *", missed: "none" })];
    bench.give(one);
    bench.give(two);
    bench.tick(10_000);
    bench.tick(10_000);
    expect(bench.fired).toEqual([]);
    const kept = [...bench.disk.keys()].filter((key) => key.startsWith("order/"));
    expect(kept).toEqual([`order/${two.submission.run}`]);
    expect([...bench.disk.keys()]).toContain(`archive/${one.submission.run}`);
    bench.give(one, worker);
    bench.tick(10_000);
    expect(bench.told("schedule-set").at(-1)).toMatchObject({ revision: 2 });
  });

  it("is not replaced or removed before what it has begun is settled", () => {
    for (const isRemoved of [true, false]) {
      bench = new Bench();
      bench.give(orderOf());
      bench.wallMs += 3 * minute;
      if (isRemoved) bench.tell({ kind: "remove-schedule", pipeline: "nightly", by: "ada", question: 2 });
      else bench.give(orderOf(2));
      bench.tick(limits.tickMs);
      bench.tick(limits.tickMs);
      expect(bench.told("slots-missed")).toMatchObject([{ run: orderOf().submission.run, count: 2 }]);
      expect(bench.fired).toEqual([2]);
      expect(bench.told(isRemoved ? "schedule-removed" : "schedule-set").at(-1)).toBeDefined();
      if (!isRemoved) expect(bench.told("schedule-set").at(-1)).toMatchObject({ revision: 2 });
    }
  });

  it("is removed when asked, also after a restart, and what it has started goes on", () => {
    bench.give(orderOf());
    bench.tick(10_000);
    bench.tell({ kind: "remove-schedule", pipeline: "nightly", by: "ada", question: 2 });
    expect(bench.answers.at(-1)).toEqual({ ok: true });
    expect(bench.told("schedule-removed")).toMatchObject([{ pipeline: "nightly", by: "ada" }]);
    bench.restart();
    bench.tick(minute);
    expect(bench.fired).toEqual([0]);
    bench.tell({ kind: "remove-schedule", pipeline: "nightly", by: "ada", question: 3 });
    expect(bench.answers.at(-1)).toEqual({ ok: false, reason: "no-such-schedule", detail: "" });
  });

  it("is no run: nothing is admitted when it is given", () => {
    bench.give(orderOf());
    bench.tick(1_000);
    expect(bench.admitted).toEqual([]);
  });
});

describe("the run of a slot", () => {
  const controls = ["control0", "control1"].map((name) => simulatedKeys(name));
  const charter = charterOf(controls, 10_000);
  const order = { revision: 1, slots: [everyMinute("latest")] };
  const bytes = bundleOfSlot(
    submissionOf([plannedStep("a")], charter, "n", false, { pipeline: "p", order }).bundle,
    firstMs,
  );
  const name = nameBundle(bytes) ?? { run: "", digest: "" };

  it.each([
    ["a control peer", controls[1]?.peer ?? "", null, true],
    ["this peer itself", null, null, true],
    ["a worker", worker, null, false],
    ["a person", null, 7, false],
  ] as const)("is taken from a control peer alone: %s", (_, from, question, isTaken) => {
    const effects: ControlEffect[] = [];
    const submissions = new Submissions({
      charter: () => charter,
      keys: simulatedVerifier,
      effect: (effect) => effects.push(effect),
      tellControls: () => undefined,
      count: (because) => effects.push({ kind: "count-refused", because, from: null }),
      admittedDigest: () => undefined,
      isClosed: () => false,
      isGone: () => false,
      isTrusted: () => false,
      knows: () => false,
      forbidden: () => null,
      isHome: () => true,
      overtaken: () => "no",
    });
    const now = { monotonicMs: 1, wallMs: firstMs };
    const taken = submissions.bundle({ kind: "bundle", ...name, from, bytes, question }, now);
    expect(taken !== null).toBe(isTaken);
    if (!isTaken) expect(effects).toContainEqual({ kind: "count-refused", because: "role", from: null });
    if (question !== null)
      expect(effects).toContainEqual({
        kind: "answer",
        question,
        answer: { ok: false, reason: "refused", detail: "role: a slot's run is started by the domain" },
      });
  });

  it("is admitted only when its slot was fired", () => {
    const own = bundleOfSlot(orderOf().bundle, firstMs);
    bench.give(orderOf());
    const named = nameBundle(own) ?? { run: "", digest: "" };
    bench.tell({ kind: "bundle", ...named, from: home, bytes: own, question: null });
    bench.tell({ kind: "source", run: named.run, problem: null });
    expect(bench.admitted).toEqual([]);
    bench.tick(10_000);
    bench.tick(limits.tickMs);
    expect(bench.admitted).toEqual([named.run]);
  });
});
