/**
 * Go: the go command builds, vets and tests; `go.sum` is the lock.
 */

import { cacheOf, proposalOf } from "../convention.ts";
import type { Convention, Proposal, Repository, Signal, Task } from "../convention.ts";

export const go: Convention = {
  ecosystem: "Go",
  slug: "go",
  signals: ["go.mod", "go.work"],
  toolchains: [
    {
      title: "Go",
      names: ["go", "golang"],
      files: [
        { file: "go.mod", says: /^go[ \t]+(\S+)/m },
        { file: "go.work", says: /^go[ \t]+(\S+)/m },
        { file: ".go-version" },
      ],
    },
  ],
  reads: ["go.mod", "go.work"],
  propose,
};

const linterConfigurations = [".golangci.yml", ".golangci.yaml", ".golangci.toml", ".golangci.json"];

function propose(repository: Repository): Proposal | undefined {
  const signal = repository.first(["go.work", "go.mod"]);
  if (signal === undefined) return undefined;
  const rejected: Signal[] = [];
  // In a workspace `./...` would be the root's module alone, or nothing.
  const isWorkspace = repository.has("go.work");
  const packages = isWorkspace ? "$(go list -m -f '{{.Dir}}/...')" : "./...";
  const tests = repository.find(/_test\.go$/);
  const test =
    tests === undefined ? [] : [{ signal, command: `go test ${packages}`, reason: `has tests: ${tests}` }];
  return proposalOf({
    standing: tests === undefined ? "untested" : "tested",
    because: tests === undefined ? "has no *_test.go" : "has tests",
    signal,
    projectName: moduleName(repository.text("go.mod")),
    lint: findLint(repository, rejected),
    build: [
      {
        signal,
        command: `go build ${packages}`,
        reason: isWorkspace ? "describes a workspace" : "describes a module",
      },
      { signal, command: `go vet ${packages}`, reason: "comes with a vet" },
    ],
    test,
    matches: [lockSignal(repository, signal)],
    rejected,
    caches: cacheOf(
      repository,
      { name: "go", paths: ["~/go/pkg/mod", "~/.cache/go-build"] },
      { locks: ["go.sum", "go.work.sum"], otherwise: ["go.mod", "go.work"] },
    ),
  });
}

function lockSignal(repository: Repository, signal: string): Signal {
  if (repository.has("vendor/modules.txt"))
    return { signal: "vendor/", reason: "brings the dependencies along" };
  if (repository.has("go.sum")) return { signal: "go.sum", reason: "locks the dependencies" };
  if (signal === "go.work") {
    const [sum] = repository.all(["go.work.sum", "**/go.sum"]);
    if (sum !== undefined) return { signal: sum, reason: "locks the dependencies" };
  }
  if (!/^[ \t]*require\b/m.test(repository.text(signal)))
    return { signal, reason: "requires no other module" };
  return { signal, reason: "has no go.sum beside it, so nothing vouches for the dependencies" };
}

function findLint(repository: Repository, rejected: Signal[]): readonly Task[] {
  const configuration = repository.first(linterConfigurations);
  if (configuration === undefined) return [];
  if (/^[ \t]*(tool[ \t]+)?\S*golangci-lint\S*$/m.test(repository.text("go.mod"))) {
    return [
      { signal: configuration, command: "go tool golangci-lint run", reason: "configures golangci-lint" },
    ];
  }
  const reason = "is not used: go.mod names no tool golangci-lint, so nothing in the repository brings it";
  rejected.push({ signal: configuration, reason });
  return [];
}

function moduleName(text: string): string | undefined {
  const path = /^module\s+"?([^\s"]+)/m.exec(text)?.[1];
  return path
    ?.replace(/\/v\d+$/, "")
    .split("/")
    .at(-1);
}
