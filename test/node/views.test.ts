/** What it costs a control peer to say which runs there are: nothing is read, decoded or folded again. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { History, historyKeys } from "../../node/core/history.ts";
import { submissionKeys } from "../../node/core/submissions.ts";
import { openBlobs } from "../../node/edge/blobs.ts";
import { Outputs } from "../../node/edge/outputs.ts";
import { Views } from "../../node/edge/views.ts";
import type { Event } from "../../protocol/events.ts";
import { limits } from "../../protocol/limits.ts";
import type { Submission } from "../../protocol/manifest.ts";
import type { Storage } from "../../node/ports.ts";
import { Disk } from "../../simulations/storage.ts";
import { controlKeysOf, exampleCharter, runOf } from "./core/example.ts";
import { eventOf, failedReport, plannedStep } from "./view/example.ts";

const steps = [plannedStep("build"), plannedStep("test", ["build"])];

let folder: string;
let storage: Storage;
let history: History;
let open: Map<string, Submission>;
/** Keys that were read from the disk, and prefixes that were listed. */
let reads: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "otto-views-"));
  storage = new Disk().open((done) => done());
  history = new History({ domain: exampleCharter.domain, incarnation: "1", keys: controlKeysOf }, []);
  open = new Map();
  reads = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function opened(): Promise<Views> {
  const views = new Views({
    domain: exampleCharter.domain,
    storage: {
      ...storage,
      get: (key) => (reads.push(key), storage.get(key)),
      list: (prefix) => (reads.push(prefix), storage.list(prefix)),
    },
    openRuns: () => open.keys(),
    openPlan: (run) => {
      const submission = open.get(run);
      return submission === undefined ? null : { plan: submission.manifest.plan, planId: submission.planId };
    },
    blobs: await openBlobs(join(folder, "blobs")),
    outputs: new Outputs(join(folder, "outputs")),
    fetch: () => Promise.reject(new Error("nobody has it")),
    outputElsewhere: async function* () {},
  });
  await views.start();
  return views;
}

/** Submitted, and on the disk; at hand in the core from when it is in `open`. */
async function submit(nonce: string): Promise<Submission> {
  const { bundle, submission } = runOf(steps, nonce);
  await storage.write([{ kind: "put", key: submissionKeys.bundles + submission.run, value: bundle }]);
  return submission;
}

async function happens(event: Event): Promise<Event> {
  await storage.write(history.append(event.run, [{ event, result: null }]).operations);
  return event;
}

/** What was read since this was asked last. */
function readSince(): readonly string[] {
  return reads.splice(0);
}

describe("listing the runs", () => {
  it("reads nothing of a run that it has read, and folds nothing again but where something happened", async () => {
    const views = await opened();
    for (let count = 0; count < 20; count += 1) {
      const submission = await submit(`n${count}`);
      open.set(submission.run, submission);
      await happens(eventOf("run-admitted", { run: submission.run, timeMs: 1_000 + count }));
    }
    const first = await views.newest(100);
    expect(first).toHaveLength(20);
    expect(readSince().filter((key) => key.startsWith(historyKeys.entries))).toHaveLength(20);

    const second = await views.newest(100);
    expect(readSince()).toEqual([]);
    expect(second.map((summary, index) => summary === first[index])).not.toContain(false);

    const run = first[0]?.run ?? "";
    views.record([await happens(eventOf("attempt-started", { run }))]);
    const third = await views.newest(100);
    expect(readSince()).toEqual([]);
    expect(third.filter((summary, index) => summary !== first[index])).toEqual([
      { ...first[0], state: "running" },
    ]);
  });

  it("takes the plan of an open run from where it is at hand, and decodes no bundle", async () => {
    const views = await opened();
    const submission = await submit("n");
    open.set(submission.run, submission);
    expect(await views.newest(100)).toMatchObject([{ run: submission.run, state: "waiting", steps: 2 }]);
    expect((await views.planOf(submission.run))?.plan).toBe(submission.manifest.plan);
    expect((await views.viewOf(submission.run)).plan).toBe(submission.manifest.plan);
    expect(readSince().filter((key) => key.startsWith(submissionKeys.bundles))).toEqual([]);
  });

  it("lets others go on while it folds what has happened since it was asked last", async () => {
    const views = await opened();
    const runs = 10;
    for (let count = 0; count < runs; count += 1) {
      const submission = await submit(`n${count}`);
      open.set(submission.run, submission);
    }
    await views.newest(100);
    const started = (run: string): Event => eventOf("attempt-started", { run });
    for (const run of open.keys())
      views.record(Array.from({ length: limits.eventsFoldedAtOnceMax }, () => started(run)));
    let turns = 0;
    const turn = (): void => {
      turns += 1;
      next = setImmediate(turn);
    };
    let next = setImmediate(turn);
    await views.newest(100);
    expect(turns).toBeGreaterThanOrEqual(runs - 1);
    turns = 0;
    await views.newest(100);
    clearImmediate(next);
    expect(turns).toBe(0);
  });
});

