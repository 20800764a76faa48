/**
 * A convention from a description: what shows the ecosystem, what installs, lints, builds and tests it under which
 * signs, and what is worth caching. An ecosystem that needs no decision of its own is data alone.
 *
 * In a command `{signal}` is the file that shows the ecosystem and `{path}` the one that the rule is about, quoted
 * where the shell would read them otherwise.
 */

import { cacheOf, proposalOf } from "./convention.ts";
import type { Convention, Proposal, Repository, Signal, Standing, Task, Toolchain } from "./convention.ts";

/**
 * A file that must be there: a path or `*.ext` at the root, of which the shortest counts, and what its text must say;
 * or an expression over all paths.
 */
export type Sign =
  | string
  | RegExp
  | { readonly file: string; readonly says: RegExp | ((text: string) => boolean) };

export type Rule = {
  /** Any of these; the first that is there is what the reason is about. */
  readonly on: Sign | readonly Sign[];
  readonly run: string | readonly string[];
  /** The same where there is a lock. */
  readonly lockedRun?: string | readonly string[];
  /** Goes on from the file: "configures PHPStan". After a pattern over all paths, the path is added to it. */
  readonly reason: string;
  /** What brings the program; without it the rule is set aside for this reason. */
  readonly needs?: { readonly on: readonly Sign[]; readonly or: string };
  /** Only when no rule before it holds. */
  readonly otherwise?: boolean;
  /** There are tests, but how they are to be run is not declared. */
  readonly isGuess?: boolean;
};

export type Description = {
  readonly ecosystem: string;
  readonly slug: string;
  /** At the root, the best first. */
  readonly signals: readonly Exclude<Sign, RegExp>[];
  /** Of these at the root the first alone is used. */
  readonly oneOf?: string;
  readonly isRunner?: boolean;
  /** The text of the signal, in which the first group is the project's name. */
  readonly name?: RegExp;
  readonly toolchains: readonly Toolchain[];
  /** A program that the repository brings along is used in place of the machine's. */
  readonly wrapper?: { readonly file: string; readonly program: string; readonly command: string };
  readonly lock:
    | { readonly files: readonly string[] }
    /** Why there is no lock, as it goes on from the signal. */
    | { readonly none: string };
  readonly install?: readonly Rule[];
  readonly variables?: Readonly<Record<string, string>>;
  readonly caches?: readonly { readonly name: string; readonly paths: readonly string[] }[];
  /** What the caches are keyed by where there is no lock. */
  readonly keys?: readonly string[];
  readonly entry?: readonly Rule[];
  readonly lint?: readonly Rule[];
  readonly build?: readonly Rule[];
  readonly test: readonly Rule[];
  /** What configures something that nothing in the repository brings. */
  readonly unused?: readonly { readonly on: string; readonly because: string }[];
  /** Said where no rule for tests holds: "has no test folder". */
  readonly untested: string;
  readonly standing?: { readonly tested: Standing; readonly untested: Standing };
};

export function describe(given: Description): Convention {
  const rules = [given.install, given.entry, given.lint, given.build, given.test].flatMap(
    (some) => some ?? [],
  );
  const signs = [...given.signals, ...rules.flatMap((rule) => [...signsOf(rule), ...(rule.needs?.on ?? [])])];
  const named = given.name === undefined ? [] : given.signals.map(fileOf);
  const read = [...signs.flatMap((sign) => (isSaying(sign) ? [sign.file] : [])), ...named];
  return {
    ecosystem: given.ecosystem,
    slug: given.slug,
    signals: [...new Set(given.signals.map(fileOf))],
    toolchains: given.toolchains,
    ...(given.isRunner === undefined ? {} : { isRunner: given.isRunner }),
    reads: read,
    propose: (repository) => propose(given, repository),
  };
}

function propose(given: Description, repository: Repository): Proposal | undefined {
  const signal = firstOf(repository, given.signals);
  if (signal === undefined) return undefined;
  const others =
    given.oneOf === undefined ? [] : repository.all([given.oneOf]).filter((path) => path !== signal);
  const rejected: Signal[] = [
    ...others.map((path) => ({
      signal: path,
      reason: `is not used: ${signal} speaks for ${given.ecosystem}`,
    })),
    ...(given.unused ?? []).flatMap(({ on, because }) =>
      repository.has(on) ? [{ signal: on, reason: `is not used: ${because}` }] : [],
    ),
  ];
  const isLocked = "files" in given.lock && repository.all(given.lock.files).length > 0;
  const apply = (rules: readonly Rule[] = []): readonly AppliedTask[] =>
    applyRules({ given, repository, signal, isLocked, rejected }, rules);
  const test = apply(given.test);
  const lint = apply(given.lint);
  const build = apply(given.build);
  const isTested = test.length > 0;
  const isGuess = test.every((task) => task.isGuess);
  const standing = given.standing ?? { tested: "tested", untested: "untested" };
  const isProject = isTested || build.length > 0 || lint.length > 0;
  return proposalOf({
    standing: isTested ? (isGuess ? "guessed" : standing.tested) : isProject ? standing.untested : "tooling",
    because: isTested ? (test[0]?.reason ?? "") : given.untested,
    signal,
    projectName: given.name === undefined ? undefined : given.name.exec(repository.text(signal))?.[1],
    install: apply(given.install).map(({ command }) => command),
    variables: given.variables ?? {},
    entry: apply(given.entry)[0],
    lint,
    build,
    test,
    matches: [...lockSignals(given, repository, signal), ...wrapperSignals(given, repository)],
    rejected,
    caches: (given.caches ?? []).flatMap((cache) =>
      cacheOf(repository, cache, {
        locks: "files" in given.lock ? given.lock.files : [],
        otherwise: given.keys ?? [signal],
      }),
    ),
  });
}

