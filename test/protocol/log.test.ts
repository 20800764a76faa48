/** Nothing can be taken out of a signed log, put into it or changed in it. */

import { describe, expect, it } from "vitest";
import { sealEnvelope } from "../../protocol/envelope.ts";
import type { Event } from "../../protocol/events.ts";
import { limits } from "../../protocol/limits.ts";
import {
  emptyLog,
  entriesOf,
  type LogEntry,
  logId,
  type Noted,
  openEntry,
  sealEntry,
} from "../../protocol/log.ts";
import { decodeValue, encodeValue, sha256Hex } from "../../protocol/values.ts";
import { reportOf } from "../node/view/example.ts";
import { control, flipped, stranger, wallMs } from "./domain.ts";

const domain = "d1";
const incarnation = "i1";
const id = logId(domain, control.peer, incarnation);

function noted(event: Event): Noted {
  return { event, result: null };
}

function skipped(step: string, run = "r1"): Event {
  return { kind: "step-skipped", run, timeMs: wallMs, step, reason: "because" };
}

const empty = { id, incarnation, head: emptyLog, before: "" };
const first = sealEntry(empty, domain, "r1", [noted(skipped("a"))], control);
const afterFirst = { ...empty, head: first.head, before: first.head.hash };
const second = sealEntry(afterFirst, domain, "r1", [noted(skipped("b"))], control);

const sound: LogEntry = {
  otto: "log-entry/1",
  log: id,
  incarnation,
  seq: 1,
  prev: "",
  before: "",
  run: "r1",
  events: [skipped("a")],
};

/** Attempts that start together, but for the names of their steps. */
const together = {
  kind: "attempt-started",
  run: "r1",
  timeMs: wallMs,
  attempt: 1,
  token: 1,
  worker: "w",
} as const;

/** The answer to an entry that its author signed, whatever is in it. */
function openSigned(entry: unknown) {
  return openEntry(sealEnvelope("log-entry", domain, entry, control), domain, stranger);
}

describe("a log", () => {
  it("counts its entries from one and chains each to the hash of the one before", () => {
    const opened = [first, second].map(({ bytes }) => openEntry(bytes, domain, stranger));
    const hash = sha256Hex(first.bytes);
    expect(opened).toEqual([
      {
        ok: true,
        value: { entry: sound, results: [null], signer: control.peer, hash: sha256Hex(first.bytes) },
      },
      {
        ok: true,
        value: {
          entry: { ...sound, seq: 2, prev: hash, before: hash, events: [skipped("b")] },
          results: [null],
          signer: control.peer,
          hash: sha256Hex(second.bytes),
        },
      },
    ]);
    expect(second.head).toEqual({ seq: 2, hash: sha256Hex(second.bytes) });
  });

  it("is another for another domain, author or start of its process", () => {
    const ids = [
      id,
      logId("d2", control.peer, incarnation),
      logId(domain, stranger.peer, incarnation),
      logId(domain, control.peer, "i2"),
    ];
    expect(new Set(ids).size).toBe(4);
  });
});

