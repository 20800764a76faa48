/**
 * Node: npm, Yarn 1 and berry, pnpm and bun. The `packageManager` field decides, then the lock file.
 */

import { cacheOf, proposalOf } from "../convention.ts";
import type { Convention, Cover, Proposal, Repository, Signal, Task } from "../convention.ts";
import { chooseManager } from "./node-managers.ts";
import type { ManagerChoice, NodeManager } from "./node-managers.ts";
import { fieldOf, readPackage } from "./node-package.ts";
import type { Package } from "./node-package.ts";
import { findWorkspace, workspaceFiles } from "./node-workspaces.ts";
import type { Workspace } from "./node-workspaces.ts";

const ecosystem = "Node";
const signal = "package.json";

export const node: Convention = {
  ecosystem,
  slug: "node",
  signals: [signal],
  toolchains: [
    {
      title: "Node",
      names: ["node", "nodejs"],
      files: [
        { file: ".nvmrc" },
        { file: ".node-version" },
        { file: signal, says: /"engines"\s*:\s*\{[^{}]*"node"\s*:\s*"([^"\n]+)"/ },
      ],
    },
    { title: "bun", names: ["bun"], files: [{ file: ".bun-version" }] },
  ],
  reads: [signal, "yarn.lock", ...workspaceFiles],
  propose,
};

/** In order of preference: a script for CI first, then the usual one. */
const testScripts = ["test:ci", "test-ci", "test", "test:run", "test:unit", "unit"];
const lintScripts = ["lint:ci", "lint"];
const typeScripts = ["typecheck", "type-check", "check-types", "check:types", "types:check"];

const scriptRunners: ReadonlySet<string> = new Set([
  "npm",
  "yarn",
  "pnpm",
  "bun",
  "run-s",
  "run-p",
  "npm-run-all",
  "wireit",
]);
/** Words that send a package manager to another package. */
const elsewhere: ReadonlySet<string> = new Set([
  "workspace",
  "--workspace",
  "-w",
  "--filter",
  "-F",
  "--prefix",
  "-C",
  "--cwd",
]);

const testFile = /(^|\/)(tests?|__tests__)\/.*\.[cm]?[jt]sx?$|\.(test|spec)\.[cm]?[jt]sx?$/;

/** Runners that need no script, by the dependency that brings them. */
const runners: readonly (readonly [dependency: string, command: string])[] = [
  ["vitest", "vitest run"],
  ["jest", "jest"],
  ["mocha", "mocha"],
  ["ava", "ava"],
  ["tap", "tap run"],
];

/** A crate that is compiled into an addon for Node. */
const native: Cover = {
  ecosystem: "Rust",
  reason: "is compiled into an addon for Node",
  evenIfTested: true,
  installs: false,
};

