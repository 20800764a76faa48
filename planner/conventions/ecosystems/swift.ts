/**
 * Swift packages, on whatever system the worker has; applications that only Xcode builds are not known.
 */

import { describe } from "../describe.ts";

const file = "Package.swift";

export const swift = describe({
  ecosystem: "Swift",
  slug: "swift",
  signals: [file],
  name: /\bPackage\(\s*name:\s*"([^"\n]+)"/,
  toolchains: [
    {
      title: "Swift",
      names: ["swift"],
      files: [{ file: ".swift-version" }, { file, says: /^\/\/\s*swift-tools-version:\s*([\d.]+)/m }],
    },
  ],
  lock: { files: ["Package.resolved"] },
  install: [
    {
      on: file,
      run: "swift package resolve",
      lockedRun: "swift package resolve --force-resolved-versions",
      reason: "names the dependencies",
    },
  ],
  caches: [{ name: "swift", paths: ["~/.cache/org.swift.swiftpm", "~/Library/Caches/org.swift.swiftpm"] }],
  lint: [
    {
      on: ".swift-format",
      run: "swift format lint --strict --recursive .",
      reason: "says how the code is formatted",
      needs: {
        on: [{ file, says: /^\/\/\s*swift-tools-version:\s*(?:[6-9]|\d\d)/m }],
        or: "only Swift 6 and later bring swift format, and Package.swift asks for less",
      },
    },
    {
      on: [".swiftlint.yml", ".swiftlint.yaml"],
      run: "swift package plugin --allow-writing-to-package-directory swiftlint --strict",
      reason: "configures SwiftLint",
      needs: { on: [{ file, says: /SwiftLintPlugins/ }], or: "Package.swift does not bring SwiftLint" },
    },
  ],
  build: [{ on: file, run: "swift build", reason: "describes a package" }],
  test: [
    { on: { file, says: /\.testTarget\(/ }, run: "swift test", reason: "declares a test target" },
    { on: /^Tests\/.*\.swift$/, run: "swift test", reason: "has tests", otherwise: true },
  ],
  untested: "declares no test target",
});
