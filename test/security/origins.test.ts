/**
 * Somebody who wants a deploy into production to begin with files that its policy does not want there: made by another pipeline,
 * another domain, without isolation, or vouched for by a provenance that is another artifact's, a stranger's or forged. The
 * control peer judges by its own records and by what it checks itself.
 */

import { beforeEach, describe, expect, it } from "vitest";
import { sealAnswer } from "../../protocol/answers.ts";
import { type Document, sealDocument } from "../../protocol/documents.ts";
import { limits } from "../../protocol/limits.ts";
import { type Charter, domainId, sealCharter } from "../../protocol/membership.ts";
import type { PlannedStep } from "../../protocol/plan.ts";
import type { Policy, ProvenanceDemand } from "../../protocol/policy.ts";
import type { SignedStatement } from "../../protocol/provenance/bundle.ts";
import {
  type BuildFacts,
  encodeStatement,
  statementOf,
  toBeSigned,
} from "../../protocol/provenance/statement.ts";
import { simulatedKeys } from "../../simulations/keys.ts";
import { certificateOf } from "../../simulations/workload.ts";
import { answers, Bench, said } from "../node/core/bench.ts";
import { controlKeysOf, exampleCharter } from "../node/core/example.ts";
import { plannedStep, reportOf } from "../node/view/example.ts";

const owner = simulatedKeys("owner");
const mallory = simulatedKeys("mallory");
const site = "5".repeat(64);
const otherSite = "6".repeat(64);
const deploy: PlannedStep = {
  ...plannedStep("deploy", ["fetch"]),
  environment: "production",
  effect: true,
  inputs: [{ name: "site", step: "fetch", output: "site" }],
};
/** What other domains are called, and say of themselves. */
const foreign: Charter = {
  ...exampleCharter,
  domain: domainId("dev", mallory.peer),
  owner: mallory.peer,
  controls: [{ peer: mallory.peer, store: "m.0", addresses: [] }],
};

let bench: Bench;
let asked = 500;

beforeEach(() => (bench = new Bench()));

function put(topic: Document["topic"], name: string, body: unknown, version = 1): void {
  const document: Document = { otto: "document/1", topic, name, version, timeMs: bench.now.wallMs, body };
  const bytes = sealDocument(document, exampleCharter.domain, { keys: owner, certificate: null });
  const told = answers(bench.tell({ kind: "put-document", bytes, question: (asked += 1) }));
  expect(told).toMatchObject([{ ok: true }]);
}

/** A run whose deploy waits at the gate of production with the files that `fetch` made. */
function gated(demand: ProvenanceDemand): void {
  const policy: Policy = {
    "otto-policy": 1,
    people: { mia: simulatedKeys("mia").peer },
    environments: { production: { provenance: [demand] } },
  };
  put("policy", "domain", { text: "", policy });
  const { run } = bench.submit([
    { ...plannedStep("fetch"), outputs: [{ name: "site", files: ["site"] }] },
    deploy,
  ]);
  bench.pull();
  bench.result(run, 0, 1, reportOf({ outputs: [{ name: "site", tree: site, files: 1, bytes: 1 }] }));
  bench.tick(limits.gateEveryMs);
}

const missing = (): readonly string[] => bench.core.closedGates[0]?.missing ?? [];
const isGiven = (): boolean =>
  [...said(bench.pull(5), "grant"), ...said(bench.tick(limits.gateEveryMs), "grant")].length > 0;

function provenance(changes: Partial<BuildFacts> = {}, keys = controlKeysOf): SignedStatement {
  const facts: BuildFacts = {
    domain: exampleCharter.domain,
    charter: sealCharter(exampleCharter, owner),
    run: "r",
    pipeline: "build",
    plan: "p",
    step: "pack",
    output: "site",
    ref: "main",
    attempt: 1,
    worker: "w",
    level: "Build L2, self-assessed",
    exposed: [],
    dependencies: [],
    tree: site,
    files: [],
    ...changes,
  };
  const payload = encodeStatement(statementOf(facts));
  return { payload, signatures: [{ peer: keys.peer, signature: keys.sign(toBeSigned(payload)) }] };
}

