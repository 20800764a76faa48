/**
 * One test for each thing that can be wrong in a pipeline file: the exact words, the place and the squiggle, since
 * they are what a person works with.
 */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { diagnosticCodes, formatDiagnostics } from "../../planner/diagnostics.ts";
import { limits } from "../../protocol/limits.ts";
import type { PlanContext } from "../../protocol/plan.ts";
import { diagnosticsOf } from "./planning.ts";

const seen = new Set<string>();

async function complaints(source: string | Uint8Array, context: Partial<PlanContext> = {}): Promise<string> {
  const diagnostics = await diagnosticsOf(source, context);
  for (const { code } of diagnostics) seen.add(code);
  const text = typeof source === "string" ? source : new TextDecoder().decode(source);
  return `\n${formatDiagnostics(diagnostics, text)}\n`;
}

it("a file beyond the bound", async () => {
  expect(await complaints("x".repeat(2 * 1024 * 1024))).toMatchInlineSnapshot(`
    "
    otto.yaml:1:1: error: the file has more than 1024 KiB (pipeline/too-large)
      1 | xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...
        | ^
        = split the pipeline, or move long commands into scripts of the repository
    "
  `);
});

it("bytes that are not UTF-8", async () => {
  expect(await complaints(Uint8Array.of(...new TextEncoder().encode("otto: 1\npipeline: caf"), 0xe9, 0x0a)))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:2:14: error: the bytes here are not UTF-8 (pipeline/not-utf8)
      2 | pipeline: caf�
        |              ^
        = save the file as UTF-8
    "
  `);
});

it("a NUL in the file", async () => {
  expect(await complaints("otto: 1\nsteps: { a: { run: x\0 } }\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:2:21: error: the control character U+0000 is in the file (pipeline/control-character)
      2 | steps: { a: { run: x� } }
        |                     ^
        = remove it; inside double quotes it can be written as an escape
    "
  `);
});

