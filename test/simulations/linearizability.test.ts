import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { RegisterHistory } from "../../simulations/linearizability/history.ts";
import type { Operation } from "../../simulations/linearizability/operation.ts";
import { linearizable } from "../../simulations/linearizability/search.ts";
import { runWorld } from "../../simulations/world.ts";

const wrong = fileURLToPath(new URL("../../simulations/porcupine/wrong.jsonl", import.meta.url));
const planted = fileURLToPath(new URL("../../simulations/planted.ts", import.meta.url));

type Line = Operation | { readonly seed: string; readonly verdict: string };

describe("a history of one register, written by hand", () => {
  const operations: Operation[] = [];
  for (const text of readFileSync(wrong, "utf8").trim().split("\n")) {
    const line = JSON.parse(text) as Line;
    if (!("seed" in line)) {
      operations.push(line);
      continue;
    }
    const own = operations.splice(0);
    it(`is ${line.verdict}: ${line.seed}`, () => {
      expect(linearizable(own).kind).toBe(line.verdict);
    });
  }

  it("is not judged when it is too long", () => {
    const asked = (length: number) =>
      Array.from({ length }, (_, at): Operation => {
        return { register: "run/r", call: 2 * at, return: 2 * at + 1, input: { kind: "told-absent" } };
      });
    expect(linearizable(asked(1_000)).kind).toBe("linearizable");
    expect(linearizable(asked(1_001)).kind).toBe("unknown");
  });

  it("is not judged when there are too many orders to try", () => {
    const claims = Array.from({ length: 40 }, (_, index): Operation => {
      const input = { kind: "expire", token: index + 1, again: true } as const;
      return { register: "step/r/0", call: index, return: null, input };
    });
    const people = Array.from({ length: 22 }, (_, index): Operation => {
      return {
        register: "step/r/0",
        call: 50 + index,
        return: null,
        input: { kind: "answer", by: `p${index}` },
      };
    });
    const asked: Operation = { register: "step/r/0", call: 0, return: 1, input: { kind: "await" } };
    const told: Operation = {
      register: "step/r/0",
      call: 100,
      return: 101,
      input: { kind: "told-duplicate", token: 1, worker: "w" },
    };
    expect(linearizable([asked, ...claims, ...people, told]).kind).toBe("unknown");
  });
});

describe("the history of a world", () => {
  it("has in it what nobody was told the end of", async () => {
    const history = new RegisterHistory();
    const checker = {
      name: "history",
      observe: history.observe.bind(history),
      finish: () => undefined,
    };
    for (const seed of [5, 13, 7]) await runWorld({ seed, checkers: [checker], encoded: false });
    const all = [...history.operations().values()].flat();
    expect(all.filter((operation) => operation.return === null).length).toBeGreaterThan(0);
    expect(all.filter((operation) => operation.return !== null).length).toBeGreaterThan(50);
    for (const operation of all)
      expect(operation.return ?? operation.call).toBeGreaterThanOrEqual(operation.call);
  });

  it("is found wrong when a home counts one vote for a majority, by this checker alone", () => {
    const words = [planted, "one vote is a majority", "--only=linearizability"];
    const { status, stdout } = spawnSync(process.execPath, words, { encoding: "utf8" });
    expect({ status, stdout }).toMatchObject({ status: 0 });
    expect(stdout).toContain("linearizability: ");
  });
});
