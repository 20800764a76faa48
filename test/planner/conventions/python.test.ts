import { describe, expect, test } from "vitest";

import { commandsOf, detect, find, planOf, sentences } from "./fixture.ts";

const tests = { "tests/test_cart.py": "" };
const project = '[project]\nname = "cart"\ndependencies = ["attrs"]\n';

describe("the installer of a Python repository", () => {
  test("is uv by its lock, with the group that brings pytest", () => {
    const grouped = `${project}[dependency-groups]\ntests = ["pytest>=8"]\n`;
    expect(commandsOf({ ...tests, "pyproject.toml": grouped, "uv.lock": "" })).toEqual({
      test: ["uv sync --locked --group tests", "uv run pytest"],
    });
    const standard = `${project}[dependency-groups]\ndev = [\n  "pytest>=8", # the runner\n]\n`;
    expect(commandsOf({ ...tests, "pyproject.toml": standard, "uv.lock": "" })).toEqual({
      test: ["uv sync --locked", "uv run pytest"],
    });
    const extra = `${project}[project.optional-dependencies]\ntest = ["pytest"]\n`;
    expect(commandsOf({ ...tests, "pyproject.toml": extra, "uv.lock": "" })["test"]?.[0]).toBe(
      "uv sync --locked --extra test",
    );
  });

  test("is Poetry, with its environment in the workspace", () => {
    const files = {
      ...tests,
      "pyproject.toml": '[tool.poetry]\nname = "cart"\n[tool.poetry.group.dev.dependencies]\npytest = "^8"\n',
      "poetry.lock": "",
    };
    expect(commandsOf(files)).toEqual({ test: ["poetry install", "poetry run pytest"] });
    expect(planOf(files).steps[0]?.variables).toEqual({ POETRY_VIRTUALENVS_IN_PROJECT: "true" });
  });

  test("is Pipenv, locked where it has a lock", () => {
    const files = { ...tests, Pipfile: '[dev-packages]\npytest = "*"\n' };
    expect(commandsOf({ ...files, "Pipfile.lock": "{}" })).toEqual({
      test: ["pipenv install --deploy --dev", "pipenv run pytest"],
    });
    expect(commandsOf(files)["test"]?.[0]).toBe("pipenv install --dev --skip-lock");
  });

  test.each([
    [
      "requirements files",
      { "requirements.txt": "attrs\n", "requirements-dev.txt": "pytest==8\n" },
      ["-r requirements.txt -r requirements-dev.txt"],
    ],
    [
      "an extra",
      { "pyproject.toml": `${project}[project.optional-dependencies]\ntest = ["pytest", "hypothesis"]\n` },
      ["-e '.[test]'"],
    ],
    ["an extra of setup.py", { "setup.py": "setup(extras_require={'dev': ['pytest']})" }, ["-e '.[dev]'"]],
    [
      "an extra of setup.cfg",
      { "setup.py": "", "setup.cfg": "[options.extras_require]\ntest =\n    pytest\n" },
      ["-e '.[test]'"],
    ],
    [
      "a configured pytest that nothing names",
      { "pyproject.toml": `${project}[tool.pytest.ini_options]\n` },
      ["-e . pytest"],
    ],
    [
      "a requirements file that installs the project",
      { "setup.py": "", "requirements-dev.txt": "-e .\npytest\n" },
      ["-r requirements-dev.txt"],
    ],
  ])("is pip otherwise: with %s", (_, files, [what]) => {
    expect(commandsOf({ ...tests, ...files })).toEqual({
      test: ["python3 -m venv .venv", `.venv/bin/pip install ${what}`, ".venv/bin/python -m pytest"],
    });
    expect(sentences(find({ ...tests, ...files }).matches)[0]).toContain("there is no lock file");
  });

  test("upgrades pip for a dependency group, which older ones do not know", () => {
    const files = { ...tests, "pyproject.toml": `${project}[dependency-groups]\ndev = ["pytest"]\n` };
    expect(commandsOf(files)["test"]?.slice(1, 3)).toEqual([
      ".venv/bin/pip install --upgrade pip",
      ".venv/bin/pip install --group dev -e .",
    ]);
  });

  test("never makes a command of a strange name", () => {
    const text = `${project}[project.optional-dependencies]\n"a; rm -rf ~" = ["pytest"]\n[tool.pytest]\n`;
    expect(JSON.stringify(commandsOf({ ...tests, "pyproject.toml": text }))).not.toContain("rm -rf");
  });
});

describe("the tests of a Python repository", () => {
  const install = "python3 -m venv .venv";

  test("are run by tox or nox, which install the project themselves", () => {
    expect(commandsOf({ ...tests, "setup.py": "", "tox.ini": "[testenv]\ndeps = pytest\n" })["test"]).toEqual(
      [install, ".venv/bin/pip install tox", ".venv/bin/tox run -e py"],
    );
    expect(commandsOf({ ...tests, "setup.py": "", "noxfile.py": "" })["test"]).toEqual([
      install,
      ".venv/bin/pip install nox",
      ".venv/bin/nox --no-error-on-missing-interpreters",
    ]);
  });

  test("are run by Django", () => {
    const files = { "requirements.txt": "django\n", "manage.py": "", "shop/tests.py": "" };
    expect(commandsOf(files)["test"]?.at(-1)).toBe(".venv/bin/python manage.py test");
  });

  test.each([
    ["tests/test_cart.py", "python -m unittest discover -s tests"],
    ["test_cart.py", "python -m unittest discover"],
  ])("in %s are run by unittest when nothing declares a runner, and that is said", (path, command) => {
    const files = { "pyproject.toml": project, [path]: "" };
    expect(commandsOf(files)["test"]?.at(-1)).toBe(`.venv/bin/${command}`);
    expect(find(files).pipeline.steps[0]?.reason).toContain("nothing declares what runs it");
  });

  test("are not invented: a package is built, and nothing else is guessed", () => {
    expect(find({ "pyproject.toml": project }).pipeline.steps[0]).toMatchObject({
      name: "build",
      reason: expect.stringContaining("no tests found") as string,
    });
    expect(detect({ "requirements.txt": "attrs\n", "main.py": "" })).toEqual({
      kind: "nothing",
      rejected: [
        { ecosystem: "Python", signal: "requirements.txt", reason: "declares no test and has no test files" },
      ],
    });
  });

  test("go with a linter that is configured and installed", () => {
    const linted = `${project}[dependency-groups]\ndev = ["pytest", "ruff"]\n[tool.ruff]\nline-length = 100\n`;
    expect(commandsOf({ ...tests, "pyproject.toml": linted, "uv.lock": "" })["lint"]).toEqual([
      "uv sync --locked",
      "uv run ruff check .",
    ]);
    const unnamed = `${project}[dependency-groups]\ndev = ["pytest"]\n[tool.ruff.lint]\n`;
    expect(sentences(find({ ...tests, "pyproject.toml": unnamed, "uv.lock": "" }).rejected)).toEqual([
      "Python: pyproject.toml configures ruff, but the installed dependencies do not name it",
    ]);
  });
});
