/**
 * Python: uv, Poetry, Pipenv or pip bring the dependencies; pytest, tox, nox, Django or unittest test.
 *
 * Nothing is guessed where nothing declares a test, except that files named like tests are run by unittest,
 * which every Python has; the reason says so.
 */

import { cacheOf, proposalOf } from "../convention.ts";
import type { Convention, Cover, Proposal, Repository, Signal, Task } from "../convention.ts";
import { chooseInstaller } from "./python-installers.ts";
import type { Installer } from "./python-installers.ts";
import { readPythonProject, requirementsFiles } from "./python-project.ts";
import type { PythonProject } from "./python-project.ts";

const projectFiles = ["pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "requirements.txt"];

export const python: Convention = {
  ecosystem: "Python",
  slug: "python",
  signals: [...projectFiles, "tox.ini", "noxfile.py", "manage.py"],
  toolchains: [
    {
      title: "Python",
      names: ["python"],
      files: [
        { file: ".python-version" },
        { file: "runtime.txt" },
        { file: "pyproject.toml", says: /^[ \t]*requires-python[ \t]*=[ \t]*"([^"\n]+)"/m },
        { file: "Pipfile", says: /^[ \t]*python_(?:full_)?version[ \t]*=[ \t]*"([^"\n]+)"/m },
      ],
    },
  ],
  reads: [...projectFiles, "tox.ini", ...requirementsFiles],
  propose,
};

function propose(repository: Repository): Proposal | undefined {
  const signal =
    repository.first([...projectFiles, "tox.ini", "noxfile.py", "manage.py"]) ?? requirements(repository);
  if (signal === undefined) return undefined;
  const project = readPythonProject(repository);
  const rejected: Signal[] = [];
  const runner = findRunner(repository, project);
  const installer = chooseInstaller(repository, project, runner?.needs ?? []);
  const test = runner === undefined ? [] : [toTask(runner, installer)];
  const lint = findLint(repository, project, installer, rejected);
  const build = test.length === 0 && project.isPackage ? [compile(installer)] : [];
  return proposalOf({
    standing: standingOf(runner, project),
    because: reasonAside(runner),
    signal,
    projectName: project.name,
    install: installer.install,
    variables: installer.variables,
    within: installer.within,
    covers: project.compiled === undefined ? [] : [compiledPart(project.compiled)],
    lint,
    build,
    test,
    matches: installer.matches,
    rejected,
    caches: cacheOf(repository, installer.cache, {
      locks: installer.locks,
      otherwise: [
        ...projectFiles.filter((file) => file !== "requirements.txt"),
        "tox.ini",
        "noxfile.py",
        ...requirementsFiles,
      ],
    }),
  });
}

function requirements(repository: Repository): string | undefined {
  return repository.all(requirementsFiles.slice(0, 1))[0];
}

/** What runs the tests, and the packages it must have beside the project's own. */
type Runner = {
  readonly signal: string;
  readonly reason: string;
  readonly command: string;
  readonly needs: readonly string[];
  readonly isGuess: boolean;
};

/** What says how to install the tests' needs comes before what only configures a tool. */
function findRunner(repository: Repository, project: PythonProject): Runner | undefined {
  const tests = repository.find(/(^|\/)(test_[^/]*|[^/]*_test|tests?)\.py$/);
  const pytest = { command: "pytest", needs: ["pytest"], isGuess: false };
  if (project.pytestNeeded !== undefined && tests !== undefined)
    return { ...project.pytestNeeded, ...pytest };
  if (repository.has("noxfile.py")) {
    const reason = "declares sessions for nox";
    // In CI nox fails for each Python that the machine lacks, unless it is told not to.
    const command = "nox --no-error-on-missing-interpreters";
    return { signal: "noxfile.py", reason, command, needs: ["nox"], isGuess: false };
  }
  if (project.tox !== undefined) {
    const reason = "declares environments for tox";
    return { signal: project.tox, reason, command: "tox run -e py", needs: ["tox"], isGuess: false };
  }
  if (tests === undefined) return undefined;
  if (project.pytestConfigured !== undefined) return { ...project.pytestConfigured, ...pytest };
  if (repository.has("manage.py")) {
    const reason = `runs a Django project, which has ${tests}`;
    return { signal: "manage.py", reason, command: "python manage.py test", needs: [], isGuess: false };
  }
  return { ...unittest(repository, tests), needs: [], isGuess: true };
}

function unittest(repository: Repository, tests: string): Pick<Runner, "signal" | "reason" | "command"> {
  const folder = ["tests", "test"].find((name) => tests.startsWith(`${name}/`));
  const where =
    folder === undefined
      ? ""
      : repository.has(`${folder}/__init__.py`)
        ? ` -s ${folder} -t .`
        : ` -s ${folder}`;
  const reason = "is named like a test, and nothing declares what runs it, so unittest does";
  return { signal: tests, reason, command: `python -m unittest discover${where}` };
}

function standingOf(runner: Runner | undefined, project: PythonProject): Proposal["standing"] {
  if (runner !== undefined) return runner.isGuess ? "guessed" : "tested";
  return project.isPackage ? "untested" : "tooling";
}

/** A crate or a build that the package's own build compiles into it. */
function compiledPart({ backend, ecosystem }: NonNullable<PythonProject["compiled"]>): Cover {
  return {
    ecosystem,
    reason: `is built into the package by ${backend}`,
    evenIfTested: true,
    installs: false,
  };
}

function reasonAside(runner: Runner | undefined): string {
  if (runner === undefined) return "declares no test and has no test files";
  return runner.isGuess ? `declares no test, though there is ${runner.signal}` : "declares how to test";
}

function toTask(runner: Runner, installer: Installer): Task {
  return { signal: runner.signal, command: installer.tool(runner.command), reason: runner.reason };
}

/** The build of last resort: the package installs, and its files are Python. */
function compile(installer: Installer): Task {
  const command = installer.tool("python -m compileall -q -x '[.]venv' .");
  return {
    signal: installer.matches[0]?.signal ?? "pyproject.toml",
    command,
    reason: "is a package to install",
  };
}

function findLint(
  repository: Repository,
  project: PythonProject,
  installer: Installer,
  rejected: Signal[],
): readonly Task[] {
  const linters = [
    { name: "ruff", signal: project.ruff, command: "ruff check ." },
    { name: "flake8", signal: repository.first([".flake8"]), command: "flake8 --extend-exclude .venv" },
  ];
  const tasks: Task[] = [];
  for (const { name, signal, command } of linters) {
    if (signal === undefined) continue;
    if (installer.brings.has(name)) {
      tasks.push({ signal, command: installer.tool(command), reason: `configures ${name}` });
    } else {
      rejected.push({ signal, reason: `configures ${name}, but the installed dependencies do not name it` });
    }
  }
  return tasks;
}
