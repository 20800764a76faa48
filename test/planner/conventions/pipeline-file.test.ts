import * as fc from "fast-check";
import { expect, test } from "vitest";

import { detectPipeline } from "../../../planner/conventions/detect.ts";
import { planDetected } from "../../../planner/conventions/plan-detected.ts";
import { writePipelineFile } from "../../../planner/conventions/pipeline-file.ts";
import { conventions } from "../../../planner/conventions/known.ts";
import { planPipeline } from "../../../planner/plan.ts";
import { context, find, packageJson, repositoryOf } from "./fixture.ts";
import type { Files } from "./fixture.ts";
import { examples } from "./repositories.ts";

const repositories: readonly (readonly [name: string, files: Files])[] = [
  [
    "Node",
    {
      "package.json": packageJson({ name: "shop", scripts: { lint: "l", build: "b", test: "t" } }),
      "yarn.lock": "",
    },
  ],
  [
    "Rails",
    {
      Gemfile: 'gem "rails"',
      "Gemfile.lock": "",
      "config/application.rb": "",
      "config/database.yml": "",
      "bin/rails": "",
      "test/a_test.rb": "",
    },
  ],
  ["Python", { "setup.py": "setup(extras_require={'test': ['pytest']})", "tests/test_a.py": "" }],
  ["unittest", { "setup.py": "", "test/__init__.py": "", "test/test_a.py": "" }],
  ["test files of Ruby", { Gemfile: "", "test/a_test.rb": "" }],
  ["a Go workspace", { "go.work": "go 1.24", "a/a_test.go": "" }],
  ["several", { "Cargo.toml": "[package]", "go.mod": "module a", "a_test.go": "" }],
  ["an entry", { "bin/ci": "", "pyproject.toml": "[project]\n[tool.pytest]", "test_a.py": "" }],
];

async function planned(files: Files) {
  const text = writePipelineFile(find(files));
  const result = await planPipeline({ text, path: "otto.yaml", context });
  if (!result.ok) throw new Error(`${text}\n${JSON.stringify(result.problem, null, 2)}`);
  return result.value;
}

const everyEcosystem = examples.map(({ ecosystem, files }) => [`an example of ${ecosystem}`, files] as const);

test.each([...repositories, ...everyEcosystem])(
  "the file written for %s means the same steps",
  async (_, files) => {
    const fromFile = await planned(files);
    const detected = planDetected(find(files), context);
    const withoutReason = ({ steps }: typeof detected) => steps.map((step) => ({ ...step, reason: "" }));
    expect(withoutReason(fromFile)).toEqual(withoutReason(detected));
    expect(fromFile.pipeline).toBe(detected.pipeline);
  },
);

test("the file reads as one would have written it", () => {
  expect(writePipelineFile(find({ ...repositories[0]?.[1], "test/a_test.js": "" }))).toBe(
    [
      "# Written by `otto init` from what this repository shows. Each step runs in a fresh copy of the sources;",
      "# `otto explain` says what this file means, `otto run` runs it.",
      "otto: 1",
      "pipeline: shop",
      "steps:",
      '  # package.json declares the script "lint"',
      "  lint:",
      "    caches:",
      "      yarn: { paths: [~/.cache/yarn], key: { files: [yarn.lock] } }",
      "    run:",
      "      - yarn install --frozen-lockfile",
      "      - yarn run lint",
      "",
      '  # package.json declares the script "build"',
      '  # package.json declares the script "test"',
      "  test:",
      "    caches:",
      "      yarn: { paths: [~/.cache/yarn], key: { files: [yarn.lock] } }",
      "    run:",
      "      - yarn install --frozen-lockfile",
      "      - yarn run build",
      "      - yarn test",
      "",
    ].join("\n"),
  );
});

test("whatever the files say, detecting does not fail, and what is detected can be planned", async () => {
  const reads = conventions
    .flatMap((convention) => convention.reads)
    .map((wanted) => wanted.replaceAll("*", "a"));
  const evidence = [
    "package-lock.json",
    "a_test.go",
    "tests/test_a.py",
    "spec/a_spec.rb",
    "test/a_test.exs",
    "bin/ci",
  ];
  const names = [...new Set([...reads, ...evidence, "web/package.json", "api/go.mod"])];
  const piece = fc.constantFrom(
    "\n",
    "[",
    "]",
    "{",
    "}",
    '"',
    "'",
    "=",
    ":",
    "#",
    "\t",
    "test",
    "pytest",
    "[project]\n",
    'name = "a: b"\n',
    "[dependency-groups]\n",
    "[tool.ruff]\n",
    'dev = ["ruff"]\n',
    "task default: :test\n",
    "ci:\n\tx\n",
    "test: a\n",
    '{"name":"x: #y","scripts":{"test":"a","lint":"b"}}',
    "module \u0000\n",
    "\\\n",
    "é\u2028",
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")),
  );
  const files = fc.dictionary(fc.constantFrom(...names), text);
  await fc.assert(
    fc.asyncProperty(files, async (given) => {
      const detection = detectPipeline(repositoryOf(given));
      expect(detectPipeline(repositoryOf(given))).toEqual(detection);
      if (detection.kind === "found") await planned(given);
    }),
    { numRuns: 500 },
  );
});
