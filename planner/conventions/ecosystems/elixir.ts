/**
 * Elixir: mix, in the environment for tests, with the lock checked where there is one.
 */

import { describe } from "../describe.ts";

const file = "mix.exs";

export const elixir = describe({
  ecosystem: "Elixir",
  slug: "elixir",
  signals: [file],
  name: /\bapp:\s*:(\w+)/,
  toolchains: [
    { title: "Elixir", names: ["elixir"], files: [{ file, says: /\belixir:\s*"([^"\n]+)"/ }] },
    { title: "Erlang", names: ["erlang"], files: [] },
  ],
  lock: { files: ["mix.lock"] },
  install: [
    {
      on: file,
      run: ["mix local.hex --force --if-missing", "mix local.rebar --force --if-missing"],
      reason: "needs Hex and Rebar",
    },
    {
      on: file,
      run: "mix deps.get",
      lockedRun: "mix deps.get --check-locked",
      reason: "names the dependencies",
    },
  ],
  variables: { MIX_ENV: "test" },
  caches: [{ name: "mix", paths: ["deps", "~/.hex", "~/.mix"] }],
  entry: [{ on: { file, says: /^[ \t]*"?ci"?:\s*\[/m }, run: "mix ci", reason: 'declares the alias "ci"' }],
  lint: [
    { on: ".formatter.exs", run: "mix format --check-formatted", reason: "says how the code is formatted" },
    { on: { file, says: /\{:credo,/ }, run: "mix credo", reason: "depends on Credo" },
  ],
  build: [{ on: file, run: "mix compile", reason: "describes a project" }],
  test: [{ on: /(^|\/)test\/.*_test\.exs$/, run: "mix test", reason: "has tests" }],
  untested: "has no *_test.exs",
});
