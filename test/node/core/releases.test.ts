/** Steps that are released to another domain, when either domain has other control peers meanwhile. */

import { describe, expect, it } from "vitest";
import { Countersigning } from "../../../node/core/countersigning.ts";
import type { ReleaseTold } from "../../../node/core/effects.ts";
import { Neighbours } from "../../../node/core/neighbours.ts";
import { OpenRun } from "../../../node/core/open-run.ts";
import { Releases } from "../../../node/core/releases.ts";
import { sealDocument } from "../../../protocol/documents.ts";
import { sealEnvelope } from "../../../protocol/envelope.ts";
import { limits } from "../../../protocol/limits.ts";
import { type Charter, sealCharter, successorOf } from "../../../protocol/membership.ts";
import type { Message } from "../../../protocol/messages.ts";
import { sealQuorum } from "../../../protocol/quorum.ts";
import type { Command } from "../../../protocol/registers/registers.ts";
import { type Release, type ReleasedOutcome, sealOutcome } from "../../../protocol/release.ts";
import { decodeValue } from "../../../protocol/values.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { charterOf, runOf } from "../../../simulations/workload.ts";
import { plannedStep } from "../view/example.ts";

const owner = simulatedKeys("owner");
const [own, other] = [simulatedKeys("control0"), simulatedKeys("control1")];
const [first, second, third] = ["ops-1", "ops-2", "ops-3"].map((name) => simulatedKeys(name));
if (first === undefined || second === undefined || third === undefined) throw new Error("ops has three");
const beganMs = 1_700_000_000_000;
const ops = charterOf([first, second, third], 10_000, "ops");
const listed = (keys: { readonly peer: string }) => ({ peer: keys.peer, store: "s", addresses: [] });

/** A lone home of dev whose run's only step is ops's, and waits. */
class Home {
  charter: Charter = charterOf([own], 10_000);
  readonly told: ReleaseTold[] = [];
  readonly proposed: Command[] = [];
  readonly asked: Message[] = [];
  readonly neighbours: Neighbours;
  readonly releases: Releases;
  readonly run: OpenRun;
  nowMs = beganMs;

  /** @param aheadMs by how much the clock was ahead that said when the step began to wait. */
  constructor(aheadMs = 0) {
    const step = { ...plannedStep("deploy"), environment: "production", effect: true };
    const { submission } = runOf(
      {
        otto: 1,
        pipeline: "shop",
        origin: { kind: "file", path: "otto.yaml" },
        context: { branch: "main", tag: null, commit: null, trigger: "manual", parameters: {} },
        environments: { production: { domain: "ops", settings: {} } },
        steps: [step],
      },
      this.charter,
      { nonce: "n" },
    );
    this.run = new OpenRun(submission);
    const body = { charter: sealCharter(ops, owner) };
    const document = {
      otto: "document/1",
      topic: "domain",
      name: "ops",
      version: 1,
      timeMs: 1,
      body,
    } as const;
    const bytes = sealDocument(document, this.charter.domain, { keys: owner, certificate: null });
    const documents = () => [["domain/ops", { kind: "document", version: 1, bytes }]] as const;
    const keys = own;
    const charter = () => this.charter;
    this.neighbours = new Neighbours({ documents, charter, store: () => undefined, keys }, []);
    this.neighbours.refresh();
    const fellows = () => this.charter.controls.map(({ peer }) => peer);
    const send = (_: string, message: Message) => void this.asked.push(message);
    const countersigning = new Countersigning({ keys, charter, send, fellows });
    this.releases = new Releases({
      countersigning,
      endorsing: { uncounted: () => null },
      neighbours: this.neighbours,
      keys,
      charter,
      charterBytes: () => sealCharter(this.charter, owner),
      propose: (_, command) => void this.proposed.push(command),
      note: () => undefined,
      run: () => this.run,
      tell: (told) => void this.told.push(told),
    });
    this.run.begin();
    const value = {
      kind: "step",
      state: "waiting",
      token: 1,
      past: [],
      sinceMs: beganMs + aheadMs,
      answers: [],
    } as const;
    this.releases.restore(this.run, 0, value, this.now);
  }

  get now() {
    return { monotonicMs: this.nowMs - beganMs, wallMs: this.nowMs };
  }

  get place() {
    return { run: this.run.submission.run, index: 0 };
  }

  tick(afterMs: number): void {
    this.nowMs += afterMs;
    this.releases.tick(this.now);
  }

  /** What these of ops sign, with the charter that ops had first. */
  outcome(by: readonly (typeof own)[]): Uint8Array {
    const { domain } = this.charter;
    const said = { otto: "outcome/1", domain, ...this.place, outcome: "passed", detail: "" } as const;
    const outcome: ReleasedOutcome = { ...said, outputs: [], values: {} };
    const envelopes = by.map((keys) => sealEnvelope("outcome", ops.domain, outcome, keys));
    return sealOutcome(sealQuorum(envelopes), sealCharter(ops, owner));
  }
}

