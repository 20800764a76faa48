/**
 * What a world has to do: a charter, members, and runs whose plans come from the seed: chains and fans, branches on
 * failure, steps that are left out, that may or may not be tried again, that reach outside, that want a label.
 */

import type { Keys } from "../node/ports.ts";
import { type Manifest, openBundle, sealBundle, type Submission } from "../protocol/manifest.ts";
import { type Charter, domainId, sealCertificate } from "../protocol/membership.ts";
import { type Need, type Outcome, outcomes, type Plan, type PlannedStep } from "../protocol/plan.ts";
import { sha256Hex } from "../protocol/values.ts";
import { simulatedKeys, verifySimulated } from "./keys.ts";
import type { Chance } from "./random.ts";

const startWallMs = 1_700_000_000_000;
const certificateMs = 24 * 60 * 60_000;

export type Workload = { readonly bundle: Uint8Array; readonly submission: Submission };

export function charterOf(controls: readonly Keys[], leaseMs: number): Charter {
  const owner = simulatedKeys("owner");
  return {
    otto: "charter/1",
    domain: domainId("dev", owner.peer),
    name: "dev",
    owner: owner.peer,
    version: 1,
    size: controls.length,
    controls: controls.map(({ peer }) => ({ peer, addresses: [] })),
    leaseMs,
  };
}

/** A run that a person of the domain submits; `outside`: nearly all of its steps reach outside and are tried again. */
export function randomRun(
  chance: Chance,
  charter: Charter,
  { nonce, outside }: { readonly nonce: string; readonly outside: boolean },
): Workload {
  const steps: PlannedStep[] = [];
  const count = chance.between(1, 7);
  for (let index = 0; index < count; index += 1) steps.push(randomStep(chance, steps, outside));
  return submissionOf(steps, charter, nonce);
}

export function submissionOf(steps: readonly PlannedStep[], charter: Charter, nonce: string): Workload {
  const plan: Plan = {
    otto: 1,
    pipeline: "checks",
    origin: { kind: "file", path: "otto.yaml" },
    context: { branch: "main", tag: null, commit: null, trigger: "manual", parameters: {} },
    environments: { production: { domain: null, settings: {} } },
    steps,
  };
  const tree = sha256Hex(new TextEncoder().encode(`source ${nonce}`));
  const manifest: Manifest = { otto: "manifest/1", plan, source: { kind: "tree", tree }, nonce };
  const person = simulatedKeys("person");
  const expiresMs = startWallMs + certificateMs;
  const certificate = sealCertificate(
    charter.domain,
    { otto: "certificate/1", peer: person.peer, role: "person", name: "ada", expiresMs },
    simulatedKeys("owner"),
  );
  const bundle = sealBundle(manifest, charter.domain, person, certificate);
  const opened = openBundle(bundle, charter, startWallMs, { verify: verifySimulated });
  if (!opened.ok) throw new Error(`Bug: the workload is refused: ${opened.problem.detail}`);
  return { bundle, submission: opened.value };
}

function randomStep(chance: Chance, earlier: readonly PlannedStep[], outside: boolean): PlannedStep {
  const index = earlier.length;
  const name = `step${index}`;
  const included = !chance.percent(8);
  const needs: Need[] = [];
  for (const other of earlier) {
    if (!chance.percent(index < 3 ? 40 : 25)) continue;
    const picked = chance.percent(70) ? ["passed"] : outcomes.filter(() => chance.percent(45));
    const wanted = outcomes.filter((outcome) => picked.includes(outcome));
    const some: readonly Outcome[] = wanted.length > 0 ? wanted : ["passed"];
    const fits = other.included || !included || some.includes("skipped");
    needs.push({ step: other.name, outcomes: fits ? some : [...some, "skipped"] });
  }
  const sources = needs.filter((need) => need.outcomes.includes("passed") && chance.percent(60));
  const effect = chance.percent(outside ? 90 : 35);
  return {
    name,
    from: name,
    cell: {},
    included,
    reason: included ? "always" : "left out",
    commands: [`make ${name}`],
    needs,
    environment: effect ? "production" : null,
    variables: effect ? { OTTO_EFFECT: "yes" } : {},
    inputs: sources.map(({ step }) => ({ name: `from-${step}`, step, output: "files" })),
    outputs: [{ name: "files", files: ["out/**"] }],
    timeoutMs: 60_000,
    retry: {
      attemptsMax: chance.between(1, 4),
      on: (["lost", "timed-out", "failed"] as const).filter(() => outside || chance.percent(60)),
    },
    effect,
    labels: chance.percent(15) ? ["gpu"] : [],
  };
}
