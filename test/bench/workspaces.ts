/**
 * What people use to see a plan before it runs: turbo and nx on generated npm workspaces, and make. Each gets the graph
 * of `treeRepository`: every part needs the one `above` it, and its work is `true`.
 *
 * turbo and nx are installed into a folder of the benchmark, no dependencies of Otto. Nothing of them stays in the
 * background and nothing is told to anybody.
 */

import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runToEnd } from "./measure.ts";
import { above, commitAll } from "./pipelines.ts";

const versions = { turbo: "2.11.11", nx: "24.0.6" } as const;

export const quiet: NodeJS.ProcessEnv = {
  TURBO_TELEMETRY_DISABLED: "1",
  DO_NOT_TRACK: "1",
  NO_UPDATE_NOTIFIER: "1",
  NX_DAEMON: "false",
  NX_NO_CLOUD: "true",
  NX_TUI: "false",
};

/** Installs both. @returns where their programs are, or why they cannot be had. */
export async function installPlanners(folder: string): Promise<{ readonly programs: string } | string> {
  const home = join(folder, "planners");
  mkdirSync(home);
  writeFileSync(join(home, "package.json"), JSON.stringify({ private: true, dependencies: versions }));
  try {
    await runToEnd(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"], { cwd: home });
    const programs = join(home, "node_modules", ".bin");
    const env = { ...process.env, ...quiet };
    await runToEnd([join(programs, "turbo"), "--version"], { cwd: home, env });
    return { programs };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** npm workspaces with so many packages and the installed programs, in a git repository. */
export async function workspaces(folder: string, packages: number, programs: string): Promise<string> {
  const root = join(folder, `workspaces-${packages}`);
  const write = (path: string, value: unknown): void => {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), typeof value === "string" ? value : JSON.stringify(value, null, 2));
  };
  const own = { name: "workspaces", private: true, workspaces: ["packages/*"] };
  write("package.json", { ...own, packageManager: "npm@11.0.0" });
  write("package-lock.json", { name: own.name, lockfileVersion: 3, requires: true, packages: { "": own } });
  write("turbo.json", { tasks: { build: { dependsOn: ["^build"], outputs: ["dist/**"] } } });
  write("nx.json", {
    neverConnectToCloud: true,
    targetDefaults: { build: { dependsOn: ["^build"], outputs: ["{projectRoot}/dist"], cache: true } },
  });
  write(".gitignore", "/.nx\n/.turbo\n/node_modules\n");
  for (let number = 1; number <= packages; number += 1) {
    const needed = above(number);
    write(`packages/part-${number}/package.json`, {
      name: `part-${number}`,
      version: "1.0.0",
      scripts: { build: "true" },
      dependencies: needed === null ? {} : { [`part-${needed}`]: "1.0.0" },
    });
    write(`packages/part-${number}/index.js`, `export default ${number};\n`);
  }
  await commitAll(root);
  symlinkSync(join(programs, ".."), join(root, "node_modules"));
  return root;
}

/** A makefile with so many targets that name no files, and one for all of them. */
export function makefile(folder: string, targets: number): string {
  const root = join(folder, `make-${targets}`);
  mkdirSync(root);
  const names = Array.from({ length: targets }, (_, index) => `part-${index + 1}`);
  const rules = names.map((name, index) => {
    const needed = above(index + 1);
    return `${name}:${needed === null ? "" : ` part-${needed}`}\n\t@echo ${name}\n`;
  });
  writeFileSync(
    join(root, "Makefile"),
    `all: ${names.join(" ")}\n.PHONY: all ${names.join(" ")}\n${rules.join("")}`,
  );
  return root;
}
