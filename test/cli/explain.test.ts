/** `otto explain` in real folders, repositories and files. */

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { explain } from "../../cli/commands/explain.ts";
import { readGitContext } from "../../cli/git-context.ts";
import { loadPlan } from "../../cli/load-plan.ts";
import { explainSchema } from "../../planner/explain-schema.ts";
import { limits } from "../../protocol/limits.ts";
import { problemsBy } from "../planner/json-schema-check.ts";
import { errorOf } from "./error-of.ts";

let folder = "";

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "otto-explain-")));
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

function write(path: string, text: string | Uint8Array): void {
  writeFileSync(join(folder, path), text);
}

function git(...words: string[]): string {
  const identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"];
  return execFileSync("git", [...identity, ...words], { cwd: folder, encoding: "utf8" }).trim();
}

/** What the command wrote to standard output. */
async function output(options: Parameters<typeof explain>[0]): Promise<{ exitCode: number; text: string }> {
  let text = "";
  vi.spyOn(process.stdout, "write").mockImplementation((chunk, ...rest) => {
    text += String(chunk);
    for (const argument of rest) if (typeof argument === "function") argument(null);
    return true;
  });
  const exitCode = await explain(options);
  vi.restoreAllMocks();
  return { exitCode, text };
}

const pipeline = "otto: 1\nsteps: { a: { run: x } }\n";

describe("otto explain", () => {
  it("explains the file of the folder", async () => {
    write("otto.yaml", pipeline);
    const { exitCode, text } = await output({ folder });
    expect(exitCode).toBe(0);
    expect(text).toContain("\na\n  in          always\n");
    expect(text).toMatch(/\nplan bafyrei[a-z2-7]{52}\n$/);
  });

  it("says how far a step is shut in that uses credentials", async () => {
    write(
      "otto.yaml",
      pipeline.replace("x }", "x, credentials: { heroku: { http: https://api.heroku.com } } }"),
    );
    const { text } = await output({ folder });
    expect(text).toContain("isolation   S2 where its worker reaches it, since it uses credentials");
  });

  it("says by which credential a step's image is asked for", async () => {
    const asked =
      "requires: { image: 'registry.example.org/a:1' }, credentials: { own: { oci: registry.example.org } }";
    write("otto.yaml", pipeline.replace("x }", `x, ${asked} }`));
    const { text } = await output({ folder });
    expect(text).toContain("; brought by way of the broker, with the credential own");
  });

  it("writes JSON that says the same", async () => {
    write("otto.yaml", pipeline);
    const { planId, plan } = await loadPlan({ folder });
    const { text } = await output({ folder, json: true });
    expect(JSON.parse(text)).toMatchObject({ otto: "explain/1", planId, plan });
  });

  it("writes mistakes as JSON when asked to", async () => {
    write("otto.yaml", "otto: 1\nsteps: { a: { run: x, needs: b } }\n");
    const { exitCode, text } = await output({ folder, json: true });
    expect(exitCode).toBe(2);
    expect(problemsBy(explainSchema(), JSON.parse(text), { closed: true })).toEqual([]);
    expect(JSON.parse(text)).toMatchObject({
      code: "OTTO_PIPELINE_INVALID",
      message: "otto.yaml has a mistake.",
      diagnostics: [{ code: "pipeline/unknown-step", range: { line: 2, column: 30 } }],
    });
  });
});

describe("otto explain --json", () => {
  it("says as JSON, too, that there is nothing to explain", async () => {
    const { exitCode, text } = await output({ folder, json: true, file: "gone.yaml" });
    expect(exitCode).toBe(2);
    expect(problemsBy(explainSchema(), JSON.parse(text), { closed: true })).toEqual([]);
    expect(JSON.parse(text)).toMatchObject({ code: "OTTO_NO_PIPELINE", diagnostics: [] });
  });
});

describe("otto explain --step", () => {
  it("tells the reasons of one step, as text and as a value", async () => {
    write("otto.yaml", "otto: 1\nsteps:\n  a: { run: x }\n  b: { run: y, needs: a }\n");
    const { planId } = await loadPlan({ folder });
    const { text } = await output({ folder, step: "b" });
    expect(text).toContain("b\n  written     otto.yaml:4\n  in          always\n");
    expect(text).toContain(`\nplan ${planId}\n`);
    const json = await output({ folder, step: "b", json: true });
    expect(JSON.parse(json.text)).toMatchObject({
      otto: "explain-step/1",
      planId,
      steps: [{ name: "b", place: { file: "otto.yaml", line: 4, endLine: 4 } }],
    });
  });

  it("explains a step that was detected", async () => {
    write("Makefile", "test:\n\ttrue\n");
    const { text } = await output({ folder, step: "test" });
    expect(text).toContain("test\n  written     nowhere: the step was detected\n");
  });

  it("says which step was meant when there is none of that name", async () => {
    write("otto.yaml", "otto: 1\nsteps: { build: { run: x } }\n");
    const error = await errorOf(explain({ folder, step: "biuld" }));
    expect([error.code, error.exitCode, error.next]).toEqual([
      "OTTO_NO_SUCH_STEP",
      2,
      "Did you mean `build`?",
    ]);
  });
});

