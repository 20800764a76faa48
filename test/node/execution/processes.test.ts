import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isRunning, makeSurroundings, type Surroundings } from "./surroundings.ts";

const isLinux = process.platform === "linux";

/** Process ids that the step printed as `pid=123`. */
function printedPids(log: string): number[] {
  return [...log.matchAll(/pid=(\d+)/g)].map((match) => Number(match[1]));
}

describe.runIf(isLinux)("the processes of a step", () => {
  let surroundings: Surroundings;
  beforeAll(async () => {
    surroundings = await makeSurroundings({ passVariables: { PATH: process.env["PATH"] ?? "/bin" } });
  });
  afterAll(async () => surroundings.close());

  /** Waits until the process in the background has become what it is going to be, so that it has left the group. */
  const settled = "until grep -q sleep /proc/$!/comm; do :; done; echo pid=$!";
  const strays: readonly { readonly what: string; readonly command: string }[] = [
    { what: "one in the background", command: "sleep 600 & echo pid=$!" },
    { what: "one in a session of its own", command: `setsid sleep 600 & ${settled}` },
    {
      what: "one that closed all it inherited, as a daemon does",
      command: `setsid sh -c 'exec 9>&-; exec sleep 600' >/dev/null 2>&1 & ${settled}`,
    },
    {
      what: "one that forked twice before it settled",
      command: `sh -c 'setsid sh -c "exec 9>&-; echo pid=\\$\\$ >&2; exec >/dev/null 2>&1; exec sleep 600" & exit 0'; sleep 0.1`,
    },
    {
      what: "one that cleared its environment but kept its output",
      command: `setsid env -i sleep 600 & ${settled}`,
    },
    {
      what: "one that ignores being asked to end",
      command:
        "(trap '' TERM HUP INT; echo pid=$(sh -c 'echo $PPID'); while :; do sleep 1; done) & sleep 0.05",
    },
  ];
  for (const { what, command } of strays) {
    it(`do not outlive it: ${what}`, async () => {
      const report = await surroundings.run([command]);
      const pids = printedPids(report.tail);
      expect(report.outcome, report.problem).toBe("passed");
      expect(pids).toHaveLength(1);
      expect(pids.filter(isRunning)).toEqual([]);
    });
  }

  it("may be left running by a command for the next one", async () => {
    const report = await surroundings.run([
      "sleep 600 & echo pid=$! | tee server",
      'kill -0 "$(cut -d= -f2 server)"',
    ]);
    expect(report.outcome, report.problem).toBe("passed");
    expect(printedPids(report.tail).filter(isRunning)).toEqual([]);
  });

  it("are asked to end first, and may clean up then", async () => {
    const id = surroundings.start([
      "trap 'echo cleaned up; exit 0' TERM; echo begun; while :; do sleep 0.05; done",
    ]);
    await surroundings.witness.text(id, "begun");
    surroundings.executor.stop(id, "cancelled");
    const report = await surroundings.witness.report(id);
    expect(report.outcome).toBe("cancelled");
    expect(report.tail).toContain("cleaned up");
  });

  it("are killed when they have not ended within their grace, which is what the worker counts on", async () => {
    const hasty = await makeSurroundings({ graceMs: 50 });
    const id = hasty.start([
      "trap 'sleep 2; echo cleaned up' TERM; echo begun; while :; do sleep 0.05; done",
    ]);
    await hasty.witness.text(id, "begun");
    hasty.executor.stop(id, "lease-ended");
    const report = await hasty.witness.report(id);
    expect(report.outcome).toBe("cancelled");
    expect(report.tail).not.toContain("cleaned up");
    await hasty.close();
  });
});

describe.runIf(isLinux)("what a step's processes are given", () => {
  let surroundings: Surroundings;
  beforeAll(async () => {
    surroundings = await makeSurroundings();
  });
  afterAll(async () => surroundings.close());

  it("write to one pipe, in order, which /dev/stdout and /dev/stderr name too", async () => {
    const report = await surroundings.run([
      "echo 1; echo 2 >&2; echo 3 > /dev/stderr; echo 4 | tee /dev/stderr > /dev/null; echo 5 > /dev/stdout",
    ]);
    expect(report.tail).toBe("1\n2\n3\n4\n5\n");
  });

  it("have nothing to read", async () => {
    const report = await surroundings.run(["cat; echo end"]);
    expect(report.tail).toBe("end\n");
  });

  it("get an environment that is built from nothing", async () => {
    const report = await surroundings.run(["env | sort"], {
      variables: { GREETING: "good morning", OTTO_RUN: "a lie", HOME: "/elsewhere" },
      run: "run-9",
      step: "test (os=linux)",
      attempt: 2,
      fence: 41,
    });
    const variables = Object.fromEntries(
      report.tail
        .trim()
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
    expect(Object.keys(variables).sort()).toEqual(
      `CI GREETING HOME LANG OTTO OTTO_ATTEMPT OTTO_EXECUTION OTTO_FENCING_TOKEN OTTO_RUN OTTO_STEP PATH PWD TMPDIR`.split(
        " ",
      ),
    );
    expect(variables).toMatchObject({
      CI: "true",
      OTTO: "true",
      OTTO_RUN: "run-9",
      OTTO_STEP: "test (os=linux)",
      OTTO_ATTEMPT: "2",
      OTTO_FENCING_TOKEN: "41",
      LANG: "C.UTF-8",
      GREETING: "good morning",
      HOME: "/elsewhere",
    });
  });

  it("find an empty workspace and an empty folder for temporary files, and a home that is kept", async () => {
    await surroundings.run(['touch here; touch "$TMPDIR/there"; echo kept > "$HOME/note"; chmod 500 .']);
    const report = await surroundings.run(['ls -A . "$TMPDIR" | grep -v : ; cat "$HOME/note"; touch new']);
    expect(report.outcome, report.problem).toBe("passed");
    expect(report.tail.trim()).toBe("kept");
  });

  it("that are ended by a signal are told apart from those that exit", async () => {
    const report = await surroundings.run(["kill -KILL $$"]);
    expect(report.outcome).toBe("failed");
    expect(report.commands[0]?.end).toEqual({ kind: "signal", signal: "SIGKILL" });
    expect(report.problem).toBe("`kill -KILL $$` was ended by SIGKILL");
  });

  it("that cannot be started are reported as not started", async () => {
    const report = await surroundings.run([`: ${"x".repeat(200_000)}`]);
    expect(report.outcome).toBe("failed");
    expect(report.commands[0]?.end.kind).toBe("not-started");
    expect(report.problem).toContain("E2BIG");
  });
});
