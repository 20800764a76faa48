/** What every Clock keeps to, whether its time is real or not. */

import { describe, expect, it } from "vitest";
import type { Clock } from "../../node/ports.ts";

/** @param pass lets so much of the clock's time go by, at least. */
export function clockContract(
  name: string,
  make: () => { readonly clock: Clock; readonly pass: (ms: number) => Promise<void> },
): void {
  describe(`${name} keeps the contract of clocks`, () => {
    it("counts whole milliseconds and never back", async () => {
      const { clock, pass } = make();
      let last = clock.monotonicMs();
      for (let turn = 0; turn < 5; turn += 1) {
        await pass(2);
        const now = clock.monotonicMs();
        expect(Number.isInteger(now) && now >= last + 1).toBe(true);
        expect(Number.isInteger(clock.wallMs())).toBe(true);
        last = now;
      }
    });

    it("calls back once, and not before its time", async () => {
      const { clock, pass } = make();
      const startMs = clock.monotonicMs();
      const calledMs: number[] = [];
      clock.setTimer(15, () => calledMs.push(clock.monotonicMs()));
      await pass(60);
      expect(calledMs).toHaveLength(1);
      expect((calledMs[0] ?? 0) - startMs).toBeGreaterThanOrEqual(14);
    });

    it("calls back behind the present turn, in the order of asking and before the next one", async () => {
      const { clock, pass } = make();
      const order: string[] = [];
      clock.setTimer(1, () => {
        clock.afterTurn(() => {
          order.push("after");
          clock.afterTurn(() => order.push("after that"));
        });
        clock.afterTurn(() => order.push("also"));
        order.push("turn");
      });
      clock.setTimer(2, () => order.push("next turn"));
      await pass(40);
      expect(order).toEqual(["turn", "after", "also", "after that", "next turn"]);
    });

    it("does not call back when the timer was cancelled, nor minds a second cancelling", async () => {
      const { clock, pass } = make();
      let called = false;
      const timer = clock.setTimer(5, () => {
        called = true;
      });
      timer.cancel();
      timer.cancel();
      await pass(20);
      expect(called).toBe(false);
    });
  });
}
