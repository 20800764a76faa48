/**
 * What every Executor keeps to, real or simulated. Each maker gives a fresh executor, the digest of an empty tree
 * that it can start from, and commands that do what their names say on that executor.
 */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import type { StepReport } from "../../protocol/report.ts";
import type { Assignment, Executor, ExecutorObserver } from "../../node/ports.ts";

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

export type Happening =
  | { readonly kind: "output"; readonly id: string; readonly offset: number; readonly text: string }
  | { readonly kind: "ended"; readonly id: string; readonly report: StepReport };

/** Remembers everything in order, and lets a test wait for something. */
export class Witness implements ExecutorObserver {
  readonly happenings: Happening[] = [];
  #watchers: (() => void)[] = [];

  output(id: string, offset: number, bytes: Uint8Array): void {
    this.#add({ kind: "output", id, offset, text: Buffer.from(bytes).toString("latin1") });
  }

  ended(id: string, report: StepReport): void {
    this.#add({ kind: "ended", id, report });
  }

  /** Waits for the end of an attempt. */
  async report(id: string): Promise<StepReport> {
    return this.#find((happening) =>
      happening.kind === "ended" && happening.id === id ? happening.report : null,
    );
  }

  /** Waits until the attempt has written the text. */
  async text(id: string, wanted: string): Promise<void> {
    await this.#find(() => (this.log(id).includes(wanted) ? true : null));
  }

  /** Everything that the attempt has written until now, as it was delivered. */
  log(id: string): string {
    return this.outputs(id)
      .map((output) => output.text)
      .join("");
  }

  outputs(id: string): readonly (Happening & { kind: "output" })[] {
    return this.happenings.filter((happening) => happening.kind === "output" && happening.id === id) as (
      Happening & { kind: "output" }
    )[];
  }

  ends(id: string): number {
    return this.happenings.filter((happening) => happening.kind === "ended" && happening.id === id).length;
  }

  #add(happening: Happening): void {
    this.happenings.push(happening);
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const watcher of watchers) watcher();
  }

  async #find<Found>(look: (happening: Happening) => Found | null): Promise<Found> {
    for (;;) {
      for (const happening of this.happenings) {
        const found = look(happening);
        if (found !== null) return found;
      }
      await new Promise<void>((resolve) => {
        this.#watchers.push(resolve);
      });
    }
  }
}

let assigned = 0;

/** An assignment that only needs its commands. */
export function assignmentOf(
  emptyTree: string,
  commands: readonly string[],
  more: Partial<Assignment> = {},
): Assignment {
  assigned += 1;
  return {
    id: `attempt-${assigned}`,
    run: "run-1",
    step: "step",
    attempt: 1,
    token: 7,
    commands,
    variables: {},
    timeoutMs: 60_000,
    source: { kind: "tree", tree: emptyTree },
    inputs: [],
    outputs: [],
    ...more,
  };
}

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