describe("an outcome", () => {
  it("counts that control peers signed who were ones when the step began to wait, whoever has taken over since", () => {
    const home = new Home();
    const others = successorOf(ops, [listed(own), listed(other)], beganMs + 1_000);
    expect(home.neighbours.accepts({ charter: others, bytes: sealCharter(others, owner) })).toBe(true);
    home.releases.told(home.place, { state: "done", outcome: home.outcome([first, second]) }, home.now);
    expect(home.proposed).toMatchObject([{ kind: "settle", outcome: "passed" }]);
  });

  it("counts, too, when the clock was far ahead that said when the step began to wait, and is right now", () => {
    const home = new Home(60 * 60_000);
    const others = successorOf(ops, [listed(own), listed(other)], beganMs + 1_000);
    expect(home.neighbours.accepts({ charter: others, bytes: sealCharter(others, owner) })).toBe(true);
    home.releases.told(home.place, { state: "done", outcome: home.outcome([first, second]) }, home.now);
    expect(home.proposed).toMatchObject([{ kind: "settle", outcome: "passed" }]);
  });

  it("does not count when one of them had been taken out long before, nor without a majority of them", () => {
    const home = new Home();
    const takenOutMs = beganMs - limits.signedApartMsMax - 1;
    const others = successorOf(ops, [first, third].map(listed), takenOutMs);
    expect(home.neighbours.accepts({ charter: others, bytes: sealCharter(others, owner) })).toBe(true);
    for (const by of [[first, second], [first]])
      home.releases.told(home.place, { state: "done", outcome: home.outcome(by) }, home.now);
    expect(home.proposed).toEqual([]);
  });
});

describe("a release", () => {
  const grow = (home: Home): void => {
    home.charter = successorOf(home.charter, [own, other].map(listed), beganMs + 1_000);
  };

  it("is told with the charter that it is signed by, and signed anew when the domain has more control peers", () => {
    const home = new Home();
    expect(home.told).toMatchObject([{ charter: sealCharter(home.charter, owner) }]);
    grow(home);
    home.releases.told(home.place, { state: "running", detail: "" }, home.now);
    home.tick(limits.releaseEveryMs);
    expect(home.told).toHaveLength(1);
    expect(home.asked).toMatchObject([{ kind: "endorse", what: "release" }]);
  });

  it("may be admitted for as long as a submission, so that clocks may differ by what a domain takes beyond that", () => {
    const home = new Home();
    grow(home);
    home.releases.told(home.place, { state: "running", detail: "" }, home.now);
    home.tick(limits.releaseEveryMs);
    const [asked] = home.asked;
    const statement = asked?.kind === "endorse" ? (decodeValue(asked.statement) as Release) : null;
    expect((statement?.untilMs ?? 0) - (statement?.fromMs ?? 0)).toBe(limits.submissionMsDefault);
  });

  it("is not refused by a domain that knows of newer control peers than those who told it", () => {
    const home = new Home();
    grow(home);
    for (const { peer: by } of [first, second])
      home.releases.told(home.place, { state: "refused", detail: "it knows a newer charter", by }, home.now);
    expect(home.proposed).toEqual([]);
  });

  it("is refused by as many as leave too few to sign how it ends, and by nobody alone or from elsewhere", () => {
    const home = new Home();
    const refuse = (by: { readonly peer: string }, detail = "it will not") =>
      home.releases.told(home.place, { state: "refused", detail, by: by.peer }, home.now);
    for (const by of [first, first, own, other]) refuse(by);
    expect(home.proposed).toEqual([]);
    expect(home.releases.waiting[0]?.missing[0]).toContain(
      "1 of the 2 control peers that it takes refuse it",
    );
    refuse(second);
    expect(home.proposed).toMatchObject([
      { kind: "settle", outcome: "failed", settlement: { cause: "released", detail: "it will not" } },
    ]);
  });

  it("that one refuses is told to the others at once, and may end as they say", () => {
    const home = new Home();
    const refused = { state: "refused", detail: "it will not", by: first.peer } as const;
    expect(home.told).toMatchObject([{ refusedBy: [] }]);
    home.releases.told(home.place, refused, home.now);
    home.tick(0);
    expect(home.told.slice(1)).toMatchObject([{ refusedBy: [first.peer] }]);
    // Nobody else answers: it is not asked again and again.
    home.releases.told(home.place, refused, home.now);
    home.tick(0);
    expect(home.told).toHaveLength(2);
    home.tick(limits.releaseEveryMs);
    home.releases.told(home.place, { state: "done", outcome: home.outcome([second, third]) }, home.now);
    expect(home.proposed).toMatchObject([{ kind: "settle", outcome: "passed" }]);
  });
});