it("an empty file", async () => {
  expect(await complaints("\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:1:1: error: the file is empty (pipeline/empty)
      1 |
        | ^
        = write \`otto: 1\` and \`steps:\`; \`otto init\` makes a file from what the repository shows
    "
  `);
});

it("a file of comments alone", async () => {
  expect(await complaints("# soon\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:1:1: error: the file says nothing (pipeline/empty)
      1 | # soon
        | ^
        = write \`otto: 1\` and \`steps:\`; \`otto init\` makes a file from what the repository shows
    "
  `);
});

it("a quote that is not closed", async () => {
  expect(await complaints('otto: 1\nsteps: { a: { run: "x } }\n')).toMatchInlineSnapshot(`
    "
    otto.yaml:3:1: error: a quote is not closed (pipeline/syntax)
      3 |
        | ^
        = close it
    "
  `);
});

it("a tab as indentation", async () => {
  expect(await complaints("otto: 1\nsteps:\n\ta: { run: x }\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:3:1: error: this is not YAML: tabs are not allowed as indentation (pipeline/syntax)
      3 | 	a: { run: x }
        | ^
        = indent with spaces
    "
  `);
});

it("a directive", async () => {
  expect(await complaints("%YAML 1.1\n---\notto: 1\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:1:1: error: a pipeline file has no YAML directives (pipeline/syntax)
      1 | %YAML 1.1
        | ^^^^^^^^^
        = remove the line
    "
  `);
});

it("a second document", async () => {
  expect(await complaints("otto: 1\n---\nsteps: { a: { run: x } }\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:2:1: error: the file holds more than one document (pipeline/syntax)
      2 | ---
        | ^^^
        = remove the \`---\` line: a file holds one pipeline
    "
  `);
});

it("a tag", async () => {
  expect(await complaints("otto: 1\nsteps: { a: { run: !!str x } }\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:2:20: error: YAML tags are not allowed (pipeline/tag)
      2 | steps: { a: { run: !!str x } }
        |                    ^^^^^
        = write the value without \`!\`; put it in quotes if it should be text
    "
  `);
});

it("an alias of nothing", async () => {
  expect(await complaints("otto: 1\nsteps: { a: { run: *command } }\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:2:20: error: the alias \`*command\` names nothing that is complete before it (pipeline/alias)
      2 | steps: { a: { run: *command } }
        |                    ^^^^^^^^
        = write \`&command\` before an earlier value, or put text that begins with \`*\` in quotes
    "
  `);
});

it("an alias as a key", async () => {
  expect(await complaints("otto: 1\nsteps: { &a a: { run: x }, *a : { run: x } }\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:2:28: error: a key must be a plain word (pipeline/wrong-type)
      2 | steps: { &a a: { run: x }, *a : { run: x } }
        |                            ^^
        = write \`name: value\`; put text that begins with \`{\`, \`[\`, \`*\` or \`&\` in quotes
    "
  `);
});

it("nesting without end", async () => {
  expect(await complaints(`otto: 1\nsteps: { a: { run: ${"[".repeat(40)}x${"]".repeat(40)} } }\n`))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:2:21: error: a command must be text, and is a list (pipeline/wrong-type)
      2 | steps: { a: { run: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]] } }
        |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = write \`run: COMMAND\` or \`run: [COMMAND, COMMAND]\`

    otto.yaml:2:50: error: nested more than 32 levels deep (pipeline/too-deep)
      2 | steps: { a: { run: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]] } }
        |                                                  ^^^^^^^^^^^^^^^^^^^^^
        = a pipeline needs no more than six levels
    "
  `);
});

it("a key written twice", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a: { run: x }\n  a: { run: y }\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:4:3: error: the key \`a\` is written twice (pipeline/duplicate-key)
      4 |   a: { run: y }
        |   ^
        : the first is here (line 3)
      3 |   a: { run: x }
        |   ^
        = keep one of the two
    "
  `);
});

it("an unknown key", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a:\n    run: x\n    neds: b\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:5:5: error: the step \`a\` has no key \`neds\` (pipeline/unknown-key)
      5 |     neds: b
        |     ^^^^
        = did you mean \`needs\`?
    "
  `);
});

it("a key that another tool has", async () => {
  const helps = async (text: string): Promise<readonly string[]> =>
    (await diagnosticsOf(text)).flatMap(({ code, help }) => (code === "pipeline/unknown-key" ? [help] : []));
  expect(await helps("otto: 1\nsteps: { a: { run: x, depends_on: b, script: x, if: y } }\n")).toEqual([
    "did you mean `needs`?",
    "did you mean `run`?",
    "did you mean `when`?",
  ]);
  for (const name of ["constructor", "__proto__", "toString"])
    expect(await helps(`otto: 1\n${name}: 1\nsteps: { a: { run: x } }\n`)).toEqual([
      "write one of `env`, `environments`, `notify`, `otto`, `parameters`, `pipeline`, `priority`, `steps`, `triggers`, `uses`",
    ]);
});

it("a key in the wrong place", async () => {
  expect(await complaints("otto: 1\nneeds: b\nsteps:\n  a: { run: x, steps: { b: { run: y } } }\n"))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:2:1: error: the file has no key \`needs\` (pipeline/unknown-key)
      2 | needs: b
        | ^^^^^
        = \`needs\` belongs to a step, under its name in \`steps\`

    otto.yaml:4:16: error: the step \`a\` has no key \`steps\` (pipeline/unknown-key)
      4 |   a: { run: x, steps: { b: { run: y } } }
        |                ^^^^^
        = \`steps\` belongs to the file itself, not indented
    "
  `);
});

