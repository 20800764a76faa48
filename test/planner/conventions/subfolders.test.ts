import { describe, expect, test } from "vitest";

import { planPipeline } from "../../../planner/plan.ts";
import { writePipelineFile } from "../../../planner/conventions/pipeline-file.ts";
import { limits } from "../../../protocol/limits.ts";
import { commandsOf, context, detect, find, packageJson, planOf, sentences } from "./fixture.ts";
import type { Files } from "./fixture.ts";

const frontend = {
  "frontend/package.json": packageJson({ name: "web", scripts: { test: "t", lint: "l" } }),
  "frontend/package-lock.json": "",
  "frontend/.nvmrc": "22",
};
const backend = { "backend/go.mod": "module api\n", "backend/go.sum": "", "backend/api_test.go": "" };

describe("projects in subfolders of a root that shows nothing", () => {
  test("are each planned, in their folder and by its name", () => {
    expect(commandsOf({ ...frontend, ...backend, "README.md": "" })).toEqual({
      "lint-frontend": ["cd frontend && npm ci", "cd frontend && npm run lint"],
      "test-backend": [
        "cd backend && go build ./...",
        "cd backend && go vet ./...",
        "cd backend && go test ./...",
      ],
      "test-frontend": ["cd frontend && npm ci", "cd frontend && npm test"],
    });
    expect(planOf({ ...frontend, ...backend }).pipeline).toBe("main");
  });

  test("say where what counts lies", () => {
    const { matches, pipeline } = find({ ...frontend, ...backend });
    expect(sentences(matches)).toContain("Node: frontend/.nvmrc declares the version of Node: 22");
    expect(pipeline.steps[0]?.reason).toBe('frontend/package.json declares the script "lint"');
    expect(pipeline.steps[0]?.caches).toEqual([
      { name: "npm", paths: ["~/.npm"], keyFiles: ["frontend/package-lock.json"] },
    ]);
  });

  test("keep what lies in them in their own folder", () => {
    const files = { "shop/Gemfile": "", "shop/Gemfile.lock": "", "shop/Rakefile": "task default: :test\n" };
    expect(find(files).pipeline.steps[0]?.caches[0]?.paths).toEqual(["shop/vendor/bundle"]);
  });

  test("are planned where the root has only tools", () => {
    const root = {
      "package.json": packageJson({ devDependencies: { prettier: "3" } }),
      Makefile: "up:\n\tup\n",
    };
    expect(Object.keys(commandsOf({ ...root, ...backend }))).toEqual(["test-backend"]);
    expect(sentences(find({ ...root, ...backend }).rejected)).toContain(
      "Node: package.json declares no test script",
    );
  });

  test("are named, not planned, where the root shows something", () => {
    const files = { ...backend, "Cargo.toml": "[package]\n" };
    expect(Object.keys(commandsOf(files))).toEqual(["test"]);
    expect(sentences(find(files).rejected)).toContain(
      "Repository: backend/go.mod is in a subfolder; only the root decides",
    );
  });

  test("are looked for one folder further down where a folder is none", () => {
    const files = { "services/api/go.mod": "module a\n", "services/api/a_test.go": "", "a/b/c/go.mod": "" };
    expect(Object.keys(commandsOf(files))).toEqual(["test-services-api"]);
    expect(Object.keys(commandsOf({ ...files, "services/go.mod": "module s\n" }))).toEqual(["test-services"]);
  });

  test("with several ecosystems have a step for each", () => {
    const both = { ...backend, "backend/Cargo.toml": "[package]\n" };
    expect(Object.keys(commandsOf(both))).toEqual(["test-backend-go", "test-backend-rust"]);
  });

  test.each(["examples", "docs", ".github", "third_party", "test"])("are not planned in %s", (folder) => {
    const files = { [`${folder}/go.mod`]: "module a\n", [`${folder}/a_test.go`]: "" };
    expect(sentences(detect(files).rejected)).toEqual([
      `Repository: ${folder}/go.mod is in a folder that is no project of its own by its name`,
    ]);
    expect(detect(files).kind).toBe("nothing");
  });

  test("are not planned in a folder whose name the shell would read otherwise", () => {
    const files = { "a; rm -r b/go.mod": "module a\n", "-x/go.mod": "module a\n" };
    expect(detect(files).kind).toBe("nothing");
    expect(sentences(detect(files).rejected)[1]).toContain("name cannot be a part of a command");
  });

  test("are at most so many, and the others are named", () => {
    const names = Array.from({ length: limits.nestedProjectsMax + 2 }, (_, index) => `part${100 + index}`);
    const files = Object.fromEntries(names.map((name) => [`${name}/go.mod`, `module ${name}\n`]));
    expect(find(files).pipeline.steps).toHaveLength(limits.nestedProjectsMax);
    expect(sentences(find(files).rejected)).toEqual([
      "Repository: part120/go.mod is not used: 20 projects in subfolders are planned at most",
      "Repository: part121/go.mod is not used: 20 projects in subfolders are planned at most",
    ]);
  });

  test("have names of their own", () => {
    const files = { "a/b/go.mod": "module a\n", "a-b/go.mod": "module b\n" };
    expect(Object.keys(commandsOf(files))).toEqual(["build-a-b", "build-a-b-2"]);
  });

  test("mean the same steps in the file that is written for them", async () => {
    const files: Files = {
      ...frontend,
      ...backend,
      "shop/pyproject.toml": "[project]\n",
      "shop/uv.lock": "",
    };
    const planned = await planPipeline({ text: writePipelineFile(find(files)), path: "otto.yaml", context });
    if (!planned.ok) throw new Error(JSON.stringify(planned.problem));
    const withoutReason = ({ steps }: ReturnType<typeof planOf>) =>
      steps.map((step) => ({ ...step, reason: "" }));
    expect(withoutReason(planned.value)).toEqual(withoutReason(planOf(files)));
  });
});
