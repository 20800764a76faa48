/**
 * Clojure by its own command: what `build.clj` or the aliases of `deps.edn` declare for tests. An alias that only
 * adds paths does not say how the tests are run, so it counts for nothing.
 */

import { describe } from "../describe.ts";

const file = "deps.edn";
const exec = (alias: string) => (text: string) => aliasOf(text, alias).includes(":exec-fn");
const main = (alias: string) => (text: string) => aliasOf(text, alias).includes(":main-opts");

export const clojure = describe({
  ecosystem: "Clojure",
  slug: "clojure",
  signals: [file],
  toolchains: [
    { title: "Clojure", names: ["clojure"], files: [] },
    { title: "Java", names: ["java"], files: [{ file: ".java-version" }] },
  ],
  lock: {
    none: "names the dependencies; deps.edn has no lock file, so versions are only as exact as they are written",
  },
  install: [{ on: file, run: "clojure -P", reason: "names the dependencies" }],
  caches: [{ name: "clojure", paths: ["~/.m2/repository", "~/.gitlibs"] }],
  entry: [
    {
      on: { file: "build.clj", says: /^\(defn ci\b/m },
      run: "clojure -T:build ci",
      reason: 'declares the function "ci"',
      needs: {
        on: [{ file, says: (text) => aliasOf(text, "build") !== "" }],
        or: "deps.edn has no alias :build",
      },
    },
  ],
  test: [
    {
      on: { file, says: exec("test") },
      run: "clojure -X:test",
      reason: "declares the alias :test with a function",
    },
    {
      on: { file, says: main("test") },
      run: "clojure -M:test",
      reason: "declares the alias :test with a program",
      otherwise: true,
    },
    { on: "bin/kaocha", run: "bin/kaocha", reason: "runs the tests", otherwise: true },
    {
      on: { file: "build.clj", says: /^\(defn test\b/m },
      run: "clojure -T:build test",
      reason: 'declares the function "test"',
      otherwise: true,
    },
    {
      on: { file, says: main("kaocha") },
      run: "clojure -M:kaocha",
      reason: "declares the alias :kaocha with a program",
      otherwise: true,
    },
  ],
  untested: "declares no alias that runs tests",
});

/** What is in the braces after `:name` in `deps.edn`; empty when there are none. */
function aliasOf(text: string, name: string): string {
  const start = new RegExp(`:${name}[\\s,]*\\{`).exec(text);
  if (start === null) return "";
  const from = start.index + start[0].length;
  let depth = 1;
  for (let index = from; index < text.length; index += 1) {
    if (text[index] === "{") depth += 1;
    if (text[index] === "}") depth -= 1;
    if (depth === 0) return text.slice(from, index) || " ";
  }
  return "";
}
