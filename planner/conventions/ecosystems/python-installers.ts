/**
 * What brings a Python project's dependencies into a fresh workspace, and how a command is run among them: by
 * the lock file, then by what `pyproject.toml` says; pip in a virtual environment otherwise.
 */

import type { Cache, Repository, Signal } from "../convention.ts";
import type { Dependencies, PythonProject } from "./python-project.ts";
import { hasTable } from "../toml.ts";

export type Installer = {
  readonly install: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
  /** A tool of Python: `pytest`, `python manage.py test`. */
  readonly tool: (command: string) => string;
  /** Any command that expects the environment to be active. */
  readonly within: (command: string) => string;
  /** Names of the packages that are known to be installed. */
  readonly brings: ReadonlySet<string>;
  /** What it downloads, and the locks that this depends on. */
  readonly cache: Pick<Cache, "name" | "paths">;
  readonly locks: readonly string[];
  /** The files that decided, at least one. */
  readonly matches: readonly Signal[];
};

/** Groups and extras by these names are for tests, also when they name no runner. */
const testNames = ["test", "tests", "testing", "dev"];

/** @param needs the packages that the runner of the tests consists of. */
export function chooseInstaller(
  repository: Repository,
  project: PythonProject,
  needs: readonly string[],
): Installer {
  if (repository.has("uv.lock") || project.tables.has("tool.uv")) return uv(repository, project, needs);
  if (repository.has("poetry.lock") || project.tables.has("tool.poetry")) {
    return poetry(repository, project, needs);
  }
  if (repository.has("pdm.lock") || hasTable(project.tables, "tool.pdm"))
    return pdm(repository, project, needs);
  if (repository.has("Pipfile")) return pipenv(repository, project, needs);
  return pip(repository, project, needs);
}

function uv(repository: Repository, project: PythonProject, needs: readonly string[]): Installer {
  const lock = repository.has("uv.lock");
  // The members' own dependencies are not installed with the root's unless that is asked for.
  const members = project.tables.has("tool.uv.workspace") ? " --all-packages" : "";
  const asked = select(project, needs, ["group", "extra"]);
  const isDefault = (set: Dependencies): boolean => set.kind === "group" && set.name === "dev";
  const flags = asked
    .filter((set) => !isDefault(set))
    .map((set) => ` --${set.kind} ${set.name}`)
    .join("");
  const brings = union([
    ...asked,
    ...project.dependencies.filter((set) => set.kind === "main" || isDefault(set)),
  ]);
  const missing = needs.filter((name) => !brings.has(name));
  return {
    install: [
      `uv sync${lock ? " --locked" : ""}${members}${flags}`,
      ...missing.map((name) => `uv pip install ${name}`),
    ],
    variables: {},
    ...runBy("uv run"),
    cache: { name: "uv", paths: ["~/.cache/uv"] },
    locks: ["uv.lock"],
    brings,
    matches: [lock ? locked("uv.lock", "uv") : unlocked("pyproject.toml", "uv")],
  };
}

function poetry(repository: Repository, project: PythonProject, needs: readonly string[]): Installer {
  const lock = repository.has("poetry.lock");
  const groups = project.dependencies.filter((set) => set.kind === "poetry-group");
  const optional = groups.filter(
    (set) =>
      project.tables.get(`tool.poetry.group.${set.name}`)?.get("optional") === true &&
      needs.some((name) => set.packages.has(name)),
  );
  const extras = needs.some((name) => union(groups).has(name)) ? [] : select(project, needs, ["extra"]);
  const flags = [
    ...optional.map((set) => ` --with ${set.name}`),
    ...extras.map((set) => ` --extras ${set.name}`),
  ].join("");
  const brings = union([...groups, ...extras]);
  const missing = needs.filter((name) => !brings.has(name));
  return {
    install: [`poetry install${flags}`, ...missing.map((name) => `poetry run pip install ${name}`)],
    variables: { POETRY_VIRTUALENVS_IN_PROJECT: "true" },
    ...runBy("poetry run"),
    cache: { name: "poetry", paths: ["~/.cache/pypoetry"] },
    locks: ["poetry.lock"],
    brings,
    matches: [lock ? locked("poetry.lock", "Poetry") : unlocked("pyproject.toml", "Poetry")],
  };
}

/** PDM installs every group for development unless it is told not to. */
function pdm(repository: Repository, project: PythonProject, needs: readonly string[]): Installer {
  const lock = repository.has("pdm.lock");
  const groups = project.dependencies.filter((set) => set.kind === "group");
  const extras = needs.some((name) => union(groups).has(name)) ? [] : select(project, needs, ["extra"]);
  const flags = extras.map((set) => ` --group ${set.name}`).join("");
  const brings = union([...groups, ...extras, ...project.dependencies.filter((set) => set.kind === "main")]);
  const missing = needs.filter((name) => !brings.has(name));
  return {
    install: [
      `pdm ${lock ? "sync" : "install"}${flags}`,
      // The environments that PDM makes have no pip.
      ...missing.map((name) => `pdm run python -m ensurepip && pdm run python -m pip install ${name}`),
    ],
    variables: {},
    ...runBy("pdm run"),
    cache: { name: "pdm", paths: ["~/.cache/pdm"] },
    locks: ["pdm.lock"],
    brings,
    matches: [lock ? locked("pdm.lock", "PDM") : unlocked("pyproject.toml", "PDM")],
  };
}

