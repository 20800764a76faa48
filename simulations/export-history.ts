/**
 * Writes the history of every register of one world, an operation a line: what Porcupine, or any other checker, judges.
 *
 *   node simulations/export-history.ts 7 > history.jsonl      a line: {"register", "call", "return", "input"}
 *
 * `call` and `return` are numbers of observations; a `return` of null is an operation that may have happened since, or never.
 * The last line of a world's history is {"seed", "operations", "verdict"}: what the search in `linearizability/` says.
 */

import { RegisterHistory } from "./linearizability/history.ts";
import { linearizable } from "./linearizability/search.ts";
import type { Checker } from "./observation.ts";
import { runWorld } from "./world.ts";

const [first = "1", last = first] = process.argv.slice(2);
for (let seed = Number(first); seed <= Number(last); seed += 1) {
  const history = new RegisterHistory();
  const recorder: Checker = {
    name: "history",
    observe: (observation) => history.observe(observation),
    finish: () => undefined,
  };
  await runWorld({ seed, checkers: [recorder], encoded: false });
  const lines: string[] = [];
  let verdict = "linearizable";
  for (const operations of history.operations().values()) {
    const { kind } = linearizable(operations);
    if (kind !== "linearizable") verdict = kind;
    for (const operation of operations) lines.push(JSON.stringify(operation));
  }
  process.stdout.write(
    [...lines, JSON.stringify({ seed, operations: lines.length, verdict }), ""].join("\n"),
  );
}
