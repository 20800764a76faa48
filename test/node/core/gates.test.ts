/** A guarded step begins when the policy is satisfied and a majority of the control peers has signed so, each for itself. */

import { describe, expect, it } from "vitest";
import type { ControlEffect } from "../../../node/core/effects.ts";
import { historyKeys } from "../../../node/core/history.ts";
import { sealAnswer } from "../../../protocol/answers.ts";
import { type Document, openDocument, sealDocument } from "../../../protocol/documents.ts";
import { limits } from "../../../protocol/limits.ts";
import { sealCharter, successorOf } from "../../../protocol/membership.ts";
import { openPermit } from "../../../protocol/permits.ts";
import type { Policy } from "../../../protocol/policy.ts";
import { simulatedKeys, simulatedVerifier } from "../../../simulations/keys.ts";
import { certificateOf, submissionOf } from "../../../simulations/workload.ts";
import type { StepReport } from "../../../protocol/report.ts";
import { plannedStep, reportOf } from "../view/example.ts";
import { answers, Bench, events, said } from "./bench.ts";
import { exampleCharter, worker } from "./example.ts";

const mia = simulatedKeys("mia");
const tom = simulatedKeys("tom");
const eve = simulatedKeys("eve");

const twoOf: Policy = {
  "otto-policy": 1,
  people: { mia: mia.peer, tom: tom.peer },
  teams: { release: ["mia", "tom"] },
  environments: {
    production: { approve: { count: 2, by: ["team/release"] }, checks: ["test"], waitMinutes: 60 },
  },
};

const test = plannedStep("test");
const guarded = { environment: "production", effect: true } as const;
const deploy = { ...plannedStep("deploy", ["test"]), ...guarded };

let asked = 100;

/** A lone control peer whose domain has this policy. */
function benchWith(policy: Policy, version = 1): Bench {
  const bench = new Bench();
  put(bench, policy, version);
  return bench;
}

function put(...which: Parameters<typeof putting>): unknown[] {
  return answers(putting(...which));
}

function putting(
  bench: Bench,
  policy: Policy,
  version = 1,
  signer = simulatedKeys("owner"),
): ControlEffect[] {
  const document: Document = {
    otto: "document/1",
    topic: "policy",
    name: "domain",
    version,
    timeMs: bench.now.wallMs,
    body: { text: "", policy },
  };
  const bytes = sealDocument(document, exampleCharter.domain, { keys: signer, certificate: null });
  return bench.tell({ kind: "put-document", bytes, question: (asked += 1) });
}

type Said = { readonly by: typeof mia; readonly step?: string; readonly no?: true; readonly given?: string };

/** A person approves what the only closed gate is given, unless told otherwise; nothing has ticked since. */
function answer(bench: Bench, { by, step = "deploy", no, given }: Said): ControlEffect[] {
  const [gate] = bench.core.closedGates;
  const { run = "", manifest = "", given: shown = "" } = gate ?? {};
  const verdict = no === true ? "failed" : "passed";
  const bytes = sealAnswer(
    { otto: "answer/1", run, manifest, step, verdict, detail: "", given: given ?? shown },
    exampleCharter.domain,
    { keys: by, certificate: certificateOf(exampleCharter, by.peer, "person") },
  );
  return bench.tell({ kind: "answer-step", bytes, said: null, question: (asked += 1) });
}

const approve = (bench: Bench, whoAndWhat: Said): ControlEffect[] => [
  ...answer(bench, whoAndWhat),
  ...bench.tick(),
];

/** A run whose deploy waits at its gate. */
function gated(policy: Policy = twoOf): { bench: Bench; run: string } {
  const bench = benchWith(policy);
  const { run } = bench.submit([test, deploy]);
  bench.pull();
  bench.result(run, 0, 1);
  bench.tick(limits.gateEveryMs);
  return { bench, run };
}

const missing = (bench: Bench): readonly string[] => bench.core.closedGates[0]?.missing ?? ["no gate"];
const grants = (effects: readonly ControlEffect[]): number =>
  said(effects, "grant").flatMap(({ leases }) => leases).length;

