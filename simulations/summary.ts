/** What a soak came to, in words, and what of it failed. */

import type { SeedTotals } from "./seeds.ts";
import { kinds, type TaskEnd } from "./tasks.ts";

/** Of what a task that failed has printed, so many lines are shown again. */
const failedLines = 12;

/**
 * The last line is "N passed, N failed". What failed is said once more before it: of a long output often only the end is kept.
 * The code is 0 if all went well, 1 if a promise was broken, 3 if something could not be run.
 */
export function summaryOf(ends: readonly TaskEnd[], seconds: number): { lines: string[]; code: 0 | 1 | 3 } {
  const seeds = ends.filter(({ task }) => task.kind === "seeds");
  const totals = seeds.flatMap((end) => (end.totals === null ? [] : [end.totals]));
  const failed = ends.filter(({ code }) => code !== 0);
  const lines = [
    ...(seeds.length > 0 ? [seedWords(totals)] : []),
    ...kinds.flatMap((kind) => {
      const of = ends.filter(({ task }) => task.kind === kind);
      return of.length > 0 ? [kindWords(kind, of)] : [];
    }),
    ...failed.flatMap(({ task, words }) => [
      "",
      `${task.kind}: ${task.name} failed:`,
      ...words.split("\n").slice(-failedLines),
      "",
    ]),
    `${seconds.toFixed(0)} s`,
    `${ends.length - failed.length} passed, ${failed.length} failed`,
  ];
  return { lines, code: failed.length === 0 ? 0 : failed.some(({ code }) => code === 1) ? 1 : 3 };
}

function kindWords(kind: string, ends: readonly TaskEnd[]): string {
  const failed = ends.filter(({ code }) => code !== 0);
  const not = failed.map(({ task, code }) => `${task.name} (exit code ${code})`).join(", ");
  return `${kind}: ${ends.length - failed.length} of ${ends.length}${not === "" ? "" : `; not: ${not}`}`;
}

export function seedWords(totals: readonly SeedTotals[]): string {
  const sum = (of: keyof SeedTotals): number => totals.reduce((all, each) => all + each[of], 0);
  const cpuSeconds = sum("cpuSeconds");
  const each = (amount: number, digits = 0): string => (amount / cpuSeconds).toFixed(digits);
  return (
    `${sum("seeds")} seeds, ${sum("violations")} violations, ${cpuSeconds.toFixed(1)} CPU-seconds, ` +
    `${sum("messages")} messages, ${sum("nodeHours").toFixed(1)} node-hours; per CPU-second ${each(sum("seeds"), 1)} seeds, ` +
    `${each(sum("messages"))} messages, ${each(sum("nodeHours"), 2)} node-hours`
  );
}
