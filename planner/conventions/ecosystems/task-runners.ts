/**
 * just, Task and mise: recipes by the names that make's targets have, too. Like a Makefile, they count where no
 * ecosystem declares tests, except for a recipe called `ci`.
 */

import type { Convention, Toolchain } from "../convention.ts";
import { describe } from "../describe.ts";
import type { Description, Rule, Sign } from "../describe.ts";

type Runner = {
  readonly ecosystem: string;
  readonly slug: string;
  readonly signals: Description["signals"];
  readonly toolchains: readonly Toolchain[];
  /** What shows that a recipe of this name is declared. */
  readonly declares: (name: string) => readonly Sign[];
  readonly run: (name: string) => string;
  readonly install?: readonly Rule[];
  readonly caches?: readonly { readonly name: string; readonly paths: readonly string[] }[];
};

function runner({ declares, run, ...given }: Runner): Convention {
  const rule = (name: string): Rule => ({
    on: declares(name),
    run: run(name),
    reason: `declares the task "${name}"`,
    otherwise: true,
  });
  return describe({
    ...given,
    isRunner: true,
    lock: { none: "runs what others install, and locks nothing itself" },
    entry: [rule("ci")],
    lint: [],
    build: [],
    test: ["test", "check", "tests"].map(rule),
    untested: 'declares none of the tasks "ci", "test" and "check"',
    standing: { tested: "fallback", untested: "last" },
  });
}

const justfiles = ["justfile", "Justfile", ".justfile"];

export const just = runner({
  ecosystem: "just",
  slug: "just",
  signals: justfiles,
  toolchains: [{ title: "just", names: ["just"], files: [] }],
  declares: (name) =>
    justfiles.map((file) => ({ file, says: new RegExp(`^@?${name}(?:[ \\t][^:\\n]*)?:(?!=)`, "m") })),
  run: (name) => `just ${name}`,
});

const taskfiles = [
  "Taskfile.yml",
  "Taskfile.yaml",
  "Taskfile.dist.yml",
  "Taskfile.dist.yaml",
  "taskfile.yml",
];

export const task = runner({
  ecosystem: "Task",
  slug: "task",
  signals: taskfiles,
  toolchains: [{ title: "Task", names: ["task"], files: [] }],
  declares: (name) =>
    taskfiles.map((file) => ({ file, says: new RegExp(`^[ \\t]+["']?${name}["']?:`, "m") })),
  run: (name) => `task ${name}`,
});

const miseFiles = ["mise.toml", ".mise.toml"];
const miseFolders = ["mise-tasks", ".mise-tasks", "mise/tasks", ".mise/tasks", ".config/mise/tasks"];

export const mise = runner({
  ecosystem: "mise",
  slug: "mise",
  signals: [
    ...miseFiles.map((file) => ({ file, says: /^[ \t]*\[tasks\b/m })),
    ...miseFolders.flatMap((folder) => ["ci", "test", "check", "tests"].map((name) => `${folder}/${name}`)),
  ],
  toolchains: [],
  declares: (name) => [
    ...miseFiles.map((file) => ({
      file,
      says: new RegExp(
        `^[ \\t]*\\[tasks\\.["']?${name}["']?\\]|^[ \\t]*\\[tasks\\][^[]*^[ \\t]*${name}[ \\t]*=`,
        "m",
      ),
    })),
    ...miseFolders.map((folder) => `${folder}/${name}`),
  ],
  run: (name) => `mise run ${name}`,
  install: [{ on: miseFiles, run: ["mise trust", "mise install"], reason: "names tools" }],
  caches: [{ name: "mise", paths: ["~/.local/share/mise"] }],
});