function pipenv(repository: Repository, project: PythonProject, needs: readonly string[]): Installer {
  const lock = repository.has("Pipfile.lock");
  const brings = union(project.dependencies.filter((set) => set.kind === "pipfile"));
  const missing = needs.filter((name) => !brings.has(name));
  return {
    install: [
      lock ? "pipenv install --deploy --dev" : "pipenv install --dev --skip-lock",
      ...missing.map((name) => `pipenv run pip install ${name}`),
    ],
    variables: { PIPENV_VENV_IN_PROJECT: "1" },
    ...runBy("pipenv run"),
    cache: { name: "pipenv", paths: ["~/.cache/pipenv"] },
    locks: ["Pipfile.lock"],
    brings,
    matches: [lock ? locked("Pipfile.lock", "Pipenv") : unlocked("Pipfile", "Pipenv")],
  };
}

function pip(repository: Repository, project: PythonProject, needs: readonly string[]): Installer {
  const environments = needs.find((name) => name === "tox" || name === "nox");
  // tox and nox install the project and its dependencies themselves.
  const asked = environments === undefined ? select(project, needs, ["group", "extra", "requirements"]) : [];
  const files = asked.filter((set) => set.kind === "requirements").map((set) => set.name);
  const groups = asked.filter((set) => set.kind === "group").map((set) => set.name);
  const brings = union([...asked, ...project.dependencies.filter((set) => set.kind === "main")]);
  const missing = needs.filter((name) => !brings.has(name));
  const itself = environments === undefined && project.isPackage && !namesItself(repository, files);
  const words = [
    ...files.map((file) => `-r ${file}`),
    ...groups.map((group) => `--group ${group}`),
    ...(itself ? [`-e ${withExtras(asked)}`] : []),
    ...missing,
  ];
  const upgrade = groups.length > 0 ? [".venv/bin/pip install --upgrade pip"] : [];
  const install = words.length > 0 ? [`.venv/bin/pip install ${words.join(" ")}`] : [];
  const signal = files[0] ?? repository.first(["pyproject.toml", "setup.py", "setup.cfg", "tox.ini"]);
  return {
    install: ["python3 -m venv .venv", ...upgrade, ...install],
    variables: {},
    tool: (command) => `.venv/bin/${command.replace(/^pytest\b/, "python -m pytest")}`,
    within: (command) => `. .venv/bin/activate && ${command}`,
    cache: { name: "pip", paths: ["~/.cache/pip"] },
    locks: [],
    brings,
    matches: [unlocked(signal ?? needs[0] ?? "python", "pip")],
  };
}

/** The sets that name what is needed; without any, those by a name that says they are for tests. */
function select(
  project: PythonProject,
  needs: readonly string[],
  kinds: readonly Dependencies["kind"][],
): readonly Dependencies[] {
  const all = project.dependencies.filter((set) => kinds.includes(set.kind));
  const files = all.filter((set) => set.kind === "requirements");
  const sets = all.filter((set) => set.kind !== "requirements");
  const naming = sets.filter((set) => needs.some((name) => set.packages.has(name)));
  const best = naming.toSorted((one, other) => rank(one.name) - rank(other.name)).slice(0, 1);
  if (best.length > 0 || needs.some((name) => union(files).has(name))) return [...files, ...best];
  return [...files, ...sets.filter((set) => testNames.includes(set.name))];
}

function rank(name: string): number {
  const index = testNames.indexOf(name);
  return index === -1 ? testNames.length : index;
}

function withExtras(asked: readonly Dependencies[]): string {
  const extras = asked.filter((set) => set.kind === "extra").map((set) => set.name);
  return extras.length === 0 ? "." : `'.[${extras.join(",")}]'`;
}

/** Whether a requirements file already installs the project: `-e .`, `.[test]`. */
function namesItself(repository: Repository, files: readonly string[]): boolean {
  return files.some((file) => /^[ \t]*(-e[ \t]+|--editable[ =])?\.(\[|[ \t]*$)/m.test(repository.text(file)));
}

function runBy(prefix: string): Pick<Installer, "tool" | "within"> {
  const run = (command: string): string => `${prefix} ${command}`;
  return { tool: run, within: run };
}

function union(sets: readonly Dependencies[]): ReadonlySet<string> {
  return new Set(sets.flatMap((set) => [...set.packages]));
}

function locked(signal: string, title: string): Signal {
  return { signal, reason: `locks the dependencies, installed by ${title}` };
}

function unlocked(signal: string, title: string): Signal {
  return {
    signal,
    reason: `is installed by ${title}; there is no lock file, so versions may change from run to run`,
  };
}
