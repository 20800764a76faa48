/** A pipeline that uses what steps say, keep and report, through every process from the file to the last line. */

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { type Ended, Program } from "../mesh/program.ts";

const folder = mkdtempSync(join(tmpdir(), "otto-handing-over-"));
const repository = join(folder, "repository");

const pipeline = `otto: 1
pipeline: shop
environments:
  preprod: {}
steps:
  build:
    run:
      - test -e vendor/gem || { mkdir -p vendor; echo installed > vendor/gem; echo installing; }
      - echo "version=1.2.$OTTO_ATTEMPT" >> $OTTO_VALUES
      - |
        { echo "notes<<END"; echo "first; rm -rf /"; echo second; echo END; } >> $OTTO_VALUES
    caches: { gems: { paths: [vendor], key: { files: [Gemfile.lock] } } }
    values: { version: string, notes: string }
  check:
    run: echo outdated > $OTTO_OUTCOME
    outcomes: [outdated]
  unchanged:
    needs: check
    run: echo never
  renew:
    needs: { check: [outdated] }
    inputs: { built-version: build.version, notes: build.notes }
    environment: preprod
    run: 'echo "renewing $OTTO_INPUT_BUILT_VERSION of $OTTO_PIPELINE in $OTTO_ENVIRONMENT: $OTTO_INPUT_NOTES"'
  shaky:
    run: 'echo "attempt $OTTO_ATTEMPT"; test $OTTO_ATTEMPT -eq 2'
    retry: { max: 2, on: failed }
  slow:
    run: 'test $OTTO_ATTEMPT -eq 2 || { mkfifo fifo; read -r _ < fifo; }'
    timeout: 1s
    retry: { max: 1, on: timed-out }
  test:
    run: "true"
    reports: { junit: report.xml }
`;
const report = `<testsuite><testcase classname="Cart" name="adds"/><testcase name="b"><skipped/></testcase></testsuite>`;

beforeAll(() => {
  mkdirSync(repository);
  execFileSync("git", ["init", "-q", "-b", "trunk"], { cwd: repository });
  writeFileSync(join(repository, "otto.yaml"), pipeline);
  writeFileSync(join(repository, "Gemfile.lock"), "one\n");
  writeFileSync(join(repository, "report.xml"), report);
});
afterAll(async () => {
  await otto(["down"]);
  rmSync(folder, { recursive: true, force: true });
});

function otto(words: readonly string[]): Promise<Ended> {
  const environment = { HOME: folder, OTTO_HOME: join(folder, "home") };
  return new Program(words, { environment, folder: repository }).ended;
}

test("values, outcomes of a step's own, caches, retries and test reports work from end to end", async () => {
  const first = await otto(["run"]);
  expect(first.stdout + first.stderr).toContain("check  ended as outdated");
  expect(first.stdout).toContain("unchanged  skipped: check ended as outdated");
  expect(first.stdout).toContain(
    "renew | renewing 1.2.1 of shop in preprod: first; rm -rf /\nrenew | second\n",
  );
  expect(first.stdout).toContain("build | [otto] cache gems: miss: never seen");
  expect(first.stdout).toContain("build | installing");
  expect(first.stdout).toContain("shaky  attempt 1 failed");
  expect(first.stdout).toContain("shaky | attempt 2\n");
  expect(first.stdout).toContain("slow  attempt 1 timed out");
  expect(first.stdout).toContain("\ntest  2 tests, 1 skipped\n");
  expect(first.stdout).toContain("shop passed: 1 ended otherwise, 5 passed, 1 skipped in");
  expect(first.code).toBe(0);

  const second = await otto(["run"]);
  expect(second.stdout).toContain("build | [otto] cache gems: hit");
  expect(second.stdout).not.toContain("build | installing");

  writeFileSync(join(repository, "Gemfile.lock"), "two\n");
  const third = await otto(["run"]);
  expect(third.stdout).toContain("build | [otto] cache gems: miss: Gemfile.lock changed");
  expect(third.stdout).toContain("build | installing");

  const run = /\(run ([a-z0-9]+)\)/.exec(third.stdout)?.[1] ?? "";
  const status = await otto(["status", run]);
  expect(status.stdout).toMatch(/→ check +.* ended as outdated/);
  expect(status.stdout).toContain("test  2 tests, 1 skipped");
});