/** Somebody of the domain, whom the policy need not name, shows it. */
function show(...provenances: readonly SignedStatement[]): unknown[] {
  const [gate] = bench.core.closedGates;
  if (gate === undefined) throw new Error("no gate is closed");
  const { run, manifest, given } = gate;
  const eve = simulatedKeys("eve");
  const bytes = sealAnswer(
    {
      otto: "answer/1",
      run,
      manifest,
      step: "deploy",
      verdict: "passed",
      detail: "",
      given,
      provenances,
    },
    exampleCharter.domain,
    { keys: eve, certificate: certificateOf(exampleCharter, eve.peer, "person") },
  );
  const told = answers(bench.tell({ kind: "answer-step", bytes, said: null, question: (asked += 1) }));
  bench.tick(limits.gateEveryMs);
  return told;
}

describe("files that a step of the run made", () => {
  it.each<[string, ProvenanceDemand, RegExp]>([
    ["of another pipeline", { pipelines: ["build"] }, /site was made by the pipeline checks, not by build/u],
    ["by another step", { steps: ["pack*"] }, /by the step fetch, not by pack\*/u],
    ["from another ref", { refs: ["release/**"] }, /from main, not from release/u],
    ["from a laptop's files", { sources: ["git+https://git.example.org/**"] }, /whoever submitted them/u],
    ["of another domain", { domains: ["ops"] }, /by the domain dev, not by ops/u],
    ["without isolation", { level: 2 }, /by fetch at Build L1, and L2 is demanded/u],
    ["under another name", { inputs: ["bundle"] }, /no input that is called bundle/u],
  ])("%s do not reach production", (_, demand, why) => {
    gated(demand);
    expect(missing().join()).toMatch(why);
    expect(isGiven()).toBe(false);
  });

  it("reach it when they were made as is demanded, with nothing to show", () => {
    gated({ inputs: ["site"], domains: ["dev"], pipelines: ["checks"], refs: ["main"], level: 1 });
    expect(missing()).toEqual([]);
    expect(isGiven()).toBe(true);
  });
});

describe("files that another run made", () => {
  const demand: ProvenanceDemand = { pipelines: ["build"], steps: ["pack"], refs: ["main"], level: 2 };

  it("reach production with their provenance, whoever shows it", () => {
    gated(demand);
    expect(show(provenance())).toEqual([{ ok: true }]);
    expect(isGiven()).toBe(true);
  });

  it.each<[string, () => SignedStatement]>([
    ["a valid provenance of another artifact", () => provenance({ tree: otherSite })],
    ["one of another pipeline", () => provenance({ pipeline: "play" })],
    ["one of a build without isolation", () => provenance({ level: "Build L1, self-assessed" })],
    ["one of another branch", () => provenance({ ref: "mine" })],
    ["one that he signed himself", () => provenance({}, mallory)],
    [
      "one of a domain of his own with the name of this one",
      () => provenance({ domain: foreign.domain, charter: sealCharter(foreign, mallory) }, mallory),
    ],
    [
      "one of a time when he was a control peer",
      () => {
        const before: Charter = {
          ...exampleCharter,
          controls: [{ peer: mallory.peer, store: "m.0", addresses: [] }],
        };
        return provenance({ charter: sealCharter(before, owner) }, mallory);
      },
    ],
    [
      "one that was changed after it was signed",
      () => {
        const { signatures } = provenance({ pipeline: "play" });
        return { payload: provenance().payload, signatures };
      },
    ],
  ])("do not reach it with %s", (_, shown) => {
    gated(demand);
    show(shown());
    expect(missing().join()).toContain("the input site was made by the pipeline checks, not by build");
    expect(isGiven()).toBe(false);
  });

  it("of a domain that the owner trusts reach it where the policy names that domain, and only there", () => {
    put("domain", foreign.domain, { charter: sealCharter(foreign, mallory) });
    const shown = () =>
      provenance({ domain: foreign.domain, charter: sealCharter(foreign, mallory) }, mallory);
    gated({ ...demand, domains: [exampleCharter.domain] });
    show(shown());
    expect(isGiven()).toBe(false);
    bench = new Bench();
    put("domain", foreign.domain, { charter: sealCharter(foreign, mallory) });
    gated({ ...demand, domains: [foreign.domain] });
    show(shown());
    expect(isGiven()).toBe(true);
  });

  it("are approved by nobody whom the policy does not name: a provenance is no approval", () => {
    gated(demand);
    const policy: Policy = {
      "otto-policy": 1,
      people: { mia: simulatedKeys("mia").peer },
      environments: { production: { provenance: [demand], approve: { count: 1, by: ["mia"] } } },
    };
    put("policy", "domain", { text: "", policy }, 2);
    show(provenance());
    expect(missing()).toEqual(["0 of 1 approvals of mia"]);
    expect(bench.core.closedGates[0]?.approvedBy).toEqual([]);
  });
});