describe("a policy", () => {
  it("counts when the owner signed the version after the one that the domain has", () => {
    const bench = benchWith(twoOf);
    expect(put(bench, twoOf, 2)).toEqual([{ ok: true }]);
    expect(put(bench, twoOf, 2)).toMatchObject([{ ok: true }]);
    expect(put(bench, { "otto-policy": 1 }, 2)).toMatchObject([{ ok: false, reason: "stale" }]);
    expect(put(bench, { "otto-policy": 1 }, 3, mia)).toMatchObject([{ ok: false, reason: "stranger" }]);
  });

  it("is kept over a restart", () => {
    const { bench } = gated();
    bench.restart();
    bench.tick(limits.gateEveryMs);
    expect(missing(bench)).toEqual(["0 of 2 approvals of team/release"]);
  });

  it("is told to workers, when there is none, in a message that earlier versions pass over", () => {
    const told = new Bench().pull(1);
    expect([said(told, "no-policy").length, said(told, "policy").length]).toEqual([1, 0]);
  });

  it("is told to workers when they come, and when there is a newer one; a step that it guards comes with its permit", () => {
    const { bench, run } = gated();
    const policies = (effects: readonly ControlEffect[]) =>
      said(effects, "policy").map(({ document }) =>
        openDocument(document, exampleCharter, simulatedVerifier),
      );
    expect(policies(bench.pull(5))).toMatchObject([{ ok: true, value: { document: { version: 1 } } }]);
    expect(policies(putting(bench, twoOf, 2))).toMatchObject([
      { ok: true, value: { document: { version: 2 } } },
    ]);
    expect(policies(putting(bench, twoOf, 2))).toEqual([]);
    const effects = [
      ...approve(bench, { by: mia }),
      ...approve(bench, { by: tom }),
      ...bench.tick(limits.gateEveryMs),
    ];
    const [lease] = said(effects, "grant").flatMap(({ leases }) => leases);
    const permit = openPermit(lease?.permit ?? new Uint8Array(), exampleCharter, simulatedVerifier);
    expect(permit).toMatchObject({ ok: true, value: { run, index: 1 } });
  });

  it("refuses a submission that it does not admit, with its reasons", () => {
    const bench = benchWith({
      "otto-policy": 1,
      admit: [{ require: 'git.branch == "release"', because: "only release" }],
    });
    const { effects } = bench.submit([plannedStep("a")]);
    expect(answers(effects)).toMatchObject([
      { ok: false, reason: "forbidden", detail: expect.stringContaining("only release") as string },
    ]);
    expect(events(effects)).toEqual([]);
  });
});

describe("a run with a guarded step", () => {
  it("is closed when it is cancelled while the gate is being closed", () => {
    const bench = benchWith(twoOf);
    const { run } = bench.submit([test, deploy]);
    bench.pull();
    const result = { kind: "message", from: worker, message: bench.resultOf(run, 0, 1) } as const;
    const cancelled = bench.tell(result, { kind: "cancel", run, by: "mia", question: (asked += 1) });
    const effects = [...cancelled, ...bench.tick(limits.notesHeldMs)];
    expect(told(effects, "step-waiting")).toHaveLength(1);
    expect(told(effects, "run-closed")).toMatchObject([{ outcome: "cancelled" }]);
  });

  it("waits for the next control peers when these decide last that its run is admitted", () => {
    const approve = { count: 1, by: ["mia"] };
    const bench = benchWith({ ...twoOf, environments: { production: { approve } } });
    const { bundle, submission } = submissionOf([{ ...deploy, needs: [] }], exampleCharter, "n1");
    const { run, digest } = submission;
    bench.tell({ kind: "bundle", run, digest, from: null, bytes: bundle, question: (asked += 1) });
    const next = successorOf(exampleCharter, exampleCharter.controls, bench.now.wallMs);
    const charter = sealCharter(next, simulatedKeys("owner"));
    bench.tell(
      { kind: "source", run, problem: null },
      { kind: "recharter", bytes: charter, question: (asked += 1) },
    );
    expect(bench.core.configurations.charter.configuration).toBe(2);
    for (let seconds = 0; seconds < 10; seconds += 1) bench.tick(1_000);
    expect(bench.core.closedGates).toMatchObject([{ run, step: "deploy" }]);
  });
});