it("a value of an axis written twice", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a: { run: x, matrix: { os: [linux, macos, linux] } }\n"))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:3:45: error: the axis \`os\` has the value \`linux\` twice (pipeline/bad-matrix)
      3 |   a: { run: x, matrix: { os: [linux, macos, linux] } }
        |                                             ^^^^^
        : the first is here (line 3)
      3 |   a: { run: x, matrix: { os: [linux, macos, linux] } }
        |                               ^^^^^
        = keep one of the two
    "
  `);
});

it("an alias written almost right", async () => {
  expect(await complaints("otto: 1\nenv: &usual { A: b }\nsteps: { a: { run: x, env: *usal } }\n"))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:3:28: error: the alias \`*usal\` names nothing that is complete before it (pipeline/alias)
      3 | steps: { a: { run: x, env: *usal } }
        |                            ^^^^^
        = did you mean \`*usual\`?
    "
  `);
});

it("a circle of three steps, each place of it", async () => {
  const steps = ["  a:", "    run: x", "    outputs: { o: dist }", "    needs: b"];
  steps.push("  b:", "    run: x", "    needs: [c]", "  c:", "    run: x", "    inputs: { i: a.o }");
  expect(await complaints(`otto: 1\nsteps:\n${steps.join("\n")}\n`)).toMatchInlineSnapshot(`
    "
    otto.yaml:6:12: error: the steps need each other in a circle: \`a\` -> \`b\` -> \`c\` -> \`a\` (pipeline/cycle)
       6 |     needs: b
         |            ^
         : and \`c\` is needed here (line 9)
       9 |     needs: [c]
         |             ^
         : and \`a\` is needed here (line 12)
      12 |     inputs: { i: a.o }
         |                  ^^^
         = remove one of these needs
    "
  `);
});

it("no steps", async () => {
  expect(await complaints("otto: 1\npipeline: web\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:1:1: error: the key \`steps\` is missing (pipeline/missing-key)
      1 | otto: 1
        | ^^^^
        = write \`steps:\` and under it for example \`test: { run: npm test }\`
    "
  `);
});

it("a step with nothing to run", async () => {
  expect(await complaints("otto: 1\nsteps:\n  build: { timeout: 5m }\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:3:3: error: the step \`build\` has nothing to run (pipeline/missing-key)
      3 |   build: { timeout: 5m }
        |   ^^^^^
        = write \`run: COMMAND\` (or \`uses\`, \`pipeline\`, \`approve\` or \`wait\`)
    "
  `);
});

it("a map where a list is wanted", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a:\n    run: { first: x }\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:4:10: error: \`run\` must be text, and is a map (pipeline/wrong-type)
      4 |     run: { first: x }
        |          ^^^^^^^^^^^^
        = write \`run: COMMAND\` or \`run: [COMMAND, COMMAND]\`
    "
  `);
});

it("a step that is text", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a: npm test\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:3:6: error: the step \`a\` must be a map, and is text (pipeline/wrong-type)
      3 |   a: npm test
        |      ^^^^^^^^
        = write \`a: { run: npm test }\`
    "
  `);
});

