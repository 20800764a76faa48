/** The page about the language: its examples are planned, and every key of the language is on it. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { keysOf, recordNames } from "../../planner/language.ts";
import { planOf } from "./planning.ts";

const page = readFileSync(join(import.meta.dirname, "../../planner/LANGUAGE.md"), "utf8");
const examples = [...page.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text = ""]) => text);

it.each(examples)("plans its example %#", async (text) => {
  expect((await planOf(text)).steps.length).toBeGreaterThan(0);
});

it("has every key of the language", () => {
  const missing = recordNames.flatMap((record) =>
    (keysOf(record) as readonly string[]).filter((key) => !new RegExp(`\\b${key}\\b`).test(page)),
  );
  expect(missing).toEqual([]);
  expect(examples.length).toBeGreaterThan(3);
});
