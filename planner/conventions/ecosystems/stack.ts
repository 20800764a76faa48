/**
 * Haskell built by Stack: the snapshot and the lock decide the versions.
 */

import { describe } from "../describe.ts";

const file = "stack.yaml";
const locked = "stack --no-terminal --lock-file error-on-write";
const unlocked = "stack --no-terminal";

export const stack = describe({
  ecosystem: "Stack",
  slug: "stack",
  signals: [file],
  toolchains: [
    {
      title: "the snapshot of Haskell packages",
      names: [],
      files: [{ file, says: /^(?:resolver|snapshot):\s*["']?([\w.-]+)/m }],
    },
    { title: "Stack", names: ["stack"], files: [] },
  ],
  lock: { files: ["stack.yaml.lock"] },
  install: [
    {
      on: file,
      run: `${unlocked} test --only-dependencies`,
      lockedRun: `${locked} test --only-dependencies`,
      reason: "names the dependencies",
    },
  ],
  caches: [{ name: "stack", paths: ["~/.stack"] }],
  keys: [file, "package.yaml", "*.cabal"],
  unused: [{ on: ".hlint.yaml", because: "nothing in the repository brings hlint" }],
  build: [
    { on: file, run: `${unlocked} build`, lockedRun: `${locked} build`, reason: "describes a project" },
  ],
  test: [
    {
      on: [
        { file: "package.yaml", says: /^tests:/m },
        { file: "*.cabal", says: /^test-suite\b/im },
        /(^|\/)(tests?|spec)\/.*\.l?hs$/,
      ],
      run: `${unlocked} test`,
      lockedRun: `${locked} test`,
      reason: "has tests",
    },
  ],
  untested: "has no test suite",
});
