/**
 * What every Executor keeps to, real or simulated. Each maker gives a fresh executor, the digest of an empty tree
 * that it can start from, and commands that do what their names say on that executor.
 */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Assignment, Executor, ExecutorObserver } from "../../node/ports.ts";
import { limits } from "../../protocol/limits.ts";
import { assignmentOf, Witness } from "./witness.ts";

type ExecutorUnderTest = {
  readonly executor: Executor;
  readonly emptyTree: string;
  readonly commands: {
    readonly passes: string;
    readonly failsWith3: string;
    /** Writes the text, without anything after it. */
    readonly prints: (text: string) => string;
    /** Ends only when it is stopped. Writes "begun" when it has begun. */
    readonly lasts: string;
  };
  /** Removes what the maker made; the executor is closed by then. */
  readonly cleanUp: () => Promise<void>;
};

type Maker = (observer: ExecutorObserver) => Promise<ExecutorUnderTest>;

export function executorContract(name: string, make: Maker): void {
  describe(`${name} keeps the contract of executors: reporting`, () => reporting(make));
  describe(`${name} keeps the contract of executors: stopping`, () => stopping(make));
  describe(`${name} keeps the contract of executors: deadlines`, () => deadlines(make));
}

/** A fresh executor for each test. */
class Fresh {
  witness = new Witness();
  #current: ExecutorUnderTest | null = null;

  constructor(make: Maker) {
    beforeEach(async () => {
      this.witness = new Witness();
      this.#current = await make(this.witness);
    });
    afterEach(async () => {
      await this.executor.close();
      await this.#now.cleanUp();
    });
  }

  get executor(): Executor {
    return this.#now.executor;
  }

  get commands(): ExecutorUnderTest["commands"] {
    return this.#now.commands;
  }

