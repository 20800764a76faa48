/**
 * Julia: Pkg installs what `Manifest.toml` locks, or resolves `Project.toml` anew, and runs the tests of a package.
 */

import { describe } from "../describe.ts";

const file = "Project.toml";
const isPackage = { file, says: /^uuid\s*=/m } as const;

export const julia = describe({
  ecosystem: "Julia",
  slug: "julia",
  signals: [isPackage, { file, says: /^\[(deps|compat)\]/m }],
  name: /^name\s*=\s*"([^"\n]+)"/m,
  toolchains: [
    {
      title: "Julia",
      names: ["julia"],
      files: [
        { file, says: /^julia\s*=\s*"([^"\n]+)"/m },
        { file: "Manifest.toml", says: /^julia_version\s*=\s*"([^"\n]+)"/m },
      ],
    },
  ],
  lock: { files: ["Manifest.toml"] },
  install: [
    {
      on: file,
      run: "julia --project=. -e 'using Pkg; Pkg.instantiate()'",
      reason: "names the dependencies",
    },
  ],
  caches: [{ name: "julia", paths: ["~/.julia"] }],
  unused: [{ on: ".JuliaFormatter.toml", because: "nothing in the repository brings JuliaFormatter" }],
  build: [
    {
      on: file,
      run: "julia --project=. -e 'using Pkg; Pkg.precompile()'",
      reason: "describes an environment",
    },
  ],
  test: [
    {
      on: "test/runtests.jl",
      run: "julia --project=. -e 'using Pkg; Pkg.test()'",
      reason: "is what Pkg runs as the tests",
      needs: { on: [isPackage], or: "Project.toml describes no package, as it has no uuid" },
    },
  ],
  untested: "has no test/runtests.jl",
});
