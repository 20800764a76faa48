/**
 * Bazel: every test target. Beside an ecosystem that is tested by itself, its files describe the same sources again.
 */

import { describe } from "../describe.ts";

const signals = ["MODULE.bazel", "WORKSPACE.bazel", "WORKSPACE"];
const flags = '--disk_cache="$HOME/.cache/bazel-disk" --repository_cache="$HOME/.cache/bazel-repository"';

export const bazel = describe({
  ecosystem: "Bazel",
  slug: "bazel",
  signals,
  isRunner: true,
  name: /\b(?:module|workspace)\s*\(\s*name\s*=\s*"([^"\n]+)"/,
  toolchains: [{ title: "Bazel", names: ["bazel", "bazelisk"], files: [{ file: ".bazelversion" }] }],
  lock: { files: ["MODULE.bazel.lock"] },
  caches: [{ name: "bazel", paths: ["~/.cache/bazel-disk", "~/.cache/bazel-repository"] }],
  build: [],
  test: [
    {
      on: /(^|\/)[^/]*(tests?|_spec)\b[^/]*$|_test\.[a-z]+$/,
      run: `bazel test ${flags} //...`,
      lockedRun: `bazel test --lockfile_mode=error ${flags} //...`,
      reason: "describes a build, which has tests",
    },
  ],
  untested: "has nothing that looks like a test",
  standing: { tested: "fallback", untested: "last" },
});