function propose(repository: Repository): Proposal | undefined {
  if (!repository.has(signal)) return undefined;
  const read = readPackage(repository.text(signal));
  if (read === undefined) return unreadable();
  const workspace = findWorkspace(repository, read);
  const content: Package = { ...read, workspaces: workspace !== undefined };

  const chosen = chooseManager(repository, content);
  const rejected: Signal[] = [...chosen.rejected];
  const declared = findTests({ repository, content, workspace, manager: chosen.manager }, rejected);
  const guessed = declared.length > 0 ? [] : guessTests(repository, chosen.manager);
  const test = [...declared, ...guessed];
  const types = findCheck(content, chosen.manager, test, rejected, typeScripts);
  const ownBuild = findBuild({ content, workspace, manager: chosen.manager }, test, rejected);
  // Types are checked after the build where there is one: a workspace may need what another one built.
  const [build, checked] = ownBuild.length > 0 ? [[...ownBuild, ...types], []] : [[], types];
  const ownLint = findCheck(content, chosen.manager, test, rejected, lintScripts);
  const lint = [
    ...ownLint,
    ...(ownLint.length > 0 ? [] : lintEverywhere(workspace, chosen.manager)),
    ...checked,
  ];
  const entry = scriptTask(content, chosen.manager, "ci");
  const isTested = test.length > 0;
  const isProject = build.length > 0 || content.workspaces;
  const isOwn = chosen.isLocked || content.workspaces;
  return proposalOf({
    standing: standingOf({
      isTested,
      isGuess: guessed.length > 0,
      isOwn,
      isProject,
      isLinted: lint.length > 0,
    }),
    because:
      guessed.length > 0
        ? "declares no test, though there are files named like tests"
        : isTested
          ? "declares tests, but has no lock file beside it"
          : "declares no test script",
    signal,
    projectName: fieldOf(content, "name"),
    install: needsInstall(content, chosen) ? [...repositoryFor(content, chosen), chosen.install] : [],
    covers: content.dependencies.has("@napi-rs/cli") || content.dependencies.has("neon-cli") ? [native] : [],
    entry,
    lint,
    build: isTested || isProject ? build : [],
    test,
    matches: chosen.matches,
    rejected,
    caches: cacheOf(
      repository,
      { name: chosen.manager.title.split(" ")[0]?.toLowerCase() ?? "node", paths: chosen.manager.cached },
      {
        locks: chosen.isLocked ? chosen.manager.locks : [],
        otherwise: [content.workspaces ? "**/package.json" : "package.json"],
      },
    ),
  });
}

/** A package without any of these has nothing to install, nor anything that installing would run. */
function needsInstall(content: Package, { isLocked, manager }: ManagerChoice): boolean {
  const runs = manager.installScripts.some((script) => content.scripts.has(script));
  return isLocked || content.hasDependencies || content.workspaces || runs;
}

/** A workspace is no git repository; scripts that put hooks into one while installing fail without. */
function repositoryFor(content: Package, { manager }: ManagerChoice): readonly string[] {
  const isHooked = manager.installScripts
    .flatMap((script) => reached(content, script))
    .some((body) => /\b(husky (install|add|set)|lefthook install|pre-commit install)\b/.test(body));
  return isHooked ? ["git init --quiet"] : [];
}

function standingOf(found: {
  readonly isTested: boolean;
  readonly isGuess: boolean;
  /** It has a lock or workspaces, so it is there for itself. */
  readonly isOwn: boolean;
  readonly isProject: boolean;
  readonly isLinted: boolean;
}): Proposal["standing"] {
  if (found.isGuess) return "guessed";
  if (found.isTested) return found.isOwn ? "tested" : "secondary";
  if (found.isProject) return "untested";
  return found.isLinted ? "last" : "tooling";
}

type Project = {
  readonly content: Package;
  readonly workspace: Workspace | undefined;
  readonly manager: NodeManager;
};

function findTests(
  { repository, content, workspace, manager }: Project & { readonly repository: Repository },
  rejected: Signal[],
): readonly Task[] {
  for (const name of testScripts) {
    const body = content.scripts.get(name);
    if (body === undefined) continue;
    if (/no tests? (specified|yet)|^(exit 0|true)$/i.test(body)) {
      rejected.push({ signal, reason: `the script "${name}" is a placeholder, not a test` });
      continue;
    }
    if (/\s--watch(All)?\b(?!=false)|\bvitest watch\b|\bvitest dev\b/.test(body)) {
      rejected.push({ signal, reason: `the script "${name}" watches and would not end` });
      continue;
    }
    const watches = /\bng test\b/.test(body) && !body.includes("--watch");
    const command = manager.script(name) + (watches ? `${manager.separator}--watch=false` : "");
    return [{ signal, command, reason: `declares the script "${name}"` }];
  }
  if (workspace !== undefined) {
    const everywhere = workspace.run("test", manager);
    if (everywhere.length > 0) return everywhere;
    rejected.push({ signal, reason: 'has workspaces, of which none declares the script "test"' });
  }
  const hasTests = repository.find(testFile);
  if (hasTests === undefined) return [];
  for (const [dependency, command] of runners) {
    if (!content.dependencies.has(dependency)) continue;
    return [
      {
        signal,
        command: manager.binary(command),
        reason: `depends on ${dependency}, and ${hasTests} is there`,
      },
    ];
  }
  return [];
}

