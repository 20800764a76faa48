/**
 * The pipelines whose plan ids are kept in `golden-ids.txt`: one for each part of the language, and repositories that are
 * detected. Adding one is free; changing one hides a change of the planner.
 */

import { detectPipeline } from "../../planner/conventions/detect.ts";
import { planDetected } from "../../planner/conventions/plan-detected.ts";
import { formatDiagnostics } from "../../planner/diagnostics.ts";
import { planId, planPipeline } from "../../planner/plan.ts";
import type { PlanContext } from "../../protocol/plan.ts";
import { type Files, packageJson, repositoryOf } from "./conventions/fixture.ts";
import { importsOf } from "./planning.ts";

const context: PlanContext = {
  branch: "main",
  tag: "v1.2.3",
  commit: "0123456789abcdef0123456789abcdef01234567",
  trigger: "manual",
  parameters: {},
};
const changed = {
  paths: ["docs/page.md", "web/app.ts"],
  base: "89abcdef0123456789abcdef0123456789abcdef",
  because: "where topic left main",
};

/** By name, what stands under `steps`, or a whole file. */
const written: Readonly<Record<string, string>> = {
  "one step": "a: { run: make }",
  "several commands": "a: { run: [make, make install] }",
  "a command of several lines": 'a: { run: "set -e\\nmake\\n" }',
  needs: "{ a: { run: x }, b: { run: y, needs: a }, c: { run: z, needs: [a, b] } }",
  "needs with outcomes": "{ a: { run: x }, b: { run: y, needs: { a: [skipped, failed, timed-out] } } }",
  "outcomes of its own":
    "{ a: { run: x, outcomes: [new, blue] }, b: { run: y, needs: { a: [new, passed] } } }",
  "a condition that is true": "a: { run: x, when: git.branch == 'main' && git.tag.startsWith('v') }",
  "a condition that is false": "{ a: { run: x, when: trigger == 'schedule' }, b: { run: y, needs: a } }",
  "paths that changed": "a: { run: x, paths: [web/**] }",
  "paths that did not change": "a: { run: x, paths: [api/**] }",
  "a condition over what changed": 'a: { run: x, when: \'changed("web/**") && !changed("api/**")\' }',
  "a matrix": "a: { run: x, matrix: { os: [linux, mac], n: [1, 2] } }",
  "a matrix with include and exclude":
    "a: { run: x, matrix: { os: [linux, mac], n: [1, 2], include: [{ os: linux, x: y }, { os: win }], exclude: [{ n: 2 }] } }",
  "cells that are left out":
    "{ a: { run: x, matrix: { os: [linux, mac] }, when: matrix.os == 'linux' }, b: { run: y, needs: a } }",
  "outputs and inputs":
    "{ a: { run: x, outputs: { site: [dist/**, '*.html'] } }, b: { run: y, inputs: { site: a.site } } }",
  "inputs of a matrix":
    "{ a: { run: x, matrix: { n: [1, 2] }, outputs: { o: o } }, b: { run: y, matrix: { n: [1, 2] }, inputs: { i: a.o } } }",
  values:
    "{ a: { run: x, values: { version: string, count: number } }, b: { run: y, inputs: { v: a.version } } }",
  variables: "a: { run: x, env: { B: 1.10, A: true, C: text } }",
  timeout: "a: { run: x, timeout: 1h30m }",
  retry:
    "{ a: { run: x, retry: 2 }, b: { run: x, retry: { max: 1, on: [failed] } }, c: { run: x, retry: 0 } }",
  labels: "a: { run: x, labels: [gpu, os=linux] }",
  "a lock": "a: { run: x, lock: database }",
  "labels of the matrix": "a: { run: x, matrix: { os: [linux, mac] }, labels: { os: matrix.os } }",
  requirements:
    "a: { run: x, requires: { os: linux, arch: x64, labels: [gpu], tools: { ruby: '3.4' }, cores: 2, memory: 8GiB, sandbox: S1, image: ruby, or: host } }",
  caches: "a: { run: x, caches: { gems: { paths: [vendor, ~/.gem], key: { files: [Gemfile.lock] } } } }",
  credentials:
    "a: { run: x, credentials: { api: { http: https://api.example.org }, code: { git: https://git.example.org/a } } }",
  reports: "a: { run: x, reports: { junit: [b.xml, a.xml] } }",
  effect: "a: { run: x, effect: true }",
  "an approval": "a: { approve: { question: Go on?, by: [team/web, ann], count: 2, within: 2d } }",
  "an approval that is only a question": "a: { approve: Go on? }",
  "a wait":
    "a: { wait: { callback: outside, poll: { http: https://example.org/, until: response.status == 200 } } }",
  parameters: `otto: 1
parameters: { channel: { type: string, enum: [beta, stable], default: beta }, n: { type: number, default: 2 } }
steps: { a: { run: x, when: parameters.channel == "beta" && parameters.n == 2 } }
`,
  environments: `otto: 1
pipeline: shop
env: { A: file, B: file }
environments: { production: { domain: ops, settings: { A: environment }, lock: true }, bare: }
steps: { a: { run: x, environment: production, env: { B: step } }, b: { run: x, environment: bare } }
`,
  "a priority": `otto: 1
priority: low
steps: { a: { run: x } }
`,
  triggers: `otto: 1
triggers:
  - push: [main]
  - pull-request:
  - tag: ["v*"]
  - { run: library, outcomes: [failed] }
  - webhook: registry
  - { schedule: 0 3 * * *, missed: none }
steps: { a: { run: x } }
`,
  templates: `otto: 1
uses: { shared: ./ci/deploy.yaml }
environments: { production: { settings: { HOST: outer } } }
steps:
  prepare: { run: x }
  preprod: { needs: prepare, pipeline: shared, with: { target: preprod } }
  production: { needs: preprod, pipeline: ./ci/deploy.yaml, with: { target: production, slow: true } }
  after: { inputs: { site: production/build.site }, run: y }
`,
  "step libraries": `otto: 1
uses: { lint: ./lint }
parameters: { strict: { type: number, default: 7 } }
steps:
  lint: { uses: lint, with: { level: parameters.strict } }
  cells: { uses: ./lint, with: { level: matrix.n }, matrix: { n: [1, 2] } }
  show: { needs: { lint: [passed, untidy] }, inputs: { report: lint.report, count: lint.mistakes }, run: x }
`,
  notifications: `otto: 1
steps: { a: { run: x, outcomes: [strange] }, b: { needs: a, run: y, matrix: { n: [1, 2] } } }
notify:
  - { on: [failed, passed], uses: ./tell, with: { channel: "#deploys" } }
  - { on: recovered, uses: ./tell }
`,
};