it("another version", async () => {
  expect(await complaints("otto: 2\nsteps: { a: { run: x } }\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:1:7: error: this version of Otto reads pipeline files of version 1 (pipeline/version)
      1 | otto: 2
        |       ^
        = write \`otto: 1\`
    "
  `);
});

it("a name with a space", async () => {
  expect(await complaints("otto: 1\nsteps:\n  my step: { run: x }\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:3:3: error: \`my step\` cannot be the name of a step (pipeline/bad-name)
      3 |   my step: { run: x }
        |   ^^^^^^^
        = use letters, digits, \`-\`, \`_\` and \`.\`
    "
  `);
});

it("a name that JavaScript knows", async () => {
  expect(await complaints("otto: 1\nsteps:\n  __proto__: { run: x }\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:3:3: error: \`__proto__\` cannot be the name of a step (pipeline/bad-name)
      3 |   __proto__: { run: x }
        |   ^^^^^^^^^
        = choose another name: this one means something to JavaScript programs
    "
  `);
});

it("a variable that belongs to Otto", async () => {
  expect(await complaints("otto: 1\nenv: { OTTO_RUN: mine }\nsteps: { a: { run: x } }\n"))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:2:8: error: \`OTTO_RUN\` cannot be declared: names with \`OTTO_\` are set by Otto (pipeline/bad-name)
      2 | env: { OTTO_RUN: mine }
        |        ^^^^^^^^
        = write \`RUN\`
    "
  `);
});

it("a number that is a version", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a: { run: x, matrix: { ruby: [3.9, 3.10] } }\n"))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:3:38: error: the number \`3.10\` means 3.1 (pipeline/bad-number)
      3 |   a: { run: x, matrix: { ruby: [3.9, 3.10] } }
        |                                      ^^^^
        = write "3.10" in quotes if it is a name or a version, or 3.1
    "
  `);
});

it("a duration without a unit", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a: { run: x, timeout: 90 }\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:3:25: error: this is no duration (pipeline/bad-duration)
      3 |   a: { run: x, timeout: 90 }
        |                         ^^
        = write \`90s\` for seconds or \`90m\` for minutes
    "
  `);
});

it("a duration beyond the bound", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a: { run: x, timeout: 8d }\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:3:25: error: a step may take 7d at most, and this is longer (pipeline/bad-duration)
      3 |   a: { run: x, timeout: 8d }
        |                         ^^
        = write for example \`90s\`, \`10m\`, \`2h\` or \`1h30m\`
    "
  `);
});

it("too many attempts", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a: { run: x, retry: 10 }\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:3:23: error: \`retry\` must be a whole number from 0 to 9 (pipeline/bad-retry)
      3 |   a: { run: x, retry: 10 }
        |                       ^^
        = write for example \`2\`
    "
  `);
});

