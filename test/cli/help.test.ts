/** What `--help` says is so: no option that a command cannot take, no default that is left to guess. */

import { execFile } from "node:child_process";
import { expect, it } from "vitest";
import { ottoProgram } from "../built-otto.ts";

/** The help of a command, as one line. */
function helpOf(...words: readonly string[]): Promise<string> {
  const all = ["--disable-warning=ExperimentalWarning", ottoProgram, ...words, "--help"];
  return new Promise((resolve) => {
    execFile(process.execPath, all, (_, stdout) => resolve(stdout.replaceAll(/\s+/gu, " ")));
  });
}

it("offers to ask over the network only what may be asked there", async () => {
  expect(await helpOf("control", "ls")).toContain("--peer <multiaddr>");
  const backup = await helpOf("control", "backup");
  expect(backup).toContain("--node <folder>");
  expect(backup).not.toMatch(/--peer|--domain/u);
});

it("speaks of a file's domain only where a file may be named", async () => {
  const ofFile = "of a file: which one is expected";
  for (const words of [["verify"], ["secret", "audit"]]) expect(await helpOf(...words)).toContain(ofFile);
  expect(await helpOf("status")).toMatch(/--domain <name> with --peer: in which domain --json/u);
});

it("says what is taken where nothing is said, and what must be said", async () => {
  for (const command of ["up", "join"]) {
    const help = await helpOf(command);
    expect(help).toContain("data folder of the node (default: this user's node)");
    expect(help).toContain("(default: 127.0.0.1:4105 for a control peer; a worker needs none)");
  }
  expect(await helpOf("down")).toContain("(default: only what `otto run` keeps warm)");
  const restore = await helpOf("control", "restore");
  for (const option of ["--data", "--owner-key", "--others-are-lost"])
    expect(restore).toMatch(new RegExp(`${option} (<\\w+> )?[^-]*\\(required\\)`, "u"));
});

it("explains each time that a simulation tells", async () => {
  const help = await helpOf("simulate");
  for (const told of ["STALL:", "P50 and P95:", "UNDISTURBED:"]) expect(help).toContain(told);
});
