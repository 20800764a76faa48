/**
 * Files that show an ecosystem which this version of the detector does not know, or a project in a subfolder.
 * They never make a step; they are named so that nobody wonders whether they were seen.
 */

import type { Match } from "./convention.ts";

const unknown: readonly (readonly [file: RegExp, ecosystem: string])[] = [
  [/^CMakeLists\.txt$/, "CMake"],
  [/^meson\.build$/, "Meson"],
  [/^configure\.ac$/, "Autotools"],
  [/^build\.sbt$/, "Scala"],
  [/^(project\.clj|deps\.edn)$/, "Clojure"],
  [/^[^/]+\.(sln|slnx|csproj|fsproj)$/, ".NET"],
  [/^composer\.json$/, "PHP"],
  [/^mix\.exs$/, "Elixir"],
  [/^rebar\.config$/, "Erlang"],
  [/^gleam\.toml$/, "Gleam"],
  [/^(stack\.yaml|cabal\.project|[^/]+\.cabal)$/, "Haskell"],
  [/^Package\.swift$/, "Swift"],
  [/^pubspec\.yaml$/, "Dart"],
  [/^shard\.yml$/, "Crystal"],
  [/^build\.zig$/, "Zig"],
  [/^deno\.jsonc?$/, "Deno"],
  [/^(cpanfile|Makefile\.PL|Build\.PL)$/, "Perl"],
  [/^dune-project$/, "OCaml"],
  [/^Project\.toml$/, "Julia"],
  [/^flake\.nix$/, "Nix"],
  [/^(MODULE\.bazel|WORKSPACE)$/, "Bazel"],
  [/^[Jj]ustfile$/, "just"],
  [/^Taskfile\.ya?ml$/, "Task"],
];

const nested =
  /^.+\/(package\.json|Gemfile|pyproject\.toml|go\.mod|Cargo\.toml|pom\.xml|build\.gradle(\.kts)?|Makefile)$/;

export function otherSignals(paths: readonly string[]): readonly Match[] {
  const unsupported = unknown.flatMap(([file, ecosystem]): Match[] => {
    const signal = paths.find((path) => file.test(path));
    return signal === undefined
      ? []
      : [{ ecosystem, signal, reason: "is not known to this version of Otto" }];
  });
  const [below, ...more] = paths.filter((path) => nested.test(path));
  if (below === undefined) return unsupported;
  const others =
    more.length === 0 ? "" : more.length === 1 ? ", as is 1 more" : `, as are ${more.length} more`;
  const reason = `is in a subfolder${others}; only the root decides`;
  return [...unsupported, { ecosystem: "Repository", signal: below, reason }];
}