it("a pattern that leaves the workspace", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a: { run: x, outputs: { site: ../site/** } }\n"))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:3:33: error: \`../site/**\`: a pattern cannot leave the workspace (pipeline/bad-pattern)
      3 |   a: { run: x, outputs: { site: ../site/** } }
        |                                 ^^^^^^^^^^
        = copy the files into the workspace first
    "
  `);
});

it("a pattern with an open bracket", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a: { run: x, outputs: { site: 'dist/[a-z' } }\n"))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:3:33: error: \`dist/[a-z\`: a bracket is opened and not closed (pipeline/bad-pattern)
      3 |   a: { run: x, outputs: { site: 'dist/[a-z' } }
        |                                 ^^^^^^^^^^^
        = close the \`[\` or \`{\`
    "
  `);
});

it("a label with a space", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a: { run: x, labels: [big machine] }\n"))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:3:25: error: \`big machine\` cannot be a label (pipeline/bad-label)
      3 |   a: { run: x, labels: [big machine] }
        |                         ^^^^^^^^^^^
        = use letters, digits, \`-\`, \`_\`, \`.\` and \`/\`, as \`key\` or \`key=value\`
    "
  `);
});

it("a label from an axis that is not there", async () => {
  expect(
    await complaints(
      "otto: 1\nsteps:\n  a: { run: x, matrix: { system: [linux] }, labels: { os: matrix.sistem } }\n",
    ),
  ).toMatchInlineSnapshot(`
    "
    otto.yaml:3:59: error: the matrix of \`a\` has no axis \`sistem\` (pipeline/bad-label)
      3 |   a: { run: x, matrix: { system: [linux] }, labels: { os: matrix.sistem } }
        |                                                           ^^^^^^^^^^^^^
        = did you mean \`system\`?
    "
  `);
});

it("an exclusion of nothing", async () => {
  expect(
    await complaints("otto: 1\nsteps:\n  a: { run: x, matrix: { os: [linux], exclude: [{ os: macos }] } }\n"),
  ).toMatchInlineSnapshot(`
    "
    otto.yaml:3:49: error: \`exclude\` matches no cell (pipeline/bad-matrix)
      3 |   a: { run: x, matrix: { os: [linux], exclude: [{ os: macos }] } }
        |                                                 ^^^^^^^^^^^^^
        = remove it, or correct its values: text and numbers are different values
    "
  `);
});

it("an axis of two types", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a: { run: x, matrix: { v: [1, two] } }\n"))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:3:24: error: the axis \`v\` mixes number and string (pipeline/bad-matrix)
      3 |   a: { run: x, matrix: { v: [1, two] } }
        |                        ^^^^^^^^^^^^^^^
        = put every value of the axis in quotes
    "
  `);
});

it("an input without an output", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a: { run: x, inputs: { site: build } }\n"))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:3:32: error: \`build\` names no output of a step (pipeline/bad-input)
      3 |   a: { run: x, inputs: { site: build } }
        |                                ^^^^^
        = write \`STEP.OUTPUT\`
    "
  `);
});

it("an input of a step that failed", async () => {
  expect(
    await complaints(
      "otto: 1\nsteps:\n  a: { run: x, outputs: { o: dist/** } }\n  b: { run: x, needs: { a: [failed] }, inputs: { o: a.o } }\n",
    ),
  ).toMatchInlineSnapshot(`
    "
    otto.yaml:4:53: error: \`a\` hands over its outputs only when it passed, and this step runs when it did not (pipeline/bad-input)
      4 |   b: { run: x, needs: { a: [failed] }, inputs: { o: a.o } }
        |                                                     ^^^
        : it is needed here (line 4)
      4 |   b: { run: x, needs: { a: [failed] }, inputs: { o: a.o } }
        |                         ^
        = add \`passed\` to its outcomes in \`needs\`, or remove the input
    "
  `);
});

it("a default that is none of the choices", async () => {
  expect(
    await complaints(
      "otto: 1\nparameters:\n  channel: { type: string, enum: [beta, stable], default: stabel }\nsteps: { a: { run: x } }\n",
    ),
  ).toMatchInlineSnapshot(`
    "
    otto.yaml:3:59: error: the default \`stabel\` is none of the values in \`enum\` (pipeline/bad-parameter)
      3 |   channel: { type: string, enum: [beta, stable], default: stabel }
        |                                                           ^^^^^^
        : the values are listed here (line 3)
      3 |   channel: { type: string, enum: [beta, stable], default: stabel }
        |                                  ^^^^^^^^^^^^^^
        = did you mean \`stable\`?
    "
  `);
});

it("a parameter without a value", async () => {
  expect(await complaints("otto: 1\nparameters:\n  channel: { type: string }\nsteps: { a: { run: x } }\n"))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:3:3: error: the parameter \`channel\` has no default, and no value was given (pipeline/missing-parameter)
      3 |   channel: { type: string }
        |   ^^^^^^^
        = give one with \`--parameter channel=VALUE\`, or declare a \`default\`
    "
  `);
});

it("a value for a parameter that is not there", async () => {
  expect(
    await complaints(
      "otto: 1\nparameters: { channel: { type: string, default: beta } }\nsteps: { a: { run: x } }\n",
      { parameters: { chanel: "beta" } },
    ),
  ).toMatchInlineSnapshot(`
    "
    otto.yaml:1:1: error: a value was given for the parameter \`chanel\`, and the pipeline has none of that name (pipeline/unknown-parameter)
      1 | otto: 1
        | ^
        = did you mean \`channel\`?
    "
  `);
});

it("an unknown environment", async () => {
  expect(
    await complaints(
      "otto: 1\nenvironments: { production: {} }\nsteps:\n  a: { run: x, environment: prodution }\n",
    ),
  ).toMatchInlineSnapshot(`
    "
    otto.yaml:4:29: error: there is no environment called \`prodution\` (pipeline/unknown-environment)
      4 |   a: { run: x, environment: prodution }
        |                             ^^^^^^^^^
        = did you mean \`production\`?
    "
  `);
});

it("an unknown step", async () => {
  expect(await complaints("otto: 1\nsteps:\n  build: { run: x }\n  test: { run: x, needs: biuld }\n"))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:4:26: error: there is no step called \`biuld\` (pipeline/unknown-step)
      4 |   test: { run: x, needs: biuld }
        |                          ^^^^^
        = did you mean \`build\`?
    "
  `);
});

it("an unknown output", async () => {
  expect(
    await complaints(
      "otto: 1\nsteps:\n  build: { run: x, outputs: { assets: dist/** } }\n  test: { run: x, inputs: { assets: build.asets } }\n",
    ),
  ).toMatchInlineSnapshot(`
    "
    otto.yaml:4:37: error: the step \`build\` has no output called \`asets\` (pipeline/unknown-output)
      4 |   test: { run: x, inputs: { assets: build.asets } }
        |                                     ^^^^^^^^^^^
        : the step \`build\` is here (line 3)
      3 |   build: { run: x, outputs: { assets: dist/** } }
        |   ^^^^^
        = did you mean \`assets\`?
    "
  `);
});

it("an unknown outcome", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a: { run: x }\n  b: { run: x, needs: { a: [timeout] } }\n"))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:4:29: error: \`timeout\` is no way for \`a\` to end (pipeline/unknown-outcome)
      4 |   b: { run: x, needs: { a: [timeout] } }
        |                             ^^^^^^^
        = did you mean \`timed-out\`?
    "
  `);
});

it("a need written twice", async () => {
  expect(
    await complaints(
      "otto: 1\nsteps:\n  a: { run: x }\n  b:\n    run: x\n    needs:\n      - a\n      - a\n",
    ),
  ).toMatchInlineSnapshot(`
    "
    otto.yaml:8:9: error: \`a\` is needed twice (pipeline/duplicate-need)
      8 |       - a
        |         ^
        : the first is here (line 7)
      7 |       - a
        |         ^
        = keep one of the two
    "
  `);
});

it("a step that needs itself", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a: { run: x, needs: [a] }\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:3:24: error: the step \`a\` needs itself (pipeline/self-need)
      3 |   a: { run: x, needs: [a] }
        |                        ^
        = remove it
    "
  `);
});

it("steps that need each other", async () => {
  expect(
    await complaints(
      "otto: 1\nsteps:\n  a: { run: x, needs: b }\n  b: { run: x, needs: c }\n  c: { run: x, needs: a }\n  d: { run: x, needs: a }\n",
    ),
  ).toMatchInlineSnapshot(`
    "
    otto.yaml:3:23: error: the steps need each other in a circle: \`a\` -> \`b\` -> \`c\` -> \`a\` (pipeline/cycle)
      3 |   a: { run: x, needs: b }
        |                       ^
        : and \`c\` is needed here (line 4)
      4 |   b: { run: x, needs: c }
        |                       ^
        : and \`a\` is needed here (line 5)
      5 |   c: { run: x, needs: a }
        |                       ^
        = remove one of these needs
    "
  `);
});

it("a condition that is not finished", async () => {
  expect(await complaints('otto: 1\nsteps:\n  a: { run: x, when: git.branch == "main" && }\n'))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:3:45: error: this is no condition: unexpected end (pipeline/condition-syntax)
      3 |   a: { run: x, when: git.branch == "main" && }
        |                                             ^
        = write a condition such as \`git.branch == "main" && trigger != "schedule"\`
    "
  `);
});

it("a condition with one equals sign", async () => {
  expect(await complaints('otto: 1\nsteps:\n  a: { run: x, when: git.branch = "main" }\n'))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:3:33: error: this is no condition: unexpected character: = (pipeline/condition-syntax)
      3 |   a: { run: x, when: git.branch = "main" }
        |                                 ^
        = compare with \`==\`
    "
  `);
});

it("a condition on an unknown field", async () => {
  expect(await complaints('otto: 1\nsteps:\n  a: { run: x, when: git.brnch == "main" }\n'))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:3:26: error: \`git.brnch\` is not declared (pipeline/condition-name)
      3 |   a: { run: x, when: git.brnch == "main" }
        |                          ^^^^^
        = did you mean \`branch\`?
    "
  `);
});

it("a condition on an unknown name", async () => {
  expect(await complaints('otto: 1\nsteps:\n  a: { run: x, when: branch == "main" }\n'))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:3:22: error: \`branch\` is not known in conditions (pipeline/condition-name)
      3 |   a: { run: x, when: branch == "main" }
        |                      ^^^^^^
        = did you mean \`git.branch\`?
    "
  `);
});

it("a condition on a matrix that is not there", async () => {
  expect(await complaints('otto: 1\nsteps:\n  a: { run: x, when: matrix.os == "linux" }\n'))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:3:22: error: \`matrix\` is not known in conditions (pipeline/condition-name)
      3 |   a: { run: x, when: matrix.os == "linux" }
        |                      ^^^^^^
        = the step has no \`matrix\`
    "
  `);
});

it("a condition of the wrong type", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a: { run: x, when: git.branch }\n")).toMatchInlineSnapshot(`
    "
    otto.yaml:3:22: error: a condition must be true or false, and this is text (pipeline/condition-type)
      3 |   a: { run: x, when: git.branch }
        |                      ^^^^^^^^^^
        = compare it, for example with \`== "main"\`
    "
  `);
});

it("a condition that compares text with null", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a: { run: x, when: git.tag != null }\n"))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:3:22: error: \`string != null\` has no meaning (pipeline/condition-type)
      3 |   a: { run: x, when: git.tag != null }
        |                      ^^^^^^^^^^^^^^^
        = compare with \`""\`: what is not known is the empty text
    "
  `);
});

it("a regular expression in a condition", async () => {
  expect(await complaints('otto: 1\nsteps:\n  a:\n    run: x\n    when: git.branch.matches("^(a+)+$")\n'))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:5:11: error: \`matches\` is not available: a regular expression can take for ever (pipeline/condition-function)
      5 |     when: git.branch.matches("^(a+)+$")
        |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = use \`startsWith\`, \`endsWith\`, \`contains\` or \`in [...]\`
    "
  `);
});

it("a loop inside of a loop", async () => {
  expect(
    await complaints(
      'otto: 1\nsteps:\n  a:\n    run: x\n    when: "[1, 2].all(x, [1, 2].exists(y, x == y))"\n',
    ),
  ).toMatchInlineSnapshot(`
    "
    otto.yaml:5:26: error: \`exists\` cannot stand inside of another loop (pipeline/condition-function)
      5 |     when: "[1, 2].all(x, [1, 2].exists(y, x == y))"
        |                          ^^^^^^^^^^^^^^^^^^^^^^^^
        = write the two parts side by side, joined with \`&&\` or \`||\`
    "
  `);
});

it("a condition that several steps share, in each of them", async () => {
  const steps = (condition: string): string =>
    `otto: 1\nsteps:\n  a: { run: x, when: ${condition} }\n  b: { run: x, when: ${condition} }\n`;
  for (const condition of ["1 / size(git.tag) == 1", "git.tag", "git.brunch == 1", "(git.tag"]) {
    const found = await diagnosticsOf(steps(condition));
    expect(found.map(({ range }) => range.line)).toEqual([3, 4]);
  }
});

it("a condition that cannot be evaluated", async () => {
  expect(await complaints("otto: 1\nsteps:\n  a: { run: x, when: 1 / size(git.tag) == 1 }\n"))
    .toMatchInlineSnapshot(`
    "
    otto.yaml:3:22: error: the condition cannot be evaluated: division by zero (pipeline/condition-failed)
      3 |   a: { run: x, when: 1 / size(git.tag) == 1 }
        |                      ^^^^^^^^^^^^^^^^^
        = check the value before it is used, for example with \`size(...) > 0 &&\`
    "
  `);
});

it("more cells than a matrix may have", async () => {
  expect(
    await complaints(
      "otto: 1\nsteps:\n  a: { run: x, matrix: { x: &ten [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], y: *ten, z: *ten } }\n",
    ),
  ).toMatchInlineSnapshot(`
    "
    otto.yaml:3:24: error: the matrix has 1000 entries; at most 256 are possible (pipeline/over-limit)
      3 |   a: { run: x, matrix: { x: &ten [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], y: *ten, z: *ten } }
        |                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = split it, or move it into a script of the repository
    "
  `);
});

it("more mistakes than are shown", async () => {
  const steps = Array.from({ length: 300 }, (_, index) => `  s${index}: { run: x, needs: gone }`);
  const diagnostics = await diagnosticsOf(`otto: 1\nsteps:\n${steps.join("\n")}\n`);
  for (const { code } of diagnostics) seen.add(code);
  expect(diagnostics).toHaveLength(limits.diagnosticsMax);
  expect(diagnostics[0]?.range.line).toBe(3);
  expect(diagnostics.at(-1)).toMatchObject({
    code: "pipeline/too-many-mistakes",
    message: "101 more mistakes are not shown",
  });
});

it("has a test for every code, here or beside it", () => {
  const elsewhere = ["language.test.ts", "nesting.test.ts"].map((name) => {
    const file = join(import.meta.dirname, name);
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  });
  const isSeen = (code: string): boolean =>
    seen.has(code) || elsewhere.some((text) => text.includes(`(${code})`));
  expect(diagnosticCodes.filter((code) => !isSeen(code))).toEqual([]);
});

describe("all mistakes of a file", () => {
  it("are said at once, sorted by position", async () => {
    const diagnostics = await diagnosticsOf(
      [
        "otto: 1",
        "pipelin: web",
        "steps:",
        "  build: { run: [], timeout: soon }",
        "  test: { needs: biuld, run: x, when: git.branch, environment: gone }",
        "  a: { needs: [b], run: x }",
        "  b: { needs: [a], run: x }",
      ].join("\n"),
    );
    expect(diagnostics.map(({ range, code }) => `${range.line}:${range.column} ${code}`)).toEqual([
      "2:1 pipeline/unknown-key",
      "4:17 pipeline/wrong-type",
      "4:30 pipeline/bad-duration",
      "5:18 pipeline/unknown-step",
      "5:39 pipeline/condition-type",
      "5:64 pipeline/unknown-environment",
      "6:16 pipeline/cycle",
    ]);
  });

  it("have the same places with Windows line ends and a byte order mark", async () => {
    const text = "otto: 1\nsteps:\n  a: { run: x, needs: gone }\n";
    const plain = await diagnosticsOf(text);
    const windows = await diagnosticsOf(`\uFEFF${text.replaceAll("\n", "\r\n")}`);
    const bytes = await diagnosticsOf(new TextEncoder().encode(`\uFEFF${text}`));
    expect(plain).toHaveLength(1);
    expect(windows).toEqual(plain);
    expect(bytes).toEqual(plain);
  });
});

describe("formatting", () => {
  it("lets no control character of the file reach a terminal", async () => {
    const text = 'otto: 1\nsteps: { a: { run: x, needs: "\u0085\u202e\u009b31m" } }\n';
    const formatted = formatDiagnostics(await diagnosticsOf(text), text);
    expect(formatted).toContain("pipeline/unknown-step");
    expect(formatted).not.toMatch(/[\u0080-\u009f\u202e]/);
  });

  it("cuts a long line around the place", async () => {
    const text = `otto: 1\nsteps: { a: { run: "${"x".repeat(500)}", needs: gone } }\n`;
    const lines = formatDiagnostics(await diagnosticsOf(text), text).split("\n");
    expect(lines[1]).toMatch(/^ {2}2 \| \.\.\.x+", needs: gone \} \}$/);
    expect(lines[1]?.slice(lines[2]?.indexOf("^"), (lines[2]?.lastIndexOf("^") ?? 0) + 1)).toBe("gone");
  });
});
