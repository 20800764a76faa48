/**
 * Every ecosystem that is known, in the order in which they are named when several count. Of task runners that
 * would do the same the first is taken.
 */

import type { Convention } from "./convention.ts";
import { autotools } from "./ecosystems/autotools.ts";
import { bazel } from "./ecosystems/bazel.ts";
import { cabal } from "./ecosystems/cabal.ts";
import { clojure } from "./ecosystems/clojure.ts";
import { cmake } from "./ecosystems/cmake.ts";
import { crystal } from "./ecosystems/crystal.ts";
import { dart, flutter } from "./ecosystems/dart.ts";
import { deno } from "./ecosystems/deno.ts";
import { dotnet } from "./ecosystems/dotnet.ts";
import { elixir } from "./ecosystems/elixir.ts";
import { erlang } from "./ecosystems/erlang.ts";
import { gleam } from "./ecosystems/gleam.ts";
import { go } from "./ecosystems/go.ts";
import { gradle } from "./ecosystems/gradle.ts";
import { julia } from "./ecosystems/julia.ts";
import { leiningen } from "./ecosystems/leiningen.ts";
import { make } from "./ecosystems/make.ts";
import { maven } from "./ecosystems/maven.ts";
import { meson } from "./ecosystems/meson.ts";
import { mill } from "./ecosystems/mill.ts";
import { nix } from "./ecosystems/nix.ts";
import { node } from "./ecosystems/node.ts";
import { ocaml } from "./ecosystems/ocaml.ts";
import { perl } from "./ecosystems/perl.ts";
import { php } from "./ecosystems/php.ts";
import { python } from "./ecosystems/python.ts";
import { r } from "./ecosystems/r.ts";
import { ruby } from "./ecosystems/ruby.ts";
import { rust } from "./ecosystems/rust.ts";
import { sbt } from "./ecosystems/sbt.ts";
import { stack } from "./ecosystems/stack.ts";
import { swift } from "./ecosystems/swift.ts";
import { just, mise, task } from "./ecosystems/task-runners.ts";
import { zig } from "./ecosystems/zig.ts";

export const conventions: readonly Convention[] = [
  node,
  deno,
  ruby,
  python,
  go,
  rust,
  maven,
  gradle,
  sbt,
  mill,
  leiningen,
  clojure,
  dotnet,
  php,
  elixir,
  erlang,
  gleam,
  stack,
  cabal,
  swift,
  dart,
  flutter,
  crystal,
  zig,
  cmake,
  meson,
  autotools,
  perl,
  r,
  julia,
  ocaml,
  just,
  task,
  mise,
  make,
  bazel,
  nix,
];

/** Tools that build the same sources: with several at the root one is chosen, the first unless another declares more. */
export const alternatives: readonly (readonly string[])[] = [
  ["Maven", "Gradle", "sbt", "Mill"],
  ["Leiningen", "Clojure"],
  ["Stack", "Cabal"],
  ["Swift", "CMake"],
  ["CMake", "Meson", "Autotools", "Zig"],
];
