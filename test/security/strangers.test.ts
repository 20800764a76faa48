/**
 * As somebody without rights, and as the author of a pull request whose files a member has run: nothing runs for the first, and the
 * second reaches neither a credential nor what others will read.
 */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { assignmentOf as assigned } from "../../node/core/assignment.ts";
import type { Assignment } from "../../node/ports.ts";
import { whyNotAdmitted } from "../../planner/policy/judge.ts";
import { type Manifest, openBundle, sealBundle } from "../../protocol/manifest.ts";
import { type Certificate, sealCertificate } from "../../protocol/certificate.ts";
import { domainId } from "../../protocol/membership.ts";
import type { Plan, PlanContext, PlannedStep } from "../../protocol/plan.ts";
import type { Policy } from "../../protocol/policy.ts";
import { plannedStep } from "../node/view/example.ts";
import { makeSurroundings, storeTree, type Surroundings } from "../node/execution/surroundings.ts";
import { certify, charter, control, owner, person, personal, stranger, wallMs } from "../protocol/domain.ts";

const { domain } = charter;

function planOf(context: Partial<PlanContext>, changes: Partial<PlannedStep> = {}): Plan {
  return {
    otto: 1,
    pipeline: "web",
    origin: { kind: "file", path: "otto.yaml" },
    context: { branch: "main", tag: null, commit: null, trigger: "manual", parameters: {}, ...context },
    environments: { production: { domain: null, settings: {} } },
    steps: [plannedStep("build", [], changes)],
  };
}

function manifestOf(plan: Plan): Manifest {
  const source = { kind: "tree", tree: "0".repeat(64) } as const;
  return { otto: "manifest/1", plan, source, nonce: "n", validUntilMs: wallMs + 1 };
}

describe("a submission", () => {
  const manifest = manifestOf(planOf({}));
  const elsewhere = domainId("ops", stranger.peer);
  const theirs: Certificate = { ...personal, peer: stranger.peer };
  const problem = (bytes: Uint8Array) => {
    const opened = openBundle(bytes, charter, wallMs, control);
    return opened.ok ? null : opened.problem.because;
  };

  it("is taken of a person of the domain", () => {
    expect(problem(sealBundle(manifest, domain, person, certify()))).toBe(null);
  });

  it.each([
    [
      "stranger",
      "with a certificate that they signed themselves",
      () => certify({ peer: stranger.peer }, stranger),
    ],
    ["stranger", "with the certificate of a person", () => certify()],
    ["other-domain", "with one of another domain", () => sealCertificate(elsewhere, theirs, stranger)],
    ["stranger", "with one that has ended", () => certify({ peer: stranger.peer, expiresMs: wallMs - 1 })],
    ["role", "that is a worker", () => certify({ peer: stranger.peer, role: "worker" })],
    ["role", "that is a spare control peer", () => certify({ peer: stranger.peer, role: "control" })],
    ["malformed", "without any", () => new Uint8Array()],
  ])("is refused (%s) of somebody %s", (because, _, certificate) => {
    expect(problem(sealBundle(manifest, domain, stranger, certificate()))).toBe(because);
  });

  it("is refused of a control peer and of the owner, who submit nothing", () => {
    expect(
      problem(sealBundle(manifest, domain, control, certify({ peer: control.peer, role: "control" }))),
    ).toBe("role");
    expect(problem(sealBundle(manifest, domain, owner, certify({ peer: owner.peer, role: "control" })))).toBe(
      "role",
    );
  });

  it("that was made for another domain is refused", () => {
    expect(problem(sealBundle(manifest, elsewhere, person, certify()))).toBe("other-domain");
  });
});

describe("what comes by a pull request", () => {
  const credentials = [{ name: "heroku", binding: { kind: "http", url: "https://api.heroku.com" } }] as never;
  const deploy = { environment: "production", credentials };
  const byRequest = { trigger: "pull-request" };
  const refused = (plan: Plan, policy: Omit<Policy, "otto-policy"> = {}) =>
    whyNotAdmitted({ "otto-policy": 1, ...policy }, plan, { peer: person.peer, domain: null });
  const refs = (...all: string[]) => ({ environments: { production: { refs: all } } });

  it("uses no credential, with a policy that says nothing of it and without any", () => {
    expect(refused(planOf({}, deploy))).toEqual([]);
    expect(refused(planOf(byRequest))).toEqual([]);
    expect(refused(planOf(byRequest, { credentials }))).toHaveLength(1);
    expect(refused(planOf(byRequest, deploy))).toHaveLength(1);
    expect(refused(planOf(byRequest, deploy), { environments: { production: {} } })).toHaveLength(1);
    expect(refused(planOf(byRequest, { ...deploy, included: false }))).toEqual([]);
  });

  it("passes for no branch, whatever its own is called", () => {
    for (const patterns of [["main"], ["*"], ["tag:*"], ["**"]])
      expect(
        refused(planOf(byRequest, { environment: "production" }), refs(...patterns)),
        patterns.join(" "),
      ).toEqual([`production takes ${patterns.join(", ")}, and this is a pull request from main`]);
  });

  it("is let in where the policy names pull requests", () => {
    expect(refused(planOf(byRequest, deploy), refs("main", "pull-request:*"))).toEqual([]);
    expect(refused(planOf(byRequest, deploy), refs("pull-request:release/*"))).not.toEqual([]);
    expect(refused(planOf({ branch: "pull-request:x" }, deploy), refs("pull-request:*"))).toEqual([]);
  });
});

describe("the caches of a pull request", () => {
  let surroundings: Surroundings;
  beforeEach(async () => {
    surroundings = await makeSurroundings();
  });
  afterEach(async () => surroundings.close());

  /** The text in the cache that a run finds, which leaves another one there. */
  async function found(context: Partial<PlanContext>, leaves: string): Promise<string> {
    const opened = openBundle(
      sealBundle(manifestOf(planOf(context)), domain, person, certify()),
      charter,
      wallMs,
      control,
    );
    if (!opened.ok) throw new Error(opened.problem.detail);
    const lease = { run: opened.value.run, index: 0, token: 1, attempt: 1, inputs: [] };
    const { cacheScope, cacheBelow } = assigned({ id: "a", domain, lease }, opened.value) as Assignment;
    const tree = await storeTree(surroundings.blobs, { lock: "one" });
    const command = `cat deps/text 2>/dev/null || { echo nothing; mkdir deps; echo ${leaves} > deps/text; }`;
    const { tail } = await surroundings.run([command], {
      caches: [{ name: "deps", paths: ["deps"], keyFiles: ["lock"] }],
      cacheScope,
      cacheBelow,
      source: { kind: "tree", tree },
    });
    return tail
      .split("\n")
      .filter((line) => !line.startsWith("[otto]") && line !== "")
      .join("\n");
  }
  const forked = (branch: string) => ({ trigger: "pull-request", branch });

  it("are read by nobody else: a poisoned one is found by its own branch alone", async () => {
    expect(await found(forked("evil"), "poison")).toBe("nothing");
    expect(await found(forked("evil"), "more")).toBe("poison");
    expect(await found(forked("good"), "good")).toBe("nothing");
    expect(await found({ branch: "evil" }, "clean")).toBe("nothing");
    expect(await found({}, "again")).toBe("clean");
  });

  it("begin with what the pipeline's other runs have left", async () => {
    expect(await found({}, "clean")).toBe("nothing");
    expect(await found(forked("new"), "poison")).toBe("clean");
    expect(await found({}, "again")).toBe("clean");
  });
});
