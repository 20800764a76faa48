/**
 * Scala, Java or Kotlin built by Mill, by its own bootstrap script where the repository brings one.
 */

import { describe } from "../describe.ts";

const files = ["build.mill", "build.mill.yaml", "build.sc"];

export const mill = describe({
  ecosystem: "Mill",
  slug: "mill",
  signals: files,
  toolchains: [
    {
      title: "Mill",
      names: ["mill"],
      files: [
        { file: ".mill-version" },
        { file: ".config/mill-version" },
        { file: "build.mill", says: /^\/\/\|\s*mill-version:\s*(\S+)/m },
      ],
    },
    { title: "Java", names: ["java"], files: [{ file: ".java-version" }] },
  ],
  wrapper: { file: "mill", program: "mill", command: "./mill" },
  lock: {
    none: "names the dependencies; Mill has no lock file, so versions are only as exact as they are written",
  },
  caches: [{ name: "mill", paths: ["~/.cache/coursier", "~/.cache/mill"] }],
  keys: [...files, "**/package.mill"],
  lint: [
    {
      on: ".scalafmt.conf",
      run: "mill mill.scalalib.scalafmt.ScalafmtModule/checkFormatAll",
      reason: "says how the code is formatted",
    },
  ],
  build: [{ on: files, run: "mill __.compile", reason: "describes a Mill build" }],
  test: [{ on: /(^|\/)test\/.*\.(scala|java|kt)$/, run: "mill __.test", reason: "has tests" }],
  untested: "has no folder test",
});
