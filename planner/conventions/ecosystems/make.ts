/**
 * Make: the targets `ci`, `test` and `check`. A Makefile beside another ecosystem is the pipeline only by its
 * target `ci`; alone, it is all there is. Where `configure` makes the Makefile, its template is read instead.
 */

import { proposalOf } from "../convention.ts";
import type { Convention, Proposal, Repository, Task } from "../convention.ts";
import { readMakefile } from "./makefile.ts";
import type { MakeTarget } from "./makefile.ts";

const makefiles = ["GNUmakefile", "makefile", "Makefile"];
const template = "Makefile.in";
/** What autoconf makes `configure` from. */
const generators = ["configure.ac", "configure.in"];

export const make: Convention = {
  ecosystem: "Make",
  slug: "make",
  signals: makefiles,
  isRunner: true,
  toolchains: [],
  reads: [template, ...makefiles],
  propose,
};

function propose(repository: Repository): Proposal | undefined {
  const script = repository.first(["configure", ...generators]);
  const isConfigured = script !== undefined && repository.has(template);
  const signal = isConfigured ? template : repository.first(makefiles);
  if (signal === undefined) return undefined;
  const targets = readMakefile(repository.text(signal));
  const target = ["test", "check", "tests"]
    .map((name) => targets.get(name))
    .find((found) => found !== undefined);
  const isTested = target !== undefined;
  const known = targets.has("ci") ? "ci" : target?.name;
  const build = findBuild(signal, targets, target);
  return proposalOf({
    // Without a known target it is not run: a first target may as well deploy as build.
    standing: isTested ? "fallback" : build.length > 0 ? "last" : "tooling",
    because: known === undefined ? 'declares none of the targets "ci", "test" and "check"' : declares(known),
    signal,
    projectName: undefined,
    install: isConfigured ? [...(script === "configure" ? [] : ["autoreconf --install"]), "./configure"] : [],
    entry: targets.has("ci") ? { signal, command: "make ci", reason: declares("ci") } : undefined,
    build,
    test: isTested ? [{ signal, command: `make ${target.name}`, reason: declares(target.name) }] : [],
    matches: isConfigured ? [{ signal: script, reason: "makes the Makefile" }] : [],
  });
}

/** A test target that names what it needs builds that itself; one that names nothing may expect it built. */
function findBuild(
  signal: string,
  targets: ReadonlyMap<string, MakeTarget>,
  test: MakeTarget | undefined,
): readonly Task[] {
  if (test !== undefined && (test.prerequisites.length > 0 || test.recipe.length === 0)) return [];
  const name = ["all", "build"].find((candidate) => targets.has(candidate));
  return name === undefined ? [] : [{ signal, command: `make ${name}`, reason: declares(name) }];
}

function declares(target: string): string {
  return `declares the target "${target}"`;
}