describe("a guarded step", () => {
  it("lacks what its policy demands from the moment that it waits, before anything ticks", () => {
    const bench = benchWith(twoOf);
    const { run } = bench.submit([test, deploy]);
    bench.pull();
    bench.result(run, 0, 1);
    expect(missing(bench)).toEqual(["0 of 2 approvals of team/release"]);
    answer(bench, { by: mia });
    expect(missing(bench)).toEqual(["1 of 2 approvals of team/release"]);
  });

  it("is given to nobody before its gate is open, whatever else is", () => {
    const { bench } = gated();
    expect(grants(bench.pull(5))).toBe(0);
    expect(missing(bench)).toEqual(["0 of 2 approvals of team/release"]);
  });

  it("is given out once enough people who may have approved, and says who", () => {
    const { bench, run } = gated();
    bench.pull(5);
    expect(answers(approve(bench, { by: mia }))).toEqual([{ ok: true }]);
    expect(missing(bench)).toEqual(["1 of 2 approvals of team/release"]);
    const effects = [...approve(bench, { by: tom }), ...bench.tick(limits.gateEveryMs)];
    expect(grants(effects)).toBe(1);
    const opened = events(effects).find(({ kind }) => kind === "gate-opened");
    if (opened?.kind !== "gate-opened") throw new Error("the gate did not open");
    const permit = openPermit(opened.permit, exampleCharter, simulatedVerifier);
    expect(permit).toMatchObject({ ok: true, value: { run, step: "deploy", index: 1 } });
    expect(permit.ok && permit.value.approvedBy).toEqual([mia.peer, tom.peer].toSorted());
    expect(bench.core.closedGates).toEqual([]);
  });

  it("does not count one person twice, nor one whom the policy does not name", () => {
    const { bench } = gated();
    approve(bench, { by: mia });
    expect(answers(approve(bench, { by: mia }))).toMatchObject([{ ok: false, reason: "refused" }]);
    expect(answers(approve(bench, { by: eve }))).toMatchObject([{ ok: false, reason: "refused" }]);
    bench.tick(limits.gateEveryMs);
    expect(missing(bench)).toEqual(["1 of 2 approvals of team/release"]);
  });

  it("does not take an approval of other files than it is given", () => {
    const { bench } = gated();
    expect(answers(approve(bench, { by: mia, given: "0".repeat(64) }))).toMatchObject([
      { ok: false, reason: "refused", detail: expect.stringContaining("other files") as string },
    ]);
  });

  it("ends as failed when somebody who may says no", () => {
    const { bench, run } = gated();
    const effects = approve(bench, { by: tom, no: true });
    expect(events([...effects, ...bench.tick()])).toContainEqual(
      expect.objectContaining({
        kind: "step-settled",
        run,
        step: "deploy",
        outcome: "failed",
        cause: "declined",
      }),
    );
  });

  it("ends as timed out when nobody opens its gate for as long as the policy says", () => {
    const { bench, run } = gated();
    const effects = bench.tick(60 * 60_000);
    expect(events(effects)).toContainEqual(
      expect.objectContaining({
        kind: "step-settled",
        run,
        outcome: "timed-out",
        cause: "expired",
        detail: "0 of 2 approvals of team/release",
      }),
    );
  });
});

describe("a lease of a guarded step", () => {
  it("lets no credential be used without a permit, whoever gave it out", () => {
    const bench = new Bench();
    const { run } = bench.submit([{ ...plannedStep("deploy"), ...guarded }], "n2");
    expect(grants(bench.pull())).toBe(1);
    expect(bench.core.whyNotPermitted(run, 0, bench.now.wallMs)).toBeNull();
    put(bench, {
      "otto-policy": 1,
      environments: { production: { approve: { count: 1, by: ["mia"] } } },
      people: { mia: mia.peer },
    });
    expect(bench.core.whyNotPermitted(run, 0, bench.now.wallMs)).toContain("has signed no permit");
  });

  it("lets them be used with one", () => {
    const { bench, run } = gated();
    bench.pull(5);
    approve(bench, { by: mia });
    approve(bench, { by: tom });
    bench.tick(limits.gateEveryMs);
    expect(bench.core.whyNotPermitted(run, 1, bench.now.wallMs)).toBeNull();
    expect(bench.core.whyNotPermitted("another", 0, bench.now.wallMs)).toContain("not known");
  });
});