describe("what is in a list of the runs", () => {
  it("is a run of which was told before its plan was here, as soon as it is", async () => {
    const views = await opened();
    const submission = await submit("n");
    const { run } = submission;
    await storage.write([{ kind: "delete", key: submissionKeys.bundles + run }]);
    views.record([await happens(eventOf("run-admitted", { run, pipeline: "checkout" }))]);
    await views.eventsOf(run);
    expect(await views.newest(100)).toEqual([]);
    open.set(run, submission);
    expect(await views.newest(100)).toMatchObject([{ run, startedMs: 1_000, steps: 2, pipeline: "checks" }]);
  });

  it("is the end of a run that is at hand no more", async () => {
    const views = await opened();
    const submission = await submit("n");
    const { run } = submission;
    open.set(run, submission);
    await views.newest(100);
    views.record([await happens(eventOf("run-closed", { run, outcome: "cancelled" }))]);
    open.delete(run);
    expect(await views.newest(100)).toMatchObject([{ run, state: "cancelled", ended: 2 }]);
    expect(await (await opened()).newest(100)).toMatchObject([{ run, state: "cancelled", ended: 2 }]);
  });

  it("is no run that was never admitted and is at hand no more", async () => {
    const views = await opened();
    const submission = await submit("n");
    const { run } = submission;
    open.set(run, submission);
    expect(await views.newest(100)).toMatchObject([{ run, state: "waiting" }]);
    // The time in which it could be admitted is over.
    open.delete(run);
    expect(await views.newest(100)).toEqual([]);
  });

  it("keeps nothing of such runs, where they are many", async () => {
    const views = await opened();
    for (let count = 0; count <= limits.runsInMemoryMax; count += 1) {
      const submission = await submit(`n${count}`);
      open.set(submission.run, submission);
    }
    await views.newest(100);
    const [first = "", ...others] = open.keys();
    open.clear();
    await views.viewOf(others[0] ?? "");
    readSince();
    await views.eventsOf(others[0] ?? "");
    expect(readSince()).toEqual([]);
    await views.eventsOf(first);
    expect(readSince()).not.toEqual([]);
  });

  it("is each run that is open, however many are over that began later", async () => {
    const views = await opened();
    const all: string[] = [];
    for (let timeMs = 1; timeMs <= 4; timeMs += 1) {
      const submission = await submit(`n${timeMs}`);
      const { run } = submission;
      all.unshift(run);
      if (timeMs === 1) open.set(run, submission);
      views.record([await happens(eventOf("run-admitted", { run, timeMs }))]);
      await views.eventsOf(run);
      if (timeMs > 1) views.record([await happens(eventOf("run-closed", { run, timeMs }))]);
    }
    const [newest = "", , , oldest = ""] = all;
    expect((await views.newest(2)).map(({ run }) => run)).toEqual([newest, oldest]);
  });
});

describe("the end of a run in a list of the runs", () => {
  it("is there when nobody had asked for the run before, also after a restart", async () => {
    const views = await opened();
    const { run } = await submit("n");
    views.record([await happens(eventOf("run-closed", { run, outcome: "cancelled" }))]);
    // What is told is on the disk by then, and is the same there.
    expect(await views.eventsOf(run)).toHaveLength(1);
    expect(await (await opened()).newest(100)).toMatchObject([{ run, state: "cancelled", ended: 2 }]);
  });

  it("counts what was heard of the run behind it, also after a restart", async () => {
    const views = await opened();
    const submission = await submit("n");
    const { run } = submission;
    open.set(run, submission);
    await views.newest(100);
    const closed = await happens(eventOf("run-closed", { run, outcome: "failed" }));
    const failed = await happens(
      eventOf("attempt-ended", { run, cause: "failed", report: failedReport("") }),
    );
    // From the log of another home.
    for (const events of [[closed], [failed]]) views.record(events);
    open.delete(run);
    for (const one of [views, await opened()])
      expect(await one.newest(100)).toMatchObject([{ run, state: "failed", ended: 2, failed: 1 }]);
  });

  it("counts what the entry that tells of it says behind it", async () => {
    const views = await opened();
    const submission = await submit("n");
    const { run } = submission;
    open.set(run, submission);
    await views.newest(100);
    views.record([
      await happens(eventOf("run-closed", { run, outcome: "failed" })),
      await happens(eventOf("attempt-ended", { run, cause: "failed", report: failedReport("") })),
    ]);
    expect(await views.newest(100)).toMatchObject([{ run, failed: 1 }]);
  });
});