function lockSignals(given: Description, repository: Repository, signal: string): readonly Signal[] {
  if ("none" in given.lock) return [{ signal, reason: given.lock.none }];
  const [lock] = repository.all(given.lock.files);
  if (lock !== undefined) return [{ signal: lock, reason: "locks the dependencies" }];
  const [wanted] = given.lock.files;
  return [
    { signal, reason: `has no ${wanted ?? "lock file"} beside it, so versions may change from run to run` },
  ];
}

function wrapperSignals({ wrapper, ecosystem }: Description, repository: Repository): readonly Signal[] {
  if (wrapper === undefined || !repository.has(wrapper.file)) return [];
  return [{ signal: wrapper.file, reason: `brings ${ecosystem} along` }];
}

type AppliedTask = Task & { readonly isGuess: boolean };

type Around = {
  readonly given: Description;
  readonly repository: Repository;
  readonly signal: string;
  readonly isLocked: boolean;
  readonly rejected: Signal[];
};

function applyRules(around: Around, rules: readonly Rule[]): readonly AppliedTask[] {
  const { given, repository, signal, isLocked, rejected } = around;
  const tasks: AppliedTask[] = [];
  for (const rule of rules) {
    if (rule.otherwise === true && tasks.length > 0) continue;
    const sign = signsOf(rule).find((one) => firstOf(repository, [one]) !== undefined);
    const path = sign === undefined ? undefined : firstOf(repository, [sign]);
    if (sign === undefined || path === undefined) continue;
    if (rule.needs !== undefined && firstOf(repository, rule.needs.on) === undefined) {
      rejected.push({ signal: path, reason: `is not used: ${rule.needs.or}` });
      continue;
    }
    const isAnywhere = sign instanceof RegExp && path !== signal && path.includes("/");
    const said = isAnywhere
      ? { signal, reason: `${rule.reason}: ${path}` }
      : { signal: path, reason: rule.reason };
    const run = isLocked ? (rule.lockedRun ?? rule.run) : rule.run;
    const commands = typeof run === "string" ? [run] : run;
    for (const command of commands) {
      const filled = fill(wrapped(command, given, repository), { signal, path });
      tasks.push({ ...said, command: filled, isGuess: rule.isGuess === true });
    }
  }
  return tasks;
}

function wrapped(command: string, { wrapper }: Description, repository: Repository): string {
  if (wrapper === undefined || !repository.has(wrapper.file)) return command;
  const [program, ...rest] = command.split(" ");
  return program === wrapper.program ? [wrapper.command, ...rest].join(" ") : command;
}

function fill(command: string, names: { readonly signal: string; readonly path: string }): string {
  return command
    .replaceAll("{signal}", () => quoted(names.signal))
    .replaceAll("{path}", () => quoted(names.path));
}

/** A path as a word of the shell. */
function quoted(path: string): string {
  return /^[\w./@%+,:-]+$/.test(path) && !path.startsWith("-")
    ? path
    : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}

function signsOf({ on }: Rule): readonly Sign[] {
  return isList(on) ? on : [on];
}

function isList(on: Rule["on"]): on is readonly Sign[] {
  return Array.isArray(on);
}

function isSaying(sign: Sign): sign is Extract<Sign, { readonly says: unknown }> {
  return typeof sign === "object" && !(sign instanceof RegExp);
}

function fileOf(sign: Exclude<Sign, RegExp>): string {
  return typeof sign === "string" ? sign : sign.file;
}

/** The first path that one of the signs is about. */
function firstOf(repository: Repository, signs: readonly Sign[]): string | undefined {
  for (const sign of signs) {
    const path = pathOf(repository, sign);
    if (path !== undefined) return path;
  }
  return undefined;
}

function pathOf(repository: Repository, sign: Sign): string | undefined {
  if (sign instanceof RegExp) return repository.find(sign);
  const paths = repository.all([fileOf(sign)]).toSorted((one, other) => one.length - other.length);
  if (!isSaying(sign)) return paths[0];
  const { says } = sign;
  return paths.find((path) => {
    const text = repository.text(path);
    return says instanceof RegExp ? says.test(text) : says(text);
  });
}
