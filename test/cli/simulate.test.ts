import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ottoProgram } from "../built-otto.ts";

const folder = mkdtempSync(join(tmpdir(), "otto-simulate-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

writeFileSync(
  join(folder, "otto.yaml"),
  "otto: 1\npipeline: webshop\nsteps:\n  build: { run: make }\n  test: { needs: build, run: make test }\n",
);

type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string };

function otto(...words: readonly string[]): Promise<Ended> {
  const env = { ...process.env, OTTO_HOME: join(folder, "home"), NO_COLOR: "1" };
  return new Promise((resolve) => {
    execFile(process.execPath, [ottoProgram, ...words], { cwd: folder, env }, (failure, stdout, stderr) => {
      resolve({ code: typeof failure?.code === "number" ? failure.code : 0, stdout, stderr });
    });
  });
}

function file(name: string, text: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), text);
  return name;
}

describe("otto simulate", () => {
  it("answers as its help says, for the mesh that its help shows", async () => {
    const { stdout: help } = await otto("simulate", "--help");
    const [, text = ""] = /<<'END'\n(.*?)\n {2}END\n/su.exec(help) ?? [];
    file("mesh.yaml", text.replaceAll(/^ {2}/gmu, ""));
    const [, words = ""] = /\$ otto (simulate .*)\n/u.exec(help) ?? [];
    const { code, stdout, stderr } = await otto(...words.split(" "), "--seeds", "2");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const lines = stdout.split("\n");
    expect(lines.slice(0, 2)).toEqual([
      "webshop  2 steps, on the mesh of mesh.yaml",
      "2 runs of each scenario",
    ]);
    expect(lines[3]).toMatch(/^SCENARIO +FINISH +STALL +FAIL +P50 +SLOWEST +UNDISTURBED$/u);
    expect(stdout).toMatch(/^site-loss a +0 % +100 % +0 %/mu);
    expect(stdout).toContain(
      "With 3 control peers on 2 sites, losing site a stalls 100 % of runs until it is back; losing site b holds up no run.",
    );
    expect(stdout).toContain("With 5 control peers on 3 sites, losing any one site holds up no run.");
  });

  it("tells programs the same, of a mesh that nobody described and of one seed", async () => {
    const { code, stdout } = await otto("simulate", "--scenario", "rolling-upgrade", "--seed", "7", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      otto: "simulate/1",
      pipeline: "webshop",
      firstSeed: 7,
      mesh: "3 control peers on 1 site",
      scenarios: [{ name: "rolling-upgrade", site: null, runs: 1, finished: 1, violations: [] }],
      compared: null,
    });
  });

  it("names percentiles where there are enough runs of them, and of one run none", async () => {
    const headings = async (...words: readonly string[]): Promise<string | undefined> =>
      (await otto("simulate", "--scenario", "rolling-upgrade", ...words)).stdout
        .split("\n")[3]
        ?.replaceAll(/ +/gu, " ");
    expect(await headings("--seeds", "20")).toBe("SCENARIO FINISH STALL FAIL P50 P95 UNDISTURBED");
    expect(await headings("--seeds", "19")).toBe("SCENARIO FINISH STALL FAIL P50 SLOWEST UNDISTURBED");
    expect(await headings("--seed", "7")).toBe("SCENARIO FINISH STALL FAIL TOOK UNDISTURBED");
  });

  it("writes a page that says how the run that it shows is had again", async () => {
    const mesh = file(
      "one machine.yaml",
      "otto-mesh: 1\nsites:\n  a: { control: 1, workers: [{ count: 1 }] }\n",
    );
    const words = ["--scenario", "slow-worker", "--mesh", mesh, "--seeds", "2", "--report", "page.html"];
    expect(await otto("simulate", ...words)).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringMatching(/^Wrote page\.html: .*slow-worker.*, seed [12]/mu) as string,
    });
    expect(readFileSync(join(folder, "page.html"), "utf8")).toMatch(
      /otto simulate --scenario slow-worker --seed [12] --mesh (?:'|&#39;)one machine\.yaml(?:'|&#39;)/u,
    );
  });

  it.each([
    [["--scenario", "flood"], "Write one of: site-loss, rolling-upgrade"],
    [["--seeds", "0"], "--seeds 20"],
    [["--compare", "3x5"], "--compare 5x3"],
    [["--mesh", "nowhere.yaml"], "OTTO_FILE_UNREADABLE"],
    [["--mesh", "wrong.yaml"], "wrong.yaml:2:1: error"],
    [
      ["--mesh", "mesh-without-gpu.yaml", "--pipeline", "gpu.yaml"],
      "Give a worker of the mesh file these labels",
    ],
    [["--replay", "otto.yaml"], "is no schedule"],
  ])("says what to do next after a mistake: %s", async (words, told) => {
    file("wrong.yaml", "otto-mesh: 1\nsights: {}\n");
    file("mesh-without-gpu.yaml", "otto-mesh: 1\nsites: { a: { control: 1, workers: 1 } }\n");
    file("gpu.yaml", "otto: 1\npipeline: train\nsteps:\n  train: { run: make, labels: [gpu] }\n");
    const { code, stderr } = await otto("simulate", ...words);
    expect(stderr).toContain(told);
    expect(code).toBe(2);
  });
});

describe("otto simulate --replay", () => {
  it("runs a schedule again that was kept", async () => {
    const kept = join(import.meta.dirname, "../../simulations/kept/offered-too-early.json");
    const { code, stdout } = await otto("simulate", "--replay", kept);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^passed after \d+ s of virtual time/u) as string,
    });
  });

  it("says in one paragraph that what is to be run again is not JSON, whatever the file's lines are", async () => {
    const { code, stdout, stderr } = await otto("simulate", "--replay", "otto.yaml");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(
      /^otto: otto\.yaml is no schedule: not JSON: .*\.\nNothing was simulated\.\nNext: .*\nCode: OTTO_USAGE\n$/u,
    );
  });
});