describe("a gate", () => {
  it("keeps its approvals over a restart of the home", () => {
    const { bench } = gated();
    approve(bench, { by: mia });
    bench.restart();
    bench.pull(5);
    expect(grants([...approve(bench, { by: tom }), ...bench.tick(limits.gateEveryMs)])).toBe(1);
  });

  it("is told to have been opened, and by whom, by the next home when the one that opened it could not", () => {
    const { bench } = gated();
    approve(bench, { by: mia });
    approve(bench, { by: tom });
    bench.tick(limits.gateEveryMs);
    for (const isBegun of [false, true]) {
      if (isBegun) bench.pull(5);
      for (const key of bench.disk.keys())
        if (Object.values(historyKeys).some((prefix) => key.startsWith(prefix))) bench.disk.delete(key);
      const told = events([...bench.restart(), ...bench.tick(limits.notesHeldMs)]);
      expect(told.flatMap((event) => (event.kind === "step-answered" ? [event.by] : []))).toEqual([
        mia.peer,
        tom.peer,
      ]);
      expect(told.filter(({ kind }) => kind === "gate-opened")).toMatchObject([{ step: "deploy" }]);
    }
  });

  it("goes back to its gate when nobody claimed it while its permit was good, with the approvals that it had", () => {
    const { bench } = gated();
    approve(bench, { by: mia });
    approve(bench, { by: tom });
    bench.tick(limits.gateEveryMs);
    expect(bench.core.closedGates).toEqual([]);
    put(
      bench,
      {
        ...twoOf,
        environments: {
          production: {
            freeze: [{ from: "2000-01-01T00:00Z", until: "2100-01-01T00:00Z", because: "holidays" }],
          },
        },
      },
      2,
    );
    bench.tick(limits.permitMs);
    expect(grants(bench.pull(5))).toBe(0);
    bench.tick(limits.gateEveryMs);
    expect(missing(bench)).toEqual(["it is frozen until 2100-01-01T00:00Z: holidays"]);
    put(bench, twoOf, 3);
    expect(grants(bench.tick(limits.gateEveryMs))).toBe(1);
  });

  it("waits for a verdict from outside, which is asked for again and again", () => {
    const url = "https://change.example.org/open";
    const verdicts = [{ name: "calendar", url, until: "response.status == 200" }];
    const { bench, run } = gated({ "otto-policy": 1, environments: { production: { verdicts } } });
    expect(missing(bench)).toEqual([`calendar does not say yes (${url})`]);
    bench.pull(5);
    const again = bench.tick(limits.verdictEveryMs);
    expect(again.filter(({ kind }) => kind === "poll")).toHaveLength(1);
    const polled = { run, index: 1, verdictOf: "calendar", detail: "" } as const;
    bench.tell({ kind: "polled", polled: { ...polled, verdict: null } });
    expect(grants(bench.tick(limits.gateEveryMs))).toBe(0);
    bench.tell({ kind: "polled", polled: { ...polled, verdict: "passed" } });
    expect(grants(bench.tick(limits.gateEveryMs))).toBe(1);
  });

  it("is left alone when the run is cancelled", () => {
    const { bench, run } = gated();
    bench.tell({ kind: "cancel", run, by: "ada", question: 7 });
    bench.tick(limits.gateEveryMs);
    expect(bench.core.closedGates).toEqual([]);
  });
});

const behind: Policy = {
  "otto-policy": 1,
  people: { mia: mia.peer, tom: tom.peer },
  environments: { production: { after: { approve: { count: 1, by: ["mia", "tom"] }, waitMinutes: 60 } } },
};
const made: StepReport = {
  ...reportOf(),
  outputs: [{ name: "url", tree: "a".repeat(64), files: 1, bytes: 1 }],
};
const rollBack = {
  ...plannedStep("undo"),
  needs: [{ step: "deploy", outcomes: ["failed", "timed-out"] }],
};
const next = plannedStep("next", ["deploy"]);

/** A run whose deploy has ended well, and waits for that to count. */
function ended(policy: Policy = behind): { bench: Bench; run: string; effects: ControlEffect[] } {
  const bench = benchWith(policy);
  const { run } = bench.submit([{ ...plannedStep("deploy"), ...guarded }, next, rollBack]);
  bench.pull();
  const effects = [...bench.result(run, 0, 1, made), ...bench.tick(limits.gateEveryMs)];
  return { bench, run, effects };
}

const told = (effects: readonly ControlEffect[], kind: string) =>
  events(effects).filter((event) => event.kind === kind);

describe("a gate behind a step", () => {
  it("holds back what the step has come to, and what follows it", () => {
    const { bench, effects } = ended();
    expect(said(effects, "ack")).toMatchObject([{ verdict: "accepted" }]);
    expect(told(effects, "attempt-ended")).toMatchObject([{ cause: "finished", final: false, held: true }]);
    expect(told(effects, "step-waiting")).toMatchObject([{ step: "deploy", after: true }]);
    expect(grants(bench.pull(5))).toBe(0);
    expect(bench.core.closedGates).toMatchObject([
      { step: "deploy", missing: ["0 of 1 approvals of mia, tom"], ended: { outcome: "passed" } },
    ]);
  });

  it("lets it count once people have approved what it made: what follows begins", () => {
    const { bench, run } = ended();
    bench.pull(5);
    const effects = [...approve(bench, { by: mia }), ...bench.tick(limits.gateEveryMs)];
    expect(told(effects, "gate-opened")).toMatchObject([{ step: "deploy", after: true }]);
    expect(said(effects, "grant").flatMap(({ leases }) => leases)).toMatchObject([{ run, index: 1 }]);
    expect(told(effects, "step-skipped")).toMatchObject([{ step: "undo" }]);
  });

  it("fails the step by a no, and the planned way back goes on", () => {
    const { bench, run } = ended();
    bench.pull(5);
    const effects = [...approve(bench, { by: tom, no: true }), ...bench.tick(limits.gateEveryMs)];
    expect(told(effects, "step-settled")).toMatchObject([{ outcome: "failed", cause: "declined" }]);
    expect(said(effects, "grant").flatMap(({ leases }) => leases)).toMatchObject([{ run, index: 2 }]);
    expect(told(effects, "step-skipped")).toMatchObject([{ step: "next" }]);
  });

  it("times the step out when it was not opened for as long as the policy says", () => {
    const { bench, run } = ended();
    const effects = [...bench.tick(60 * 60_000), ...bench.pull(5)];
    expect(told(effects, "step-settled")).toMatchObject([
      { outcome: "timed-out", cause: "expired", detail: "0 of 1 approvals of mia, tom" },
    ]);
    expect(said(effects, "grant").flatMap(({ leases }) => leases)).toMatchObject([{ run, index: 2 }]);
  });
});

