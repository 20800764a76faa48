/**
 * Haskell built by Cabal; `cabal.project.freeze` is the lock.
 */

import { describe } from "../describe.ts";

const packageFile = "*.cabal";
const signals = ["cabal.project", packageFile] as const;

export const cabal = describe({
  ecosystem: "Cabal",
  slug: "cabal",
  signals,
  toolchains: [
    {
      title: "GHC",
      names: ["haskell", "ghc"],
      files: [{ file: "cabal.project", says: /^with-compiler:[ \t]*(\S*\d\S*)/m }],
    },
    { title: "Cabal", names: ["cabal"], files: [] },
  ],
  lock: { files: ["cabal.project.freeze"] },
  install: [
    {
      on: signals,
      run: ["cabal update", "cabal build all --enable-tests --only-dependencies"],
      reason: "names the dependencies",
    },
  ],
  caches: [
    {
      name: "cabal",
      paths: ["~/.cabal/packages", "~/.cabal/store", "~/.cache/cabal/packages", "~/.local/state/cabal/store"],
    },
  ],
  keys: ["cabal.project", "**/*.cabal"],
  unused: [{ on: ".hlint.yaml", because: "nothing in the repository brings hlint" }],
  build: [{ on: signals, run: "cabal build all", reason: "describes what is built" }],
  test: [
    {
      on: [{ file: packageFile, says: /^test-suite\b/im }, /(^|\/)(tests?|spec)\/.*\.l?hs$/],
      run: "cabal test all",
      reason: "has tests",
    },
  ],
  untested: "has no test suite",
});