describe("an entry", () => {
  it("writes attempts that start together as one, and gives each back in its place", () => {
    const started = (step: string, token = 1): Event => {
      const worker = control.peer;
      return { kind: "attempt-started", run: "r1", timeMs: wallMs, step, attempt: 1, token, worker };
    };
    const events = [skipped("a"), started("b"), started("c"), skipped("d"), started("e"), started("f", 2)];
    const sealed = sealEntry(empty, domain, "r1", events.map(noted), control);
    expect(openEntry(sealed.bytes, domain, stranger)).toMatchObject({
      ok: true,
      value: { entry: { events } },
    });
    const many = Array.from({ length: 1_000 }, (_, index) => started(`s${index}`));
    const { bytes } = sealEntry(empty, domain, "r1", many.map(noted), control);
    expect(bytes.length).toBeLessThan(10_000);
    expect(openEntry(bytes, domain, stranger)).toMatchObject({ value: { entry: { events: many } } });
  });

  it("writes the end of an attempt with its worker's signed result, and reads the report from it", () => {
    const report = reportOf({ problem: "none" });
    const signed = {
      otto: "result/1",
      run: "r1",
      index: 0,
      token: 1,
      step: "a",
      attempt: 1,
      inputs: "",
      report,
    };
    const result = sealEnvelope("result", domain, signed, stranger);
    const past = { attempt: 1, token: 1, worker: stranger.peer, cause: "finished" } as const;
    const event: Event = {
      kind: "attempt-ended",
      run: "r1",
      timeMs: wallMs,
      step: "a",
      ...past,
      final: true,
      report,
    };
    const { bytes } = sealEntry(empty, domain, "r1", [{ event, result }, noted(event)], control);
    expect(openEntry(bytes, domain, stranger)).toMatchObject({
      value: { entry: { events: [event, event] }, results: [result, null] },
    });
    const { report: _, ...written } = event;
    for (const nonsense of [null, "result", new Uint8Array(3), sealEnvelope("result", domain, {}, stranger)])
      expect(openSigned({ ...sound, events: [{ ...written, result: nonsense }] })).toEqual({
        ok: false,
        problem: "malformed",
      });
    expect(openSigned({ ...sound, events: [{ ...event, result }] })).toEqual({
      ok: false,
      problem: "malformed",
    });
  });

  it("takes what happened in one turn apart, so that every entry fits into a frame", () => {
    const ended = (step: string): Event => {
      const tail = "x".repeat(limits.reportTailBytesMax);
      const report = { ...reportOf(), tail };
      const past = { attempt: 1, token: 1, worker: control.peer, cause: "finished" } as const;
      return { kind: "attempt-ended", run: "r1", timeMs: wallMs, step, ...past, final: true, report };
    };
    const events = Array.from({ length: 3_000 }, (_, index) => ended(`step${index}`));
    const entries = entriesOf(events.map(noted));
    expect(entries.flat().map(({ event }) => event)).toEqual(events);
    for (const entry of entries) {
      const { bytes } = sealEntry(empty, domain, "r1", entry, control);
      expect(bytes.length).toBeLessThan(limits.entryBytesMax);
    }
  });

  it("is refused when what started together is no list of names", () => {
    for (const steps of ["a", null, [1], [null], {}])
      expect(openSigned({ ...sound, events: [{ ...together, steps }] })).toEqual({
        ok: false,
        problem: "malformed",
      });
  });

  it("is refused when it unfolds into more starts than a plan has steps", () => {
    const opened = (steps: number, times: number) => {
      const many = { ...together, steps: Array.from({ length: steps }, () => "") };
      return openSigned({ ...sound, events: Array.from({ length: times }, () => many) });
    };
    expect(opened(limits.stepsPerPlanMax, 1)).toMatchObject({ ok: true });
    expect(opened(limits.stepsPerPlanMax / 2, 3)).toEqual({ ok: false, problem: "malformed" });
  });
});

describe("an entry is refused", () => {
  it("in a log of another author", () => {
    const forged = sealEntry(afterFirst, domain, "r1", [noted(skipped("b"))], stranger);
    expect(openEntry(forged.bytes, domain, control)).toEqual({ ok: false, problem: "malformed" });
  });

  it("in a log of another start of its author", () => {
    expect(openSigned({ ...sound, incarnation: "i2" })).toEqual({ ok: false, problem: "malformed" });
  });

  it("in another domain", () => {
    expect(openEntry(first.bytes, "d2", control)).toEqual({ ok: false, problem: "other-domain" });
  });

  it("with an event that was altered after it was signed", () => {
    const parts = decodeValue(first.bytes) as unknown[];
    const altered = encodeValue(parts.with(3, encodeValue({ ...sound, events: [skipped("z")] })));
    expect(openEntry(altered, domain, control)).toEqual({ ok: false, problem: "bad-signature" });
  });

  it("with an event of another run than the entry's", () => {
    const events = [skipped("a"), skipped("b", "r2")];
    expect(openSigned({ ...sound, events })).toEqual({ ok: false, problem: "malformed" });
    expect(openSigned({ ...sound, run: "r2" })).toEqual({ ok: false, problem: "malformed" });
  });

  it.each<readonly [string, unknown]>([
    ["null", null],
    ["a list", [sound]],
    ["of another version", { ...sound, otto: "log-entry/2" }],
    ["in another log", { ...sound, log: "0".repeat(32) }],
    ["without an incarnation", { ...sound, incarnation: null }],
    ["with a run that is a number", { ...sound, run: 1, events: [] }],
    ["with a place that is a text", { ...sound, seq: "1" }],
    ["with a place between two", { ...sound, seq: 1.5 }],
    ["with an event that is null", { ...sound, events: [null] }],
    ["with an event that is a text", { ...sound, events: ["step-skipped"] }],
    ["with events that are no list", { ...sound, events: { length: 0 } }],
  ])("when it is %s", (_, entry) => {
    expect(openSigned(entry)).toEqual({ ok: false, problem: "malformed" });
  });

  it("with one bit flipped, in any of its bytes", () => {
    for (const [at, bytes] of flipped(first.bytes))
      expect(openEntry(bytes, domain, control).ok, `byte ${at}`).toBe(false);
  });
});
