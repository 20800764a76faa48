/**
 * What the files at the root say about a Python project: its name, what it depends on and under which group,
 * and which tools it configures.
 */

import type { Repository, Signal } from "../convention.ts";
import { hasTable, readToml, stringAt } from "../toml.ts";
import type { TomlTables } from "../toml.ts";

/** A set of packages that can be asked for together. */
export type Dependencies = {
  readonly kind: "main" | "group" | "extra" | "poetry-group" | "pipfile" | "requirements";
  /** The name of the group or extra, or the path of the file. */
  readonly name: string;
  /** The file that declares it. */
  readonly signal: string;
  readonly packages: ReadonlySet<string>;
};

export type PythonProject = {
  readonly tables: TomlTables;
  readonly name: string | undefined;
  /** True when there is something to install, not only dependencies. */
  readonly isPackage: boolean;
  readonly dependencies: readonly Dependencies[];
  /** pytest is among the dependencies, so installing them brings it. */
  readonly pytestNeeded: Signal | undefined;
  readonly pytestConfigured: Signal | undefined;
  /** The file that configures tox. */
  readonly tox: string | undefined;
  /** The file that configures ruff. */
  readonly ruff: string | undefined;
  /** The build backend that compiles something else into the package, and of which ecosystem that is. */
  readonly compiled: { readonly backend: string; readonly ecosystem: string } | undefined;
};

const pyproject = "pyproject.toml";

const compiledBackends = [
  { backend: "maturin", ecosystem: "Rust" },
  { backend: "setuptools_rust", ecosystem: "Rust" },
  { backend: "scikit_build_core", ecosystem: "CMake" },
  { backend: "mesonpy", ecosystem: "Meson" },
] as const;

/** Names become parts of commands; a group by another name is not used. */
const plainName = /^[\w./-]*$/;

export const requirementsFiles: readonly string[] = ["*requirements*.txt", "requirements/*.txt"];

export function readPythonProject(repository: Repository): PythonProject {
  const tables = readToml(repository.text(pyproject));
  const setupConfiguration = repository.text("setup.cfg");
  const dependencies = [
    ...ofPyproject(tables),
    ...ofPoetry(tables),
    ...ofSetup(repository),
    ...ofPipfile(repository),
    ...ofRequirements(repository),
  ].filter(({ name }) => plainName.test(name));
  const naming = dependencies.find(({ packages }) => packages.has("pytest"));
  const backend = stringAt(tables, "build-system", "build-backend") ?? "";
  const ruff = repository.first(["ruff.toml", ".ruff.toml"]);
  return {
    tables,
    name:
      stringAt(tables, "project", "name") ??
      stringAt(tables, "tool.poetry", "name") ??
      setupName(setupConfiguration),
    isPackage: isPackage(repository, tables),
    dependencies,
    pytestNeeded: naming === undefined ? undefined : { signal: naming.signal, reason: reasonFor(naming) },
    pytestConfigured: findPytest(repository, tables, setupConfiguration),
    tox: findTox(repository, tables, setupConfiguration),
    ruff: ruff ?? (hasTable(tables, "tool.ruff") ? pyproject : undefined),
    compiled: compiledBackends.find((one) => one.backend === backend.split(/[.:]/, 1)[0]),
  };
}

function isPackage(repository: Repository, tables: TomlTables): boolean {
  if (tables.get("tool.uv")?.get("package") === false) return false;
  if (tables.get("tool.poetry")?.get("package-mode") === false) return false;
  if (repository.has("setup.py")) return true;
  return tables.has("project") || tables.has("build-system") || tables.has("tool.poetry");
}

function ofPyproject(tables: TomlTables): readonly Dependencies[] {
  const found: Dependencies[] = [];
  const main = tables.get("project")?.get("dependencies");
  if (Array.isArray(main))
    found.push({ kind: "main", name: "", signal: pyproject, packages: packagesIn(main) });
  for (const [table, kind] of [
    ["dependency-groups", "group"],
    ["tool.pdm.dev-dependencies", "group"],
    ["project.optional-dependencies", "extra"],
  ] as const) {
    for (const [name, value] of tables.get(table) ?? []) {
      if (Array.isArray(value)) found.push({ kind, name, signal: pyproject, packages: packagesIn(value) });
    }
  }
  const older = tables.get("tool.uv")?.get("dev-dependencies");
  if (Array.isArray(older))
    found.push({ kind: "group", name: "dev", signal: pyproject, packages: packagesIn(older) });
  return found;
}

function ofPoetry(tables: TomlTables): readonly Dependencies[] {
  const found: Dependencies[] = [];
  for (const [table, keys] of tables) {
    const group = /^tool\.poetry\.(?:group\.([^.]+)\.dependencies|(dev)-dependencies)$/.exec(table);
    const name = group?.[1] ?? group?.[2];
    if (name === undefined) continue;
    found.push({ kind: "poetry-group", name, signal: pyproject, packages: packagesIn([...keys.keys()]) });
  }
  return found;
}

