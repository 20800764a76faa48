/**
 * The packages of a repository with workspaces, and how one script is run in all that declare it: by turbo, nx or
 * lerna where the root depends on one of them, else as the package manager does it.
 */

import type { Repository, Task } from "../convention.ts";
import { objectAt, readJsonObject } from "../jsonc.ts";
import type { NodeManager } from "./node-managers.ts";
import { readPackage } from "./node-package.ts";
import type { Package } from "./node-package.ts";

const members = ["*/package.json", "*/*/package.json"];
const signal = "package.json";
const pnpmFile = "pnpm-workspace.yaml";

export const workspaceFiles: readonly string[] = [
  pnpmFile,
  "turbo.json",
  "nx.json",
  "lerna.json",
  ...members,
];

export type Workspace = {
  /** A tool that knows what depends on what runs tasks in all packages. */
  readonly isOrchestrated: boolean;
  /** What runs a script in every package that declares it; nothing when none does. */
  run(name: string, manager: NodeManager): readonly Task[];
};

/** Undefined where the root names no workspaces. */
export function findWorkspace(repository: Repository, root: Package): Workspace | undefined {
  const patterns = patternsOf(repository, root);
  if (patterns === undefined) return undefined;
  const members = readMembers(repository, patterns);
  const tool = findTool(repository, root);
  return {
    isOrchestrated: tool !== undefined,
    run(name, manager) {
      const declaring = members.filter(({ scripts }) => scripts.has(name));
      // Packages deeper than are looked into may declare it, and every way to run it passes over those that do not.
      if (members.length > 0 && declaring.length === 0) return [];
      const said = `has workspaces, ${declaring[0]?.path ?? "which may"} declares the script "${name}"`;
      const reason = members.length === 0 ? `has workspaces, each with its own script "${name}"` : said;
      if (tool?.knows(name) === true) {
        return [
          {
            signal: tool.signal,
            command: manager.binary(tool.run(name)),
            reason: `runs "${name}" in all workspaces`,
          },
        ];
      }
      // Yarn 1 fails at the first package that does not declare it.
      const names = declaring.flatMap((one) => (one.name === undefined ? [] : [one.name]));
      const isPartial = manager.title === "Yarn 1" && names.length < members.length;
      const commands = isPartial
        ? names.map((one) => `yarn workspace ${one} run ${name}`)
        : [manager.everywhere(name)];
      return commands.map((command) => ({ signal, command, reason }));
    },
  };
}

type Member = {
  readonly path: string;
  readonly name: string | undefined;
  readonly scripts: ReadonlyMap<string, string>;
};

function readMembers(repository: Repository, patterns: readonly RegExp[]): readonly Member[] {
  return repository.all(members).flatMap((path): Member[] => {
    const folder = path.slice(0, -"/package.json".length);
    if (!patterns.some((pattern) => pattern.test(folder))) return [];
    const content = readPackage(repository.text(path));
    if (content === undefined) return [];
    const name = content.fields["name"];
    // It becomes a part of a command.
    const isPlain = typeof name === "string" && /^[@\w][\w./-]*$/.test(name);
    return [{ path, name: isPlain ? name : undefined, scripts: content.scripts }];
  });
}

/** `workspaces` as a list or with `packages`, and the list of `pnpm-workspace.yaml`. */
function patternsOf(repository: Repository, root: Package): readonly RegExp[] | undefined {
  const field = root.fields["workspaces"];
  const listed = Array.isArray(field) ? field : objectAt(root.fields, "workspaces")["packages"];
  const own = Array.isArray(listed) ? listed.filter((one) => typeof one === "string") : [];
  const pnpm = pnpmPatterns(repository.text(pnpmFile));
  if (field === undefined && pnpm === undefined) return undefined;
  return [...own, ...(pnpm ?? [])].filter((glob) => !glob.startsWith("!")).map(toPattern);
}

function pnpmPatterns(text: string): readonly string[] | undefined {
  const lines = text.split(/\r?\n/);
  const start = lines.findIndex((line) => line.startsWith("packages:"));
  if (start === -1) return undefined;
  const patterns: string[] = [];
  for (const line of lines.slice(start + 1)) {
    if (/^[^\s#-]/.test(line)) break;
    const item = /^[ \t]*-[ \t]+["']?([^"'#\s]+)/.exec(line)?.[1];
    if (item !== undefined) patterns.push(item);
  }
  return patterns;
}

function toPattern(glob: string): RegExp {
  const parts = glob.replace(/^\.\//, "").replace(/\/$/, "").split("/").slice(0, 4);
  const words = parts.map((part) =>
    part.replaceAll(/\*{2,}|[.+^${}()|[\]\\?*]/g, (sign) => (sign.startsWith("*") ? "[^/]*" : `\\${sign}`)),
  );
  const body = words.map((word, index) => (parts[index] === "**" ? "[^/]+(?:/[^/]+)*" : word)).join("/");
  return new RegExp(`^${body}$`);
}

type Tool = {
  readonly signal: string;
  readonly knows: (name: string) => boolean;
  readonly run: (name: string) => string;
};

function findTool(repository: Repository, root: Package): Tool | undefined {
  if (root.dependencies.has("turbo") && repository.has("turbo.json")) {
    const fields = readJsonObject(repository.text("turbo.json"));
    const tasks = [...Object.keys(objectAt(fields, "tasks")), ...Object.keys(objectAt(fields, "pipeline"))];
    const knows = (name: string): boolean => tasks.some((task) => task === name || task.endsWith(`#${name}`));
    return { signal: "turbo.json", knows, run: (name) => `turbo run ${name}` };
  }
  if (root.dependencies.has("nx") && repository.has("nx.json")) {
    return { signal: "nx.json", knows: () => true, run: (name) => `nx run-many --target=${name}` };
  }
  if (root.dependencies.has("lerna") && repository.has("lerna.json")) {
    return { signal: "lerna.json", knows: () => true, run: (name) => `lerna run ${name}` };
  }
  return undefined;
}
