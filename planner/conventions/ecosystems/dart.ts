/**
 * Dart and Flutter: pub installs; melos runs the tests of every package where the root depends on it.
 */

import { describe } from "../describe.ts";
import type { Rule } from "../describe.ts";
import type { Convention } from "../convention.ts";

const file = "pubspec.yaml";
const needsFlutter = /^[ \t]+sdk:[ \t]*flutter\b|^[ \t]+flutter:[ \t]*["']?[\^>=\d]/m;

/** Each package that has tests, by what melos itself is asked. */
function melos(program: string): readonly Rule[] {
  const needs = {
    on: [{ file, says: /^[ \t]+melos:/m }],
    or: "pubspec.yaml does not depend on melos",
  };
  const bootstrap = "dart run melos bootstrap";
  return [
    {
      on: { file: "melos.yaml", says: /^[ \t]+test:/m },
      run: [bootstrap, "dart run melos run test --no-select"],
      reason: 'declares the script "test"',
      needs,
    },
    {
      on: ["melos.yaml", { file, says: /^melos:/m }],
      run: [bootstrap, `dart run melos exec --dir-exists=test -- ${program} test`],
      reason: "describes a workspace of packages, each with its own tests",
      needs,
      otherwise: true,
    },
  ];
}

function pub(program: "dart" | "flutter", signal: (text: string) => boolean): Convention {
  const title = program === "dart" ? "Dart" : "Flutter";
  return describe({
    ecosystem: title,
    slug: program,
    signals: [{ file, says: signal }],
    name: /^name:\s*["']?(\w+)/m,
    toolchains: [
      {
        title,
        names: [program],
        files: [
          ...(program === "flutter" ? [{ file: ".fvmrc", says: /"flutter"\s*:\s*"([^"\n]+)"/ }] : []),
          { file, says: /^[ \t]+sdk:[ \t]*["']?([\^>=\d][^"'#\n]*)/m },
        ],
      },
    ],
    lock: { files: ["pubspec.lock"] },
    install: [
      {
        on: file,
        run: `${program} pub get`,
        lockedRun: `${program} pub get --enforce-lockfile`,
        reason: "names the dependencies",
      },
    ],
    caches: [{ name: "pub", paths: ["~/.pub-cache"] }],
    lint: [{ on: "analysis_options.yaml", run: `${program} analyze`, reason: "says what is analyzed" }],
    build: [],
    test: [
      ...melos(program),
      { on: /^test\/.*_test\.dart$/, run: `${program} test`, reason: "has tests", otherwise: true },
    ],
    untested: "has no test folder",
  });
}

export const dart = pub("dart", (text) => !needsFlutter.test(text));
export const flutter = pub("flutter", (text) => needsFlutter.test(text));
