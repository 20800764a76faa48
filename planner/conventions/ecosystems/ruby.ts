/**
 * Ruby and Rails: bundler installs; the default rake task, rspec, minitest or `rails test` test.
 */

import { cacheOf, proposalOf } from "../convention.ts";
import type { Convention, Cover, Proposal, Repository, Signal, Task } from "../convention.ts";

const ecosystem = "Ruby";
const gemfiles = ["Gemfile", "gems.rb"];
const locks = ["Gemfile.lock", "gems.locked"];
/** Plain names only: the name becomes part of a command. */
const plainName = /^[\w.-]+$/;
const rakefiles = ["Rakefile", "rakefile", "Rakefile.rb"];

export const ruby: Convention = {
  ecosystem,
  slug: "ruby",
  signals: [...gemfiles, "*.gemspec", ...rakefiles],
  toolchains: [
    {
      title: "Ruby",
      names: ["ruby"],
      files: [
        { file: ".ruby-version" },
        ...gemfiles.map((file) => ({ file, says: /^[ \t]*ruby[ \t(]+["']([^"'\n]+)["']/m })),
      ],
    },
  ],
  reads: [...gemfiles, ...locks, ...rakefiles, "*.gemspec"],
  propose,
};

/** A package.json without tests of its own is there for the assets, which the tests of Rails need. */
const assets: Cover = {
  ecosystem: "Node",
  reason: "builds the assets of Rails",
  evenIfTested: false,
  installs: true,
};

/** What the files say, gathered once. */
type Project = {
  readonly gemfile: string | undefined;
  readonly lock: string | undefined;
  readonly gemspec: string | undefined;
  readonly rakefile: string | undefined;
  readonly isRails: boolean;
  /** All that names gems: Gemfile, lock and gemspec in one text. */
  readonly gems: string;
};

function propose(repository: Repository): Proposal | undefined {
  const project = lookAt(repository);
  const signal = project.gemfile ?? project.gemspec ?? project.rakefile;
  if (signal === undefined) return undefined;

  const rejected: Signal[] = [];
  const declared = project.isRails
    ? testRails(repository, project)
    : testByRake(repository, project, rejected);
  const test = declared.length > 0 || project.isRails ? declared : testByFolder(repository, project);
  const lint = findLint(repository, project, rejected);
  const build = test.length > 0 ? [] : findBuild(repository, project);
  const isRunner = project.gemfile === undefined && project.gemspec === undefined;
  const isDeclared = declared.length > 0 || /\brspec/.test(project.gems);
  return proposalOf({
    // Without gems a Rakefile is a task runner, whatever it is that it builds.
    standing:
      isRunner && test.length > 0
        ? "fallback"
        : test.length > 0
          ? isDeclared
            ? "tested"
            : "guessed"
          : build.length > 0
            ? "untested"
            : "tooling",
    because: reasonAside(test, isDeclared),
    signal,
    projectName: project.gemspec?.replace(/\.gemspec$/, ""),
    install: project.gemfile === undefined ? [] : ["bundle install"],
    variables: bundlerVariables(project),
    stepVariables: project.isRails ? { RAILS_ENV: "test" } : {},
    covers: project.isRails ? [assets] : [],
    lint,
    build,
    test,
    matches: project.gemfile === undefined ? [] : [lockSignal(project, project.gemfile)],
    rejected,
    caches: cacheOf(
      repository,
      { name: "gems", paths: ["vendor/bundle"] },
      { locks, otherwise: [...gemfiles, "*.gemspec"] },
    ).filter(() => project.gemfile !== undefined),
  });
}

function lookAt(repository: Repository): Project {
  const gemfile = repository.first(gemfiles);
  const lock = repository.first(locks);
  const gemspec = repository.all(["*.gemspec"]).find((path) => plainName.test(path));
  const named = [gemfile, lock, gemspec].filter((path) => path !== undefined);
  return {
    gemfile,
    lock,
    gemspec,
    rakefile: repository.first(rakefiles),
    isRails: repository.has("config/application.rb") && gemfile !== undefined,
    gems: named.map((path) => repository.text(path)).join("\n"),
  };
}

function lockSignal(project: Project, gemfile: string): Signal {
  if (project.lock !== undefined)
    return { signal: project.lock, reason: "locks the gems, installed by bundler" };
  return {
    signal: gemfile,
    reason: "names gems; there is no lock file, so versions may change from run to run",
  };
}

/** Gems go into the workspace; with a lock, bundler refuses to change it. */
function bundlerVariables(project: Project): Readonly<Record<string, string>> {
  if (project.gemfile === undefined) return {};
  const locked = project.lock === undefined ? {} : { BUNDLE_DEPLOYMENT: "true" };
  return { ...locked, BUNDLE_PATH: "vendor/bundle" };
}

function testRails(repository: Repository, project: Project): readonly Task[] {
  const specs = repository.find(/^spec\/.*_spec\.rb$/);
  const tests = repository.find(/^test\/.*_test\.rb$/);
  const tasks: Task[] = [];
  if (tests !== undefined)
    tasks.push({ signal: "test/", command: `${rails(repository)} test`, reason: `has ${tests}` });
  if (specs !== undefined && /\brspec/.test(project.gems)) {
    tasks.push({ signal: "spec/", command: "bundle exec rspec", reason: `has ${specs}` });
  }
  if (tasks.length > 0 && repository.has("config/database.yml")) {
    const reason = "describes a database, made ready for the tests";
    tasks.unshift({ signal: "config/database.yml", command: `${rails(repository)} db:test:prepare`, reason });
  }
  return tasks;
}

/** The default rake task when it tests, then a rake task for tests. */
function testByRake(repository: Repository, project: Project, rejected: Signal[]): readonly Task[] {
  const { rakefile } = project;
  if (rakefile === undefined) return [];
  const rake = repository.text(rakefile);
  const byDefault = defaultTasks(rake);
  if (byDefault.some((name) => /(^|[_:-])(ci|tests?|specs?|check)($|[_:-])/.test(name))) {
    const reason = `tests by default: ${byDefault.join(", ")}`;
    return [{ signal: rakefile, command: `${bundled(project)}rake`, reason }];
  }
  const task = rakeTask(rake);
  if (task !== undefined) {
    const command = `${bundled(project)}rake ${task}`;
    return [{ signal: rakefile, command, reason: `declares the task "${task}"` }];
  }
  rejected.push({ signal: rakefile, reason: "declares no task for tests" });
  return [];
}

/** What the folders show when nothing declares how to run it. */
function testByFolder(repository: Repository, project: Project): readonly Task[] {
  const specs = repository.find(/^spec\/.*_spec\.rb$/);
  if (specs !== undefined) {
    return [{ signal: "spec/", command: `${bundled(project)}rspec`, reason: `has ${specs}` }];
  }
  const tests = repository.find(/^test\/(.*_test|(.*\/)?test_[^/]*)\.rb$/);
  if (tests === undefined) return [];
  const each = `Dir["./test/**/{*_test,test_*}.rb"].sort.each { |file| require file }`;
  const command = `${bundled(project)}ruby -Ilib -Itest -e '${each}'`;
  return [{ signal: "test/", command, reason: `has ${tests}` }];
}

function findBuild(repository: Repository, project: Project): readonly Task[] {
  if (project.isRails) {
    const reason = "describes a Rails application, whose files can be loaded";
    return [{ signal: "config/application.rb", command: `${rails(repository)} zeitwerk:check`, reason }];
  }
  const { gemspec } = project;
  return gemspec === undefined
    ? []
    : [{ signal: gemspec, command: `gem build ${gemspec}`, reason: "describes a gem" }];
}

function reasonAside(test: readonly Task[], isDeclared: boolean): string {
  const [first] = test;
  if (first === undefined) return "has neither specs, tests nor a rake task for them";
  return isDeclared ? "declares how to test" : `declares no test, though ${first.signal} ${first.reason}`;
}

function bundled(project: Project): string {
  return project.gemfile === undefined ? "" : "bundle exec ";
}

function rails(repository: Repository): string {
  return repository.has("bin/rails") ? "bin/rails" : "bundle exec rails";
}

/** `task default: :test`, `task :default => [:spec, :rubocop]`, `task default: %i[test rubocop]`. */
function defaultTasks(rake: string): readonly string[] {
  const line =
    /^[ \t]*task[ \t(]+(?::default\s*=>|:?["']?default["']?\s*(?::|=>))\s*(.+)$/m.exec(rake)?.[1] ?? "";
  const list = line.replace(/\bdo\b.*$|#.*$/, "").replace(/^%[iwIW]/, "");
  return [...list.matchAll(/[A-Za-z_][\w:-]*/g)].map((match) => match[0]);
}

function rakeTask(rake: string): string | undefined {
  const declared = /^[ \t]*(?:multi)?task[ \t(]+:?["']?(ci|test|spec)["']?\b/m.exec(rake)?.[1];
  if (declared !== undefined) return declared;
  if (/\b(Rake::TestTask|Minitest::TestTask|Hoe\.spec)\b/.test(rake)) return "test";
  return /\bRSpec::Core::RakeTask\b/.test(rake) ? "spec" : undefined;
}

function findLint(repository: Repository, project: Project, rejected: Signal[]): readonly Task[] {
  const linters = [
    { file: ".rubocop.yml", gem: "rubocop", binstub: "bin/rubocop", task: "rubocop" },
    { file: ".standard.yml", gem: "standard", binstub: "bin/standardrb", task: "standardrb" },
  ];
  const byDefault = project.rakefile === undefined ? [] : defaultTasks(repository.text(project.rakefile));
  for (const linter of linters) {
    if (!repository.has(linter.file)) continue;
    if (!new RegExp(`["' ]${linter.gem}\\b`).test(project.gems)) {
      rejected.push({ signal: linter.file, reason: `is not used: no Gemfile names the gem ${linter.gem}` });
    } else if (byDefault.some((name) => name.startsWith(linter.gem)) && !project.isRails) {
      rejected.push({ signal: linter.file, reason: "is checked by the default rake task already" });
    } else {
      const command = repository.has(linter.binstub) ? linter.binstub : `bundle exec ${linter.task}`;
      return [{ signal: linter.file, command, reason: `configures ${linter.gem}` }];
    }
  }
  return [];
}
