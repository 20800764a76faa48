/**
 * Clojure built by Leiningen, which has no lock file.
 */

import { describe } from "../describe.ts";

const file = "project.clj";

export const leiningen = describe({
  ecosystem: "Leiningen",
  slug: "leiningen",
  signals: [file],
  name: /\(defproject\s+([\w./-]+)/,
  toolchains: [
    { title: "Leiningen", names: ["lein", "leiningen"], files: [] },
    { title: "Java", names: ["java"], files: [{ file: ".java-version" }] },
  ],
  lock: {
    none: "names the dependencies; Leiningen has no lock file, so versions are only as exact as they are written",
  },
  install: [{ on: file, run: "lein deps", reason: "names the dependencies" }],
  caches: [{ name: "maven", paths: ["~/.m2/repository"] }],
  entry: [{ on: { file, says: /"ci"\s*\[/ }, run: "lein ci", reason: 'declares the alias "ci"' }],
  lint: [
    {
      on: { file, says: /\blein-cljfmt\b/ },
      run: "lein cljfmt check",
      reason: "names the plugin lein-cljfmt",
    },
    {
      on: { file, says: /\blein-eastwood\b|jonase\/eastwood/ },
      run: "lein eastwood",
      reason: "names the plugin eastwood",
    },
  ],
  build: [{ on: file, run: "lein compile", reason: "describes a project" }],
  test: [
    { on: { file, says: /"test"\s*\[/ }, run: "lein test", reason: 'declares the alias "test"' },
    {
      on: { file, says: /\blein-sub\b/ },
      run: "lein sub test",
      reason: "names the plugin lein-sub",
      otherwise: true,
    },
    { on: /^(src\/)?tests?\/.*\.clj[cs]?$/, run: "lein test", reason: "has tests", otherwise: true },
  ],
  untested: "has no test folder",
});