describe("what opens a gate behind a step", () => {
  it("takes no approval that was for the step before it began, and none for what another attempt made", () => {
    const bench = benchWith({
      ...behind,
      environments: {
        production: {
          approve: { count: 1, by: ["mia"] },
          after: { approve: { count: 1, by: ["mia", "tom"] } },
        },
      },
    });
    const { run } = bench.submit([{ ...plannedStep("deploy"), ...guarded }]);
    bench.tick(limits.gateEveryMs);
    const before = bench.core.closedGates[0]?.given ?? "";
    bench.pull();
    approve(bench, { by: mia });
    bench.tick(limits.gateEveryMs);
    bench.result(run, 0, 1, made);
    bench.tick(limits.gateEveryMs);
    expect(missing(bench)).toEqual(["0 of 1 approvals of mia, tom"]);
    expect(answers(approve(bench, { by: mia, given: before }))).toMatchObject([
      { ok: false, reason: "refused", detail: expect.stringContaining("what the step has made") as string },
    ]);
    expect(answers(approve(bench, { by: mia }))).toEqual([{ ok: true }]);
  });

  it("is not for a step that has failed", () => {
    const bench = benchWith(behind);
    const { run } = bench.submit([{ ...plannedStep("deploy"), ...guarded }]);
    bench.pull();
    const failed: StepReport = { ...reportOf(), outcome: "failed", problem: "no" };
    const effects = [...bench.result(run, 0, 1, failed), ...bench.tick(limits.notesHeldMs)];
    expect(told(effects, "attempt-ended")).toMatchObject([{ cause: "failed", final: true }]);
    expect(bench.core.closedGates).toEqual([]);
  });

  it("tells the same after a restart of the home as before, and goes on", () => {
    const { bench, run } = ended();
    bench.restart();
    const again = bench.tick(limits.notesHeldMs);
    expect(told(again, "attempt-ended").every((event) => "held" in event)).toBe(true);
    bench.pull(5);
    const effects = [...approve(bench, { by: mia }), ...bench.tick(limits.gateEveryMs)];
    expect(said(effects, "grant").flatMap(({ leases }) => leases)).toMatchObject([{ run, index: 1 }]);
    bench.restart();
    const last = [...bench.tick(limits.notesHeldMs), ...bench.pull(5)];
    expect(told(last, "attempt-ended").filter((event) => "step" in event && event.step === "deploy")).toEqual(
      told(last, "attempt-ended").filter((event) => "held" in event && !event.final),
    );
  });

  it("asks for a verdict anew: what was said before the step says nothing of what it did", () => {
    const verdicts = [{ name: "health", url: "https://health.example.org", until: "response.status == 200" }];
    const bench = benchWith({
      "otto-policy": 1,
      environments: { production: { verdicts, after: { verdicts } } },
    });
    const { run } = bench.submit([{ ...plannedStep("deploy"), ...guarded }]);
    bench.pull();
    const polled = { run, index: 0, verdict: "passed", detail: "" } as const;
    bench.tell({ kind: "polled", polled: { ...polled, verdictOf: "health" } });
    bench.tick(limits.gateEveryMs);
    bench.result(run, 0, 1, made);
    bench.tick(limits.gateEveryMs);
    expect(missing(bench)).toEqual(["health does not say yes (https://health.example.org)"]);
    bench.tell({ kind: "polled", polled: { ...polled, verdictOf: "after/health" } });
    const effects = [...bench.tick(limits.gateEveryMs), ...bench.tick(limits.notesHeldMs)];
    expect(told(effects, "gate-opened")).toMatchObject([{ after: true }]);
  });
});
