/**
 * The package managers of Node as data, and the choice between them: what the repository declares, then which
 * lock file it has.
 */

import type { Repository, Signal } from "../convention.ts";
import { declaredManager } from "./node-package.ts";
import type { Package } from "./node-package.ts";

export type NodeManager = {
  readonly title: string;
  readonly locks: readonly string[];
  readonly lockedInstall: string;
  readonly install: string;
  readonly script: (name: string) => string;
  /** The script in every workspace that declares it. */
  readonly everywhere: (name: string) => string;
  /** A program that a dependency brought. */
  readonly binary: (command: string) => string;
  /** Where it keeps what it downloads. */
  readonly cached: readonly string[];
  /** The scripts of the package itself that installing runs. */
  readonly installScripts: readonly string[];
  /** What stands between a script and its arguments. */
  readonly separator: string;
};

type ManagerName = "npm" | "yarn1" | "berry" | "pnpm" | "bun";

const managers: Readonly<Record<ManagerName, NodeManager>> = {
  npm: {
    title: "npm",
    locks: ["package-lock.json", "npm-shrinkwrap.json"],
    lockedInstall: "npm ci",
    install: "npm install",
    script: (name) => (name === "test" ? "npm test" : `npm run ${name}`),
    everywhere: (name) => `npm run ${name} --workspaces --if-present`,
    binary: (command) => `npx ${command}`,
    cached: ["~/.npm"],
    installScripts: ["prepare", "postinstall"],
    separator: " -- ",
  },
  yarn1: {
    title: "Yarn 1",
    locks: ["yarn.lock"],
    lockedInstall: "yarn install --frozen-lockfile",
    install: "yarn install",
    script: (name) => (name === "test" ? "yarn test" : `yarn run ${name}`),
    everywhere: (name) => `yarn workspaces run ${name}`,
    binary: (command) => `yarn run ${command}`,
    cached: ["~/.cache/yarn"],
    installScripts: ["prepare", "postinstall"],
    separator: " ",
  },
  berry: {
    title: "Yarn",
    locks: ["yarn.lock"],
    lockedInstall: "yarn install --immutable",
    install: "yarn install --no-immutable",
    script: (name) => (name === "test" ? "yarn test" : `yarn run ${name}`),
    everywhere: (name) => `yarn workspaces foreach --all --topological run ${name}`,
    binary: (command) => `yarn run ${command}`,
    cached: ["~/.yarn/berry/cache", ".yarn/cache"],
    installScripts: ["postinstall"],
    separator: " ",
  },
  pnpm: {
    title: "pnpm",
    locks: ["pnpm-lock.yaml"],
    lockedInstall: "pnpm install --frozen-lockfile",
    install: "pnpm install --no-frozen-lockfile",
    script: (name) => (name === "test" ? "pnpm test" : `pnpm run ${name}`),
    everywhere: (name) => `pnpm --recursive --if-present run ${name}`,
    binary: (command) => `pnpm exec ${command}`,
    cached: ["~/.local/share/pnpm/store"],
    installScripts: ["prepare", "postinstall"],
    separator: " ",
  },
  bun: {
    title: "bun",
    locks: ["bun.lock", "bun.lockb"],
    lockedInstall: "bun install --frozen-lockfile",
    install: "bun install",
    script: (name) => `bun run ${name}`,
    everywhere: (name) => `bun run --filter '*' ${name}`,
    binary: (command) => `bunx ${command}`,
    cached: ["~/.bun/install/cache"],
    installScripts: ["prepare", "postinstall"],
    separator: " ",
  },
};

/** With several lock files and nothing declared: npm's last, since it is the one left behind by accident. */
const byLock: readonly ManagerName[] = ["pnpm", "berry", "bun", "npm"];

const lockFiles: readonly string[] = byLock.flatMap((name) => managers[name].locks);

export type ManagerChoice = {
  readonly manager: NodeManager;
  readonly install: string;
  readonly isLocked: boolean;
  readonly matches: readonly Signal[];
  readonly rejected: readonly Signal[];
};

export function chooseManager(repository: Repository, content: Package): ManagerChoice {
  const { name, signal, reason } = choose(repository, content);
  const manager = managers[name];
  const lock = repository.first(manager.locks);
  const others = lockFiles.filter((path) => !manager.locks.includes(path) && repository.has(path));
  const rejected = others.map((path) => ({
    signal: path,
    reason: `is not used: ${signal} speaks for ${manager.title}`,
  }));
  if (lock === undefined) {
    const install = manager.install;
    const unlocked = {
      signal,
      reason: `${reason}; there is no lock file, so versions may change from run to run`,
    };
    return { manager, install, isLocked: false, matches: [unlocked], rejected };
  }
  const matches = signal === lock ? [] : [{ signal, reason }];
  const locked = { signal: lock, reason: `locks the dependencies, installed by ${manager.title}` };
  return { manager, install: manager.lockedInstall, isLocked: true, matches: [...matches, locked], rejected };
}

function choose(
  repository: Repository,
  content: Package,
): { name: ManagerName; signal: string; reason: string } {
  const declared = declaredManager(content);
  if (declared !== undefined) {
    const reason = `declares the package manager ${declared.name}`;
    switch (declared.name) {
      case "npm":
      case "pnpm":
      case "bun":
        return { name: declared.name, signal: "package.json", reason };
      case "yarn":
        return {
          name: declared.version.startsWith("1.") ? "yarn1" : "berry",
          signal: "package.json",
          reason,
        };
      default:
    }
  }
  for (const name of byLock) {
    const lock = repository.first(managers[name].locks);
    if (lock === undefined) continue;
    const isYarn1 = name === "berry" && !isBerry(repository);
    return { name: isYarn1 ? "yarn1" : name, signal: lock, reason: "locks the dependencies" };
  }
  if (repository.has("pnpm-workspace.yaml")) {
    return { name: "pnpm", signal: "pnpm-workspace.yaml", reason: "shows pnpm" };
  }
  if (repository.has("bunfig.toml")) return { name: "bun", signal: "bunfig.toml", reason: "shows bun" };
  if (repository.has(".yarnrc.yml")) return { name: "berry", signal: ".yarnrc.yml", reason: "shows Yarn" };
  return { name: "npm", signal: "package.json", reason: "declares no package manager, so it is npm" };
}

function isBerry(repository: Repository): boolean {
  return repository.has(".yarnrc.yml") || /^__metadata:/m.test(repository.text("yarn.lock"));
}
