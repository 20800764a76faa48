/**
 * Scala built by sbt, which has no lock file; formatted and linted by the plugins that the build names.
 */

import { describe } from "../describe.ts";

const plugins = "project/plugins.sbt";
const no = (plugin: string): string => `${plugins} does not name ${plugin}`;

export const sbt = describe({
  ecosystem: "sbt",
  slug: "sbt",
  signals: ["build.sbt"],
  name: /^[ \t]*(?:ThisBuild\s*\/\s*)?name\s*:=\s*"([^"\n]+)"/m,
  toolchains: [
    {
      title: "sbt",
      names: ["sbt"],
      files: [{ file: "project/build.properties", says: /^sbt\.version\s*=\s*(\S+)/m }],
    },
    {
      title: "Scala",
      names: ["scala"],
      files: [{ file: "build.sbt", says: /\bscalaVersion\s*:=\s*"([^"\n]+)"/ }],
    },
    { title: "Java", names: ["java"], files: [{ file: ".java-version" }] },
  ],
  lock: {
    none: "names the dependencies; sbt has no lock file, so versions are only as exact as they are written",
  },
  caches: [{ name: "sbt", paths: ["~/.sbt", "~/.ivy2/cache", "~/.cache/coursier"] }],
  keys: ["*.sbt", "project/*.sbt", "project/*.scala", "project/build.properties"],
  lint: [
    {
      on: ".scalafmt.conf",
      run: "sbt scalafmtCheckAll scalafmtSbtCheck",
      reason: "says how the code is formatted",
      needs: { on: [{ file: plugins, says: /sbt-scalafmt|sbt-typelevel/ }], or: no("sbt-scalafmt") },
    },
    {
      on: ".scalafix.conf",
      run: 'sbt "scalafixAll --check"',
      reason: "configures Scalafix",
      needs: { on: [{ file: plugins, says: /sbt-scalafix/ }], or: no("sbt-scalafix") },
    },
  ],
  test: [{ on: /(^|\/)src\/(test|it)\/|(^|\/)test\/.*\.scala$/, run: "sbt test", reason: "has tests" }],
  build: [{ on: "build.sbt", run: "sbt Test/compile", reason: "describes an sbt build" }],
  untested: "has no src/test",
});