  start(commands: readonly string[], more: Partial<Assignment> = {}, deadlineMs?: number): string {
    const assignment = assignmentOf(this.#now.emptyTree, commands, more);
    this.executor.start(assignment, deadlineMs);
    return assignment.id;
  }

  get #now(): ExecutorUnderTest {
    if (this.#current === null) throw new Error("the executor is made before each test");
    return this.#current;
  }
}

function reporting(make: Maker): void {
  const under = new Fresh(make);

  it("reports a step that passes, with one entry a command and no problem", async () => {
    const report = await under.witness.report(under.start([under.commands.passes, under.commands.passes]));
    expect(report.outcome).toBe("passed");
    expect(report.problem).toBe("");
    expect(report.commands.map((command) => command.end)).toEqual([
      { kind: "exit", code: 0 },
      { kind: "exit", code: 0 },
    ]);
  });

  it("stops at the first command that fails and says which one", async () => {
    const { passes, failsWith3 } = under.commands;
    const report = await under.witness.report(under.start([passes, failsWith3, passes]));
    expect(report.outcome).toBe("failed");
    expect(report.commands.map((command) => command.end)).toEqual([
      { kind: "exit", code: 0 },
      { kind: "exit", code: 3 },
    ]);
    expect(report.problem).toContain(failsWith3.slice(0, 20));
    expect(report.problem).toContain("3");
  });

  it("delivers output before the end, in order and without gaps", async () => {
    const words = ["one ", "two ", "three "];
    const id = under.start(words.map((word) => under.commands.prints(word)));
    const report = await under.witness.report(id);
    expect(under.witness.log(id)).toBe("one two three ");
    let expected = 0;
    for (const output of under.witness.outputs(id)) {
      expect(output.offset).toBe(expected);
      expect(output.text.length).toBeLessThanOrEqual(limits.logChunkBytesMax);
      expected += output.text.length;
    }
    expect(under.witness.happenings.at(-1)?.kind).toBe("ended");
    expect(report.log).toEqual({ bytes: 14, droppedBytes: 0, digest: null });
    expect(report.tail).toBe("one two three ");
    expect(report.commands.map((command) => command.logOffset)).toEqual([0, 4, 8]);
  });

  it("shows what a running attempt has written, from any offset, and nothing once it is over", async () => {
    const id = under.start([under.commands.prints("before "), under.commands.lasts]);
    await under.witness.text(id, "begun");
    const read = (offset: number, bytesMax: number) =>
      Buffer.from(under.executor.read(id, offset, bytesMax)).toString();
    expect(read(0, 12)).toBe("before begun");
    expect(read(7, 100).startsWith("begun")).toBe(true);
    expect(read(1_000, 100)).toBe("");
    under.executor.stop(id, "cancelled");
    await under.witness.report(id);
    expect(read(0, 100)).toBe("");
    expect(Buffer.from(under.executor.read("unknown", 0, 100)).toString()).toBe("");
  });

  it("ends each of many attempts exactly once", async () => {
    const ids = Array.from({ length: 10 }, () => under.start([under.commands.passes]));
    await Promise.all(ids.map(async (id) => under.witness.report(id)));
    expect(ids.map((id) => under.witness.ends(id))).toEqual(ids.map(() => 1));
  });
}

function stopping(make: Maker): void {
  const under = new Fresh(make);

  it("reports a stopped attempt as cancelled, and ends it once however often it is stopped", async () => {
    const id = under.start([under.commands.lasts]);
    await under.witness.text(id, "begun");
    under.executor.stop(id, "cancelled");
    under.executor.stop(id, "superseded");
    const report = await under.witness.report(id);
    under.executor.stop(id, "lease-ended");
    expect(report.outcome).toBe("cancelled");
    expect(report.commands.map((command) => command.end.kind)).toEqual(["cancelled"]);
    expect(under.witness.ends(id)).toBe(1);
  });

  it("reports an attempt that is stopped at once as cancelled", async () => {
    const id = under.start([under.commands.lasts]);
    under.executor.stop(id, "cancelled");
    expect((await under.witness.report(id)).outcome).toBe("cancelled");
  });

  it("stops one attempt and leaves the others alone", async () => {
    const stopped = under.start([under.commands.lasts]);
    const other = under.start([under.commands.lasts]);
    await under.witness.text(stopped, "begun");
    await under.witness.text(other, "begun");
    under.executor.stop(stopped, "cancelled");
    await under.witness.report(stopped);
    expect(under.witness.ends(other)).toBe(0);
  });

  it("ignores ids that it does not know", async () => {
    under.executor.stop("nobody", "cancelled");
    expect((await under.witness.report(under.start([under.commands.passes]))).outcome).toBe("passed");
  });

  it("tells a step whose time is over from one that was stopped", async () => {
    const report = await under.witness.report(under.start([under.commands.lasts], { timeoutMs: 200 }));
    expect(report.outcome).toBe("timed-out");
    expect(report.problem).toContain("0.2 s");
  });

  it("cancels what runs when it is closed, and has reported it by then", async () => {
    const id = under.start([under.commands.lasts]);
    await under.witness.text(id, "begun");
    await under.executor.close();
    expect(under.witness.ends(id)).toBe(1);
    expect((await under.witness.report(id)).outcome).toBe("cancelled");
  });
}

function deadlines(make: Maker): void {
  const under = new Fresh(make);
  const inMs = (ms: number): number => performance.now() + ms;

  it("ends an attempt at its deadline, as if it was stopped then", async () => {
    const id = under.start([under.commands.lasts], {}, inMs(60_000));
    await under.witness.text(id, "begun");
    under.executor.setDeadline(id, inMs(50));
    const report = await under.witness.report(id);
    expect([report.outcome, report.commands.length, under.witness.ends(id)]).toEqual(["cancelled", 1, 1]);
  });

  it("lets an attempt go on when a later deadline takes the place of one", async () => {
    const [id, other] = [under.start([under.commands.lasts]), under.start([under.commands.lasts])];
    for (const begun of [id, other]) await under.witness.text(begun, "begun");
    under.executor.setDeadline(id, inMs(100));
    under.executor.setDeadline(id, inMs(60_000));
    under.executor.setDeadline(other, inMs(200));
    await under.witness.report(other);
    expect(under.witness.ends(id)).toBe(0);
  });

  it("begins none whose deadline has passed, and calls it cancelled", async () => {
    const id = under.start([under.commands.prints("here")], {}, inMs(-1));
    const report = await under.witness.report(id);
    expect([report.outcome, report.commands, under.witness.log(id)]).toEqual(["cancelled", [], ""]);
  });

  it("ignores the deadlines of ids that it does not know", async () => {
    under.executor.setDeadline("nobody", inMs(-1));
    expect((await under.witness.report(under.start([under.commands.passes]))).outcome).toBe("passed");
  });
}
