/**
 * What every Executor keeps to, real or simulated. Each maker gives a fresh executor, the digest of an empty tree
 * that it can start from, and commands that do what their names say on that executor.
 */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Assignment, Executor, ExecutorObserver } from "../../node/ports.ts";
import { limits } from "../../protocol/limits.ts";
import { assignmentOf, Witness } from "./witness.ts";

export type ExecutorUnderTest = {
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

export function executorContract(
  name: string,
  make: (observer: ExecutorObserver) => Promise<ExecutorUnderTest>,
): void {
  describe(`${name} keeps the contract of executors`, () => {
    let witness: Witness;
    let under: ExecutorUnderTest;

    beforeEach(async () => {
      witness = new Witness();
      under = await make(witness);
    });

    afterEach(async () => {
      await under.executor.close();
      await under.cleanUp();
    });

    function start(commands: readonly string[], more: Partial<Assignment> = {}): string {
      const assignment = assignmentOf(under.emptyTree, commands, more);
      under.executor.start(assignment);
      return assignment.id;
    }

    it("reports a step that passes, with one entry a command and no problem", async () => {
      const report = await witness.report(start([under.commands.passes, under.commands.passes]));
      expect(report.outcome).toBe("passed");
      expect(report.problem).toBe("");
      expect(report.commands.map((command) => command.end)).toEqual([
        { kind: "exit", code: 0 },
        { kind: "exit", code: 0 },
      ]);
    });

    it("stops at the first command that fails and says which one", async () => {
      const { passes, failsWith3 } = under.commands;
      const report = await witness.report(start([passes, failsWith3, passes]));
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
      const id = start(words.map((word) => under.commands.prints(word)));
      const report = await witness.report(id);
      expect(witness.log(id)).toBe("one two three ");
      let expected = 0;
      for (const output of witness.outputs(id)) {
        expect(output.offset).toBe(expected);
        expect(output.text.length).toBeLessThanOrEqual(limits.logChunkBytesMax);
        expected += output.text.length;
      }
      expect(witness.happenings.at(-1)?.kind).toBe("ended");
      expect(report.log).toEqual({ bytes: 14, droppedBytes: 0, digest: null });
      expect(report.tail).toBe("one two three ");
      expect(report.commands.map((command) => command.logOffset)).toEqual([0, 4, 8]);
    });

    it("ends each of many attempts exactly once", async () => {
      const ids = Array.from({ length: 10 }, () => start([under.commands.passes]));
      await Promise.all(ids.map(async (id) => witness.report(id)));
      expect(ids.map((id) => witness.ends(id))).toEqual(ids.map(() => 1));
    });

    it("reports a stopped attempt as cancelled, and ends it once however often it is stopped", async () => {
      const id = start([under.commands.lasts]);
      await witness.text(id, "begun");
      under.executor.stop(id, "cancelled");
      under.executor.stop(id, "superseded");
      const report = await witness.report(id);
      under.executor.stop(id, "lease-ended");
      expect(report.outcome).toBe("cancelled");
      expect(report.commands.map((command) => command.end.kind)).toEqual(["cancelled"]);
      expect(witness.ends(id)).toBe(1);
    });

    it("reports an attempt that is stopped at once as cancelled", async () => {
      const id = start([under.commands.lasts]);
      under.executor.stop(id, "cancelled");
      expect((await witness.report(id)).outcome).toBe("cancelled");
    });

    it("stops one attempt and leaves the others alone", async () => {
      const stopped = start([under.commands.lasts]);
      const other = start([under.commands.lasts]);
      await witness.text(stopped, "begun");
      await witness.text(other, "begun");
      under.executor.stop(stopped, "cancelled");
      await witness.report(stopped);
      expect(witness.ends(other)).toBe(0);
    });

    it("ignores ids that it does not know", async () => {
      under.executor.stop("nobody", "cancelled");
      expect((await witness.report(start([under.commands.passes]))).outcome).toBe("passed");
    });

    it("tells a step whose time is over from one that was stopped", async () => {
      const report = await witness.report(start([under.commands.lasts], { timeoutMs: 200 }));
      expect(report.outcome).toBe("timed-out");
      expect(report.problem).toContain("0.2 s");
    });

    it("cancels what runs when it is closed, and has reported it by then", async () => {
      const id = start([under.commands.lasts]);
      await witness.text(id, "begun");
      await under.executor.close();
      expect(witness.ends(id)).toBe(1);
      expect((await witness.report(id)).outcome).toBe("cancelled");
    });
  });
}
