import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "otto-loading-"));
const fixture = join(import.meta.dirname, "loaded-modules-fixture.ts");
const program = join(import.meta.dirname, "../../cli/otto.ts");

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function packagesLoadedBy(...words: readonly string[]): readonly string[] {
  const list = join(folder, "loaded");
  execFileSync(process.execPath, ["--import", fixture, program, ...words], {
    cwd: folder,
    env: { ...process.env, LOADED_PACKAGES: list, OTTO_HOME: join(folder, "home") },
    stdio: "pipe",
  });
  return readFileSync(list, "utf8").split("\n");
}

const heavy = /^(libp2p|@libp2p\/.*|@multiformats\/multiaddr|level|classic-level|zod)$/u;

describe("commands that decide nothing about a mesh", () => {
  it("show help without loading libp2p, the database or the planner's libraries", () => {
    const packages = packagesLoadedBy("--help");
    expect(packages).toContain("commander");
    expect(packages.filter((name) => heavy.test(name) || name === "yaml")).toEqual([]);
  });

  it("explain a plan without loading libp2p or the database", () => {
    writeFileSync(
      join(folder, "otto.yaml"),
      "otto: 1\nsteps:\n  a:\n    run: echo a\n    when: trigger == 'manual'\n",
    );
    const packages = packagesLoadedBy("explain");
    expect(packages).toContain("@marcbachmann/cel-js");
    expect(packages.filter((name) => heavy.test(name))).toEqual([]);
  });

  it("write a pipeline file without loading libp2p or the database", () => {
    writeFileSync(join(folder, "go.mod"), "module example\n\ngo 1.24\n");
    const packages = packagesLoadedBy("init", "--print");
    expect(packages.filter((name) => heavy.test(name))).toEqual([]);
  });
});