/** The extras of setup.cfg and setup.py, as far as they can be read without running Python. */
function ofSetup(repository: Repository): readonly Dependencies[] {
  const found: Dependencies[] = [];
  const section = /^\[options\.extras_require\]\n([^[]*)/m.exec(repository.text("setup.cfg"))?.[1] ?? "";
  for (const match of section.matchAll(/^([\w-]+)\s*=([^=\n]*(?:\n[ \t]+.*)*)/gm)) {
    const packages = packagesIn((match[2] ?? "").split("\n"));
    found.push({ kind: "extra", name: match[1] ?? "", signal: "setup.cfg", packages });
  }
  const script = repository.text("setup.py");
  const start = script.indexOf("extras_require");
  const extras = start === -1 ? "" : (script.slice(start).split("}", 1)[0] ?? "");
  for (const match of extras.matchAll(/["']([\w-]+)["']\s*:\s*\[([^[\]]*)\]/g)) {
    const packages = packagesIn(
      [...(match[2] ?? "").matchAll(/["']([^"']+)["']/g)].map((quoted) => quoted[1] ?? ""),
    );
    found.push({ kind: "extra", name: match[1] ?? "", signal: "setup.py", packages });
  }
  return found;
}

function ofPipfile(repository: Repository): readonly Dependencies[] {
  const tables = readToml(repository.text("Pipfile"));
  const names = ["packages", "dev-packages"].flatMap((table) => [...(tables.get(table)?.keys() ?? [])]);
  if (names.length === 0) return [];
  return [{ kind: "pipfile", name: "Pipfile", signal: "Pipfile", packages: packagesIn(names) }];
}

/** `requirements.txt`, and of those for development or tests the first that is there. */
function ofRequirements(repository: Repository): readonly Dependencies[] {
  const forTests = ["test", "tests", "testing", "dev", "develop", "development"].flatMap((name) => [
    `requirements-${name}.txt`,
    `requirements_${name}.txt`,
    `${name}-requirements.txt`,
    `${name}_requirements.txt`,
    `requirements/${name}.txt`,
  ]);
  const main = repository.first(["requirements.txt", "requirements/base.txt"]);
  const chosen =
    forTests.find((path) => packagesOf(repository, path).has("pytest")) ?? repository.first(forTests);
  return [main, chosen]
    .filter((path) => path !== undefined)
    .map((path) => ({
      kind: "requirements",
      name: path,
      signal: path,
      packages: packagesOf(repository, path),
    }));
}

function packagesOf(repository: Repository, path: string): ReadonlySet<string> {
  return packagesIn(repository.text(path).split(/\r?\n/));
}

/** Names as PEP 503 compares them, without versions, extras and markers. */
function packagesIn(requirements: readonly string[]): ReadonlySet<string> {
  const names = requirements.map((line) => /^\s*([A-Za-z0-9][A-Za-z0-9._-]*)/.exec(line)?.[1]);
  return new Set(
    names.filter((name) => name !== undefined).map((name) => name.toLowerCase().replaceAll(/[-_.]+/g, "-")),
  );
}

function reasonFor(dependencies: Dependencies): string {
  switch (dependencies.kind) {
    case "group":
    case "poetry-group":
      return `names pytest in the group "${dependencies.name}"`;
    case "extra":
      return `names pytest in the extra "${dependencies.name}"`;
    case "main":
    case "pipfile":
    case "requirements":
      return "names pytest";
  }
}

function findPytest(repository: Repository, tables: TomlTables, setup: string): Signal | undefined {
  const reason = "configures pytest";
  if (hasTable(tables, "tool.pytest")) return { signal: pyproject, reason };
  if (/^\[tool:pytest\]/m.test(setup)) return { signal: "setup.cfg", reason };
  if (/^\[pytest\]/m.test(repository.text("tox.ini"))) return { signal: "tox.ini", reason };
  const file =
    repository.first(["pytest.ini", ".pytest.ini"]) ?? repository.find(/(^|^tests?\/|\/)conftest\.py$/);
  return file === undefined ? undefined : { signal: file, reason };
}

function findTox(repository: Repository, tables: TomlTables, setup: string): string | undefined {
  if (/^\[testenv/m.test(repository.text("tox.ini"))) return "tox.ini";
  if (repository.has("tox.toml")) return "tox.toml";
  if (hasTable(tables, "tool.tox")) return pyproject;
  return /^\[tox:tox\]/m.test(setup) ? "setup.cfg" : undefined;
}

function setupName(setup: string): string | undefined {
  return /^\[metadata\][^[]*?^name\s*=\s*(\S+)/m.exec(setup)?.[1];
}
