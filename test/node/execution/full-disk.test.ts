import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StepReport } from "../../../protocol/report.ts";

const fixture = join(import.meta.dirname, "worker-fixture.ts");
/** Its output needs a file, and more room than there is. */
const talkative = { commands: ["head -c 6000000 /dev/zero | tr '\\0' x; sleep 600"] };
/** There is room for the file, and none for a copy of it. */
const productive = {
  commands: ["head -c 1200000 /dev/zero > large"],
  outputs: [{ name: "build", files: ["large"] }],
};

/** Runs a worker under a shell's preparation and returns the reports of its attempts. */
function reportsUnder(
  preparation: string,
  folder: string,
  what: { readonly attempt: unknown; readonly around?: readonly string[] },
): readonly StepReport[] {
  const scripts = [what.attempt, { commands: ["echo still here"] }].map((script) => JSON.stringify(script));
  const shell = [
    "sh",
    "-c",
    `${preparation}; exec "$@"`,
    "sh",
    process.execPath,
    fixture,
    folder,
    ...scripts,
  ];
  const [command = "", ...words] = [...(what.around ?? []), ...shell];
  const ended = spawnSync(command, words, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  expect(ended.stderr).toBe("");
  return ended.stdout
    .trim()
    .split("\n")
    .flatMap((line) => (JSON.parse(line) as { report?: StepReport }).report ?? []);
}

/** Each private to the processes it is made for, so that nothing can be left mounted. */
const mounting = ["unshare", "--map-root-user", "--mount"];
const canMount =
  spawnSync(mounting[0] ?? "", [...mounting.slice(1), "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0;

describe("a step that finds no room", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "otto-full-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function expectOneClearFailure(reports: readonly StepReport[]): void {
    const [first, second] = reports;
    expect(first?.outcome).toBe("failed");
    expect(first?.problem).toBe(
      `The disk that holds ${folder}/execution/logs is full: the log could not be written. Free some space there, then try again.`,
    );
    expect(first?.log.digest).toBe(null);
    expect(first?.log.bytes).toBe(first?.tail.length);
    expect(second?.outcome, second?.problem).toBe("passed");
    expect(second?.tail).toBe("still here\n");
  }

  it("because of a limit on the size of files: it fails, is killed, and the worker goes on", () => {
    expectOneClearFailure(reportsUnder("ulimit -f 2048", folder, { attempt: talkative }));
  });

  it.skipIf(!canMount)("because a real disk is full (skipped where mounting is not allowed)", () => {
    const preparation = `mount -t tmpfs -o size=2m none ${folder}`;
    expectOneClearFailure(reportsUnder(preparation, folder, { attempt: talkative, around: mounting }));
  });

  it.skipIf(!canMount)("for its outputs: they are not stored, it fails, and the worker goes on", () => {
    const preparation = `mount -t tmpfs -o size=2m none ${folder}`;
    const reports = reportsUnder(preparation, folder, { attempt: productive, around: mounting });
    expect(reports[0]).toMatchObject({ outcome: "failed", outputs: [] });
    expect(reports[0]?.problem).toBe(
      `The disk that holds ${folder}/blobs is full. Free some space there, then try again.`,
    );
    expect(reports[1]?.outcome, reports[1]?.problem).toBe("passed");
  });
});