/** What the pipelines above use. */
const imports = importsOf({
  "ci/deploy.yaml": `otto: 1
parameters: { target: { type: string, enum: [preprod, production] }, slow: { type: boolean, default: false } }
environments: { production: { settings: { HOST: inner } } }
steps:
  build: { run: make, matrix: { os: [linux, mac] }, outputs: { site: dist/** } }
  test: { needs: build, run: make test, when: parameters.slow }
  push: { inputs: { site: build.site }, run: ./push, environment: production }
  checks: { needs: { test: [passed, skipped] }, pipeline: ./ci/checks.yaml, with: { strict: parameters.slow } }
`,
  "ci/checks.yaml": `otto: 1
parameters: { strict: { type: boolean } }
steps: { lint: { uses: ./lint }, audit: { run: audit, when: parameters.strict } }
`,
  "lint/otto-step.yaml": `otto-step: 1
name: lint
parameters: { level: { type: number, default: 1 } }
entry: { any: ./lint, linux: ./lint-linux }
outputs: { report: report/** }
values: { mistakes: number }
outcomes: [untidy]
may: [read the workspace]
`,
  "tell/otto-step.yaml": `otto-step: 1
name: tell
parameters: { channel: { type: string, default: "" } }
entry: { any: ./tell }
effect: true
`,
});

const detected: Readonly<Record<string, Files>> = {
  "npm, detected": {
    "package.json": packageJson({ name: "shop", scripts: { lint: "l", build: "b", test: "t" } }),
    "package-lock.json": "{}",
  },
  "yarn, detected": { "package.json": packageJson({ scripts: { test: "t" } }), "yarn.lock": "" },
  "Rails, detected": {
    Gemfile: 'gem "rails"',
    "Gemfile.lock": "",
    "config/application.rb": "",
    "bin/rails": "",
    "test/a_test.rb": "",
  },
  "Python, detected": { "setup.py": "setup(extras_require={'test': ['pytest']})", "tests/test_a.py": "" },
  "Go, detected": { "go.mod": "module example.org/cart\n", "cart_test.go": "" },
  "Rust, detected": { "Cargo.toml": '[package]\nname = "cart"\n', "Cargo.lock": "" },
  "Maven, detected": { "pom.xml": "<project/>", mvnw: "" },
  "Make, detected": { Makefile: "test:\n\ttrue\n" },
};

/** Name and plan id of each, in a fixed order. */
export async function goldenIds(): Promise<readonly (readonly [name: string, id: string])[]> {
  const ids: (readonly [string, string])[] = [];
  for (const [name, said] of Object.entries(written)) {
    const steps = said.startsWith("{") ? `steps: ${said}` : `steps: { ${said} }`;
    const text = said.startsWith("otto:") ? said : `otto: 1\n${steps}\n`;
    const planned = await planPipeline({
      text,
      path: "otto.yaml",
      context,
      changes: () => Promise.resolve(changed),
      imports,
    });
    if (!planned.ok) throw new Error(`${name}\n${formatDiagnostics(planned.problem, text)}`);
    ids.push([name, planId(planned.value)]);
  }
  for (const [name, files] of Object.entries(detected)) {
    const found = detectPipeline(repositoryOf(files));
    if (found.kind === "nothing") throw new Error(`${name}: nothing was detected`);
    ids.push([name, planId(planDetected(found, context))]);
  }
  return ids;
}

/** As the file has it. */
export function goldenText(ids: readonly (readonly [string, string])[]): string {
  return ids.map(([name, id]) => `${id}  ${name}\n`).join("");
}

export const goldenFile = new URL("golden-ids.txt", import.meta.url);
