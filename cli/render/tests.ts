/** What the test reports of a run's steps say: how many tests, and the names of those that failed. */

import type { RunView } from "../../node/view/run.ts";
import { limits } from "../../protocol/limits.ts";
import type { TestSummary } from "../../protocol/report.ts";
import { countWords } from "../words.ts";
import type { Line } from "./line.ts";

/** A line a step that reported tests, at most `limits.shownFinalStepsMax`: those with failures before the others. */
export function testsText(view: RunView): readonly Line[] {
  const reported = view.steps.flatMap(({ name, state }) => {
    const tests = "report" in state ? state.report?.tests : undefined;
    return tests === undefined ? [] : [{ name, tests }];
  });
  const failing = reported.filter(({ tests }) => tests.failed > 0);
  const others = reported.filter(({ tests }) => tests.failed === 0);
  const shown = [...failing, ...others].slice(0, limits.shownFinalStepsMax);
  const lines = shown.map(({ name, tests }): Line => [
    { text: `${name}  ` },
    { text: testsWords(tests), ...(tests.failed > 0 ? { style: "red" as const } : {}) },
  ]);
  const more = reported.length - shown.length;
  if (more > 0) lines.push([{ text: `… and the tests of ${countWords(more, "more step")}`, style: "dim" }]);
  return lines;
}

/** "142 tests", "142 tests, 1 skipped, 2 failed: CartTest › adds, CartTest › removes". */
function testsWords({ passed, failed, skipped, failures }: TestSummary): string {
  const parts = [countWords(passed + failed + skipped, "test")];
  if (skipped > 0) parts.push(countWords(skipped, "skipped", "skipped"));
  if (failed > 0) parts.push(countWords(failed, "failed", "failed"));
  const named = failures.map((name) => name.replaceAll(/\s+/g, " "));
  if (named.length === 0) return parts.join(", ");
  return `${parts.join(", ")}: ${named.join(", ")}${failed > named.length ? ", …" : ""}`;
}