describe("otto explain --graph", () => {
  it("writes Mermaid or SVG, to a file when one is named", async () => {
    write("otto.yaml", pipeline);
    expect((await output({ folder, graph: "mermaid" })).text).toContain('flowchart LR\n  n0["a"]\n');
    const { text } = await output({ folder, graph: "svg", output: join(folder, "plan.svg") });
    expect(text).toBe("");
    expect(readFileSync(join(folder, "plan.svg"), "utf8")).toMatch(/^<svg [^]*<\/svg>\n$/);
  });

  it("says what it does not draw, and where it cannot write", async () => {
    write("otto.yaml", pipeline);
    expect((await errorOf(explain({ folder, graph: "png" }))).code).toBe("OTTO_USAGE");
    expect((await errorOf(explain({ folder, graph: "svg", step: "a" }))).code).toBe("OTTO_USAGE");
    const error = await errorOf(explain({ folder, graph: "svg", output: folder }));
    expect([error.code, error.state]).toEqual([
      "OTTO_FILE_UNREADABLE",
      "Nothing was written there, or not all of it.",
    ]);
  });
});

describe("loading a plan", () => {
  it("shows every mistake with its place", async () => {
    write("otto.yaml", "otto: 1\nsteps: { a: { run: x, needs: b, timeout: 5 } }\n");
    const error = await errorOf(loadPlan({ folder }));
    expect([error.code, error.exitCode]).toEqual(["OTTO_PIPELINE_INVALID", 2]);
    expect(error.message).toContain("otto.yaml has 2 mistakes.");
    expect(error.message).toContain(
      "otto.yaml:2:30: error: there is no step called `b` (pipeline/unknown-step)",
    );
    expect(error.message).toContain("otto.yaml:2:42: error: this is no duration (pipeline/bad-duration)");
  });

  it("detects a pipeline where there is no file", async () => {
    write("Makefile", "test:\n\ttrue\n");
    const { plan, detection, text } = await loadPlan({ folder });
    expect(plan.origin.kind).toBe("conventions");
    expect(detection?.matches.length).toBeGreaterThan(0);
    expect(text).toBeNull();
  });

  it("says what to do where there is nothing", async () => {
    const error = await errorOf(loadPlan({ folder }));
    expect(error.code).toBe("OTTO_NO_PIPELINE");
    expect(error.message).toContain("There is no otto.yaml");
  });

  it("says that a named file is not there", async () => {
    expect((await errorOf(loadPlan({ folder, file: "other.yaml" }))).code).toBe("OTTO_NO_PIPELINE");
  });

  it("refuses a file of ten megabytes, a folder and a file that is not text", async () => {
    write("big.yaml", new Uint8Array(10 * 1024 * 1024));
    expect((await errorOf(loadPlan({ folder, file: "big.yaml" }))).code).toBe("OTTO_FILE_TOO_LARGE");
    write("largest.yaml", `${pipeline}#`.padEnd(limits.pipelineFileBytesMax, "#"));
    expect((await loadPlan({ folder, file: "largest.yaml" })).plan.steps).toHaveLength(1);
    mkdirSync(join(folder, "folder.yaml"));
    expect((await errorOf(loadPlan({ folder, file: "folder.yaml" }))).code).toBe("OTTO_FILE_UNREADABLE");
    write("bytes.yaml", Uint8Array.of(0xff, 0xfe, 0x00));
    expect((await errorOf(loadPlan({ folder, file: "bytes.yaml" }))).code).toBe("OTTO_PIPELINE_INVALID");
  });

  it("takes parameters as they are typed, and refuses what is none", async () => {
    write("otto.yaml", `${pipeline}parameters: { n: { type: number } }\n`);
    const { plan } = await loadPlan({ folder, parameters: ["n=2"] });
    expect(plan.context.parameters).toEqual({ n: 2 });
    expect((await errorOf(loadPlan({ folder, parameters: ["n"] }))).code).toBe("OTTO_USAGE");
    expect((await errorOf(loadPlan({ folder, parameters: ["n=1", "n=2"] }))).code).toBe("OTTO_USAGE");
    expect((await errorOf(loadPlan({ folder }))).message).toContain("pipeline/missing-parameter");
  });
});

describe("what git says", () => {
  it("is in the plan: branch, tag and commit", async () => {
    git("init", "-q", "-b", "topic/one");
    write("otto.yaml", pipeline);
    expect(await readGitContext(folder)).toEqual({
      root: folder,
      branch: "topic/one",
      tag: null,
      commit: null,
    });
    git("add", ".");
    git("commit", "-q", "-m", "first");
    const commit = git("rev-parse", "HEAD");
    expect(await readGitContext(folder)).toEqual({ root: folder, branch: "topic/one", tag: null, commit });
    git("tag", "v1");
    git("tag", "v2");
    git("checkout", "-q", "--detach");
    expect(await readGitContext(folder)).toEqual({ root: folder, branch: null, tag: "v2", commit });
  });

  it("finds the file of the repository from a folder inside of it", async () => {
    git("init", "-q");
    write("otto.yaml", pipeline);
    mkdirSync(join(folder, "deep/inside"), { recursive: true });
    write("deep/other.yaml", pipeline);
    const inside = join(folder, "deep/inside");
    expect((await loadPlan({ folder: inside })).plan.origin).toEqual({ kind: "file", path: "otto.yaml" });
    expect((await loadPlan({ folder: inside, file: "../other.yaml" })).plan.origin).toEqual({
      kind: "file",
      path: "deep/other.yaml",
    });
  });

  it("is nothing outside of a repository", async () => {
    expect(await readGitContext(folder)).toEqual({ root: null, branch: null, tag: null, commit: null });
  });
});
