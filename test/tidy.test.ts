/** House rules that no linter knows: what a file must say of itself, and what must agree with what. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";

import { errorCodes } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";

const root = join(import.meta.dirname, "..");
const folders = ["protocol", "planner", "node", "cli", "simulations", "test"];

/** Everything that is written here, by its path from the root. */
const files: ReadonlyMap<string, string> = new Map(
  [...folders.flatMap(pathsIn), "README.md", "package.json", "package-lock.json", ".ci/run", ".npmrc"].map(
    (path) => [path, readFileSync(join(root, path), "utf8")],
  ),
);
const sources = [...files].filter(([path]) => path.endsWith(".ts") && !path.startsWith("test/"));
const pages = [...files].filter(([path]) => path.endsWith("README.md"));

const linesMax = 400;
/** Longer files, each one thing that would be harder to follow in two. Most files have 80 to 350 lines. */
const longForAReason = new Map([
  ["protocol/limits.ts", "every bound there is, in one file"],
  ["protocol/messages.ts", "everything that peers say to each other: its type, and beside it its check"],
  ["protocol/registers/table.ts", "every message about a table, in one switch"],
  ["node/core/control.ts", "every input of a control peer, in one switch"],
  ["node/core/reign.ts", "every decision of a home, in one switch"],
  ["node/core/submissions.ts", "one state machine: a submission's way to its admission"],
  ["node/core/worker.ts", "one state machine: a worker's session, its leases and its attempts"],
  ["node/edge/control-node.ts", "everything that a control peer's core asks for, in one switch"],
  ["node/edge/execution/executor.ts", "one attempt, from its assignment to its report"],
  [
    "node/edge/execution/running-attempt.ts",
    "one state machine: an attempt's commands, from the first to its end",
  ],
  ["node/edge/network.ts", "one class that owns every link of a peer"],
  ["node/verify/replay.ts", "every event of an account, in one switch"],
  ["simulations/peer.ts", "everything that a peer asks of its edge, in one switch"],
  ["simulations/world.ts", "one class that owns everything that happens in a world"],
]);

function pathsIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .toSorted();
}

/** The paths of those that are not as they should be; a failure names them all. */
function those(
  from: Iterable<readonly [string, string]>,
  isWrong: (text: string, path: string) => boolean,
): readonly string[] {
  return [...from].filter(([path, text]) => isWrong(text, path)).map(([path]) => path);
}

describe("a source file", () => {
  test("says at its top what it is", () => {
    expect(those(sources, (text) => !text.startsWith("/**"))).toEqual([]);
  });

  test(`has at most ${linesMax} lines, or is long for a stated reason`, () => {
    const long = those(sources, (text) => text.split("\n").length - 1 > linesMax);
    expect(long).toEqual([...longForAReason.keys()].filter((path) => long.includes(path)));
    expect([...longForAReason.keys()].filter((path) => !files.has(path))).toEqual([]);
  });

  test("is no collection of odds and ends", () => {
    expect(those(files, (_, path) => /(^|\/)(index\.ts|utils?|helpers?)(\.ts|\/|$)/.test(path))).toEqual([]);
  });

  test("orders text by code unit, never by a locale", () => {
    expect(those(sources, (text) => /localeCompare|toLocale|Intl\./.test(text))).toEqual([]);
  });

  test("of a pure floor takes no chance from the system", () => {
    const isPure = (path: string): boolean => /^(protocol|planner|node\/(core|view|verify))\//.test(path);
    expect(
      those(sources, (text, path) => isPure(path) && /random(Bytes|UUID|Int)|webcrypto|subtle/.test(text)),
    ).toEqual([]);
  });
});

describe("everything that is written here", () => {
  test("is done: no note of work that is left", () => {
    const note = new RegExp(["TO", "DO|FIX", "ME|XX", "X"].join(""));
    // The digest of a package spells any word at some time.
    const written = (text: string): string => text.replaceAll(/"integrity": "[^"]*"/g, "");
    expect(those(files, (text) => note.test(written(text)))).toEqual([]);
  });

  test("names no place on the machine where it was written", () => {
    const places = [root, process.env["HOME"] ?? ""].filter((place) => place.split("/").length > 2);
    expect(those(files, (text) => places.some((place) => text.includes(place)))).toEqual([]);
    expect(those(files, (text, path) => path.endsWith(".json") && text.includes('"resolved"'))).toEqual([]);
  });

  test("is tested as a whole: no test is left out, none runs alone", () => {
    const tests = [...files].filter(([path]) => path.endsWith(".test.ts"));
    expect(those(tests, (text) => /\b(test|it|describe)\.(only|skip|todo)\b/.test(text))).toEqual([]);
  });
});

describe("what must agree", () => {
  test("every error code is used, and is in the table of cli/README.md with its exit code", () => {
    const page = files.get("cli/README.md") ?? "";
    const rows = [...page.matchAll(/^\| `(OTTO_[A-Z_]+)` +\|[^|]+\| (\d+) +\|/gm)].map(
      ([, code, exit]) => `${code} ${exit}`,
    );
    const codes = Object.entries(errorCodes).map(([code, exit]) => `${code} ${exit}`);
    expect(rows.toSorted()).toEqual([...codes, "OTTO_BUG 70"].toSorted());

    const launcher = readFileSync(join(root, "cli/otto"), "utf8");
    const texts = [
      launcher,
      ...sources.filter(([path]) => path !== "protocol/errors.ts").map(([, text]) => text),
    ];
    const unused = Object.keys(errorCodes).filter(
      (code) => !texts.some((text) => new RegExp(`\\b${code}\\b`).test(text)),
    );
    expect(unused).toEqual([]);
  });

  test("every limit is asked for somewhere", () => {
    const asked = new Set(
      [...files.values()].flatMap((text) => [...text.matchAll(/\blimits\.(\w+)/g)].map(([, name]) => name)),
    );
    expect(Object.keys(limits).filter((name) => !asked.has(name))).toEqual([]);
  });

  test("every top folder has a page, and every file and link that a page names is there", () => {
    expect(folders.filter((folder) => !files.has(`${folder}/README.md`))).toEqual([]);
    const missing = pages.flatMap(([path, text]) =>
      namesIn(text)
        .filter((name) => ![dirname(path), "."].some((from) => existsSync(join(root, from, name))))
        .map((name) => `${path}: ${name}`),
    );
    expect(missing).toEqual([]);
  });
});

/** Targets of links, and files in backticks: `plan.ts`, `test/tidy.test.ts`. */
function namesIn(page: string): readonly string[] {
  const links = [...page.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, target]) => target ?? "");
  const named = [...page.matchAll(/`([\w./-]+\.ts)`/g)].map(([, name]) => name ?? "");
  return [...links.filter((target) => !/^[a-z]+:/.test(target)), ...named];
}
