/** The attacker is a step that takes all there is of something: it is ended with a sentence, and everybody else goes on. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SandboxLevel } from "../../protocol/plan.ts";
import type { Surroundings } from "../node/execution/surroundings.ts";
import { isolated, missing } from "./isolated.ts";

const MiB = 1024 ** 2;
const bounds = { tasksMax: 120, openFilesMax: 500, memoryBytesMax: 200 * MiB, diskBytesMax: 64 * MiB };

type Bomb = { readonly what: string; readonly command: string; readonly problem: RegExp };

const bombs: readonly Bomb[] = [
  {
    what: "forks without end",
    command: "perl -e 'fork while 1'",
    problem: /was stopped: it had more than 120 processes and threads at once$/u,
  },
  {
    what: "forks until that fails, and fails by it",
    command: "f() { while :; do f & done; }; f 2>/dev/null; sleep 600",
    problem: /was stopped: it had more than 120 processes and threads at once|exited with 2$/u,
  },
  {
    what: "takes memory without end",
    command: `perl -e 'my @all; push @all, "x" x 1048576 while 1'`,
    problem: /was stopped: it took more than 200 MiB of memory$/u,
  },
  {
    what: "takes memory in many processes, each of which takes little",
    command: `for i in 1 2 3 4 5 6 7 8; do perl -e 'my $x = "x" x (40 * 1048576); sleep 600' & done; wait`,
    problem: /was stopped: it took more than 200 MiB of memory$/u,
  },
  {
    what: "fills the disk",
    command: "i=0; while :; do i=$((i+1)); head -c 1048576 /dev/zero > file$i || sleep 600; done",
    problem: /was stopped: it had more than 64 MiB in its folders$/u,
  },
  {
    what: "opens files without end, in several processes",
    command: `for i in 1 2 3 4; do perl -e 'my @all; while (@all < 200) { open(my $file, "<", "/dev/null"); push @all, $file } sleep 600' & done; wait`,
    problem: /was stopped: it had more than 500 files open at once$/u,
  },
];

const levels = (["S0", "S1", "S2"] as const).filter((level) => missing(level) === null);

describe.skipIf(process.platform !== "linux").each(levels)("at %s a step that", (level: SandboxLevel) => {
  const place = {} as { at: Surroundings };
  beforeAll(async () => {
    place.at = await isolated(level, {}, { bounds });
  });
  afterAll(async () => place.at?.close());

  // At S0 nothing holds a fork bomb: it is there for what is one's own.
  for (const { what, command, problem } of bombs.filter(
    (bomb) => level !== "S0" || !bomb.what.startsWith("forks"),
  ))
    it(`${what} is ended, and others go on`, async () => {
      const beside = place.at.start(
        ["echo begun; read -r line < fifo; echo $line"].map((one) => `mkfifo fifo; echo on > fifo & ${one}`),
      );
      const report = await place.at.run([command]);
      expect(report).toMatchObject({ outcome: "failed", problem: expect.stringMatching(problem) as string });
      expect(await place.at.witness.report(beside)).toMatchObject({ outcome: "passed" });
      const again = await place.at.run(["echo again"]);
      expect(again, again.problem + again.tail).toMatchObject({ outcome: "passed", tail: "again\n" });
    });
});

describe.skipIf(missing("S2") !== null)("in a sandbox (skipped without bubblewrap)", () => {
  const place = {} as { at: Surroundings };
  beforeAll(async () => {
    place.at = await isolated("S2", {}, { bounds });
  });
  afterAll(async () => place.at?.close());

  it("one process opens no more files than there may be, however quick it is", async () => {
    const report = await place.at.run([
      `perl -e 'my @all; while (open(my $file, "<", "/dev/null")) { push @all, $file } print scalar(@all)'`,
    ]);
    expect(report.outcome).toBe("passed");
    expect(Number(report.tail)).toBeLessThan(bounds.openFilesMax);
  });

  it("the kernel starts no more processes than that, and keeps no memory of one that died", async () => {
    const report = await place.at.run([
      "awk '/processes|core|open files/ { print $(NF-1) }' /proc/self/limits",
    ]);
    expect(report.tail.split("\n").map(Number)).toEqual([0, bounds.tasksMax + 64, bounds.openFilesMax, 0]);
  });

  it("no folder of memory is there that has no size", async () => {
    const report = await place.at.run([
      "df -k /tmp /var/tmp /run /dev/shm | awk 'NR > 1 { print $2 }'; ! touch /dev/file",
    ]);
    expect(report.outcome, report.tail).toBe("passed");
    expect(report.tail).toMatch(/^(1048576\n){4}/u);
  });
});
