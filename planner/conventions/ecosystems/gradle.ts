/**
 * Gradle, with build files in Groovy or Kotlin: its wrapper where the repository brings one, and `build`, which
 * compiles, tests and checks.
 */

import { cacheOf, proposalOf } from "../convention.ts";
import type { Convention, Proposal, Repository, Signal } from "../convention.ts";

const buildFiles = ["build.gradle.kts", "build.gradle", "settings.gradle.kts", "settings.gradle"];

export const gradle: Convention = {
  ecosystem: "Gradle",
  slug: "gradle",
  signals: buildFiles,
  toolchains: [
    { title: "Java", names: ["java"], files: [{ file: ".java-version" }] },
    { title: "Gradle", names: ["gradle"], files: [] },
  ],
  reads: ["settings.gradle", "settings.gradle.kts"],
  propose,
};

function propose(repository: Repository): Proposal | undefined {
  const signal = repository.first(buildFiles);
  if (signal === undefined) return undefined;
  const rejected: Signal[] = [];
  const wrapper = findWrapper(repository, signal, rejected);
  // Everything a step started is ended with it, a daemon too; so none is started.
  const command = `${wrapper.program} --no-daemon build`;
  const tests = repository.find(/(^|\/)src\/[A-Za-z]*[tT]est[A-Za-z]*\//);
  const task = { signal, command, reason: "describes a Gradle build" };
  const settings = repository.first(["settings.gradle.kts", "settings.gradle"]);
  return proposalOf({
    standing: tests === undefined ? "untested" : "tested",
    because: tests === undefined ? "has no src/test" : "has tests",
    signal,
    projectName: settings === undefined ? undefined : rootName(repository.text(settings)),
    build: tests === undefined ? [task] : [],
    test: tests === undefined ? [] : [task],
    matches: [wrapper.match],
    rejected,
    caches: cacheOf(
      repository,
      { name: "gradle", paths: ["~/.gradle/caches", "~/.gradle/wrapper"] },
      {
        locks: [],
        otherwise: [
          "**/*.gradle",
          "**/*.gradle.kts",
          "gradle/*.toml",
          "gradle/wrapper/gradle-wrapper.properties",
          "**/gradle.lockfile",
        ],
      },
    ),
  });
}

function findWrapper(
  repository: Repository,
  signal: string,
  rejected: Signal[],
): { program: string; match: Signal } {
  const isComplete = repository.has("gradle/wrapper/gradle-wrapper.jar");
  if (repository.has("gradlew") && isComplete) {
    return {
      program: "./gradlew",
      match: { signal: "gradlew", reason: "brings the version of Gradle along" },
    };
  }
  if (repository.has("gradlew")) {
    rejected.push({ signal: "gradlew", reason: "is not used: gradle/wrapper/gradle-wrapper.jar is missing" });
  }
  const reason = "has no complete wrapper beside it, so the machine's own Gradle is used";
  return { program: "gradle", match: { signal, reason } };
}

function rootName(text: string): string | undefined {
  return /rootProject\.name\s*=\s*["']([^"']+)["']/.exec(text)?.[1];
}