/** What bun would run by itself, where nothing declares how the tests are run. */
function guessTests(repository: Repository, manager: NodeManager): readonly Task[] {
  const hasTests = manager.title === "bun" ? repository.find(testFile) : undefined;
  if (hasTests === undefined) return [];
  return [{ signal, command: "bun test", reason: `is installed by bun, whose own runner knows ${hasTests}` }];
}

/** A build comes before the tests, unless installing or testing builds already. */
function findBuild(
  { content, workspace, manager }: Project,
  test: readonly Task[],
  rejected: Signal[],
): readonly Task[] {
  const builds = content.scripts.has("build") ? "build" : undefined;
  if (builds === undefined) return workspace?.run("build", manager) ?? [];
  const already = [...manager.installScripts, ...(test.length > 0 ? ["pretest", ...testScripts] : [])].find(
    (name) => runs(content, name, "build"),
  );
  if (already !== undefined) {
    rejected.push({ signal, reason: `the script "build" is run by "${already}" already` });
    return [];
  }
  return [{ signal, command: manager.script("build"), reason: 'declares the script "build"' }];
}

/** The first of the scripts that is declared, unless testing runs it already. */
function findCheck(
  content: Package,
  manager: NodeManager,
  test: readonly Task[],
  rejected: Signal[],
  candidates: readonly string[],
): readonly Task[] {
  const name = candidates.find((script) => content.scripts.has(script));
  if (name === undefined) return [];
  const already = ["pretest", "posttest", ...testScripts].find((script) => runs(content, script, name));
  if (test.length === 0 || already === undefined) {
    return [{ signal, command: manager.script(name), reason: `declares the script "${name}"` }];
  }
  rejected.push({ signal, reason: `the script "${name}" is run by "${already}" already` });
  return [];
}

/** The packages' own linters, where a tool runs one task in all of them. */
function lintEverywhere(workspace: Workspace | undefined, manager: NodeManager): readonly Task[] {
  return workspace?.isOrchestrated === true ? workspace.run("lint", manager) : [];
}

function scriptTask(content: Package, manager: NodeManager, name: string): Task | undefined {
  if (!content.scripts.has(name)) return undefined;
  return { signal, command: manager.script(name), reason: `declares the script "${name}"` };
}

/** Whether a script of this package runs another one of it, by itself or through what it runs. */
function runs(content: Package, script: string, sought: string): boolean {
  return reached(content, script).some((body) => calledWords(body).includes(sought));
}

/** The text of a script and of every other one of this package that it comes to run. */
function reached(content: Package, script: string): readonly string[] {
  const names = new Set([script]);
  const bodies: string[] = [];
  for (const name of names) {
    const body = content.scripts.get(name);
    if (body === undefined) continue;
    bodies.push(body);
    for (const word of calledWords(body)) if (content.scripts.has(word)) names.add(word);
  }
  return bodies;
}

/** What may be names of scripts in `npm run build`, `yarn build`, `run-s lint build`. */
function calledWords(body: string): readonly string[] {
  return body.split(/[&|;]+/).flatMap((command) => {
    const words = command.split(/[\s"']+/);
    const runner = words.findIndex((word) => scriptRunners.has(word));
    return runner === -1 || words.some((word) => elsewhere.has(word)) ? [] : words.slice(runner + 1);
  });
}

function unreadable(): Proposal {
  const because = "is not a JSON object that can be read";
  return proposalOf({ standing: "tooling", because, signal, rejected: [{ signal, reason: because }] });
}
