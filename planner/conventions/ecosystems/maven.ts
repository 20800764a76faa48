/**
 * Maven: its wrapper where the repository brings one, and `verify`, which compiles, tests and checks.
 */

import { cacheOf, proposalOf } from "../convention.ts";
import type { Convention, Proposal, Repository } from "../convention.ts";

const signal = "pom.xml";

export const maven: Convention = {
  ecosystem: "Maven",
  slug: "maven",
  signals: [signal],
  toolchains: [
    {
      title: "Java",
      names: ["java"],
      files: [
        { file: ".java-version" },
        { file: signal, says: /<(?:maven\.compiler\.release|java\.version)>([^<$]+)</ },
      ],
    },
    { title: "Maven", names: ["maven"], files: [] },
  ],
  reads: [signal],
  propose,
};

function propose(repository: Repository): Proposal | undefined {
  if (!repository.has(signal)) return undefined;
  const wrapped = repository.has("mvnw") && repository.has(".mvn/wrapper/maven-wrapper.properties");
  const command = `${wrapped ? "./mvnw" : "mvn"} --batch-mode --no-transfer-progress verify`;
  const tests = repository.find(/(^|\/)src\/(test|it)\//);
  const task = { signal, command, reason: "describes a Maven project" };
  return proposalOf({
    standing: tests === undefined ? "untested" : "tested",
    because: tests === undefined ? "has no src/test" : "has tests",
    signal,
    projectName: artifact(repository.text(signal)),
    build: tests === undefined ? [task] : [],
    test: tests === undefined ? [] : [task],
    matches: wrapped
      ? [{ signal: "mvnw", reason: "brings the version of Maven along" }]
      : [{ signal, reason: "has no wrapper beside it, so the machine's own Maven is used" }],
    caches: cacheOf(
      repository,
      { name: "maven", paths: ["~/.m2/repository"] },
      { locks: [], otherwise: ["**/pom.xml"] },
    ),
  });
}

/** The project's own artifactId: the first outside comments and `<parent>`. */
function artifact(text: string): string | undefined {
  const own = without(without(text, "<!--", "-->"), "<parent>", "</parent>");
  return /<artifactId>\s*([^<\s]+)\s*<\/artifactId>/.exec(own)?.[1];
}

/** Cuts out everything between two marks; what is never closed is cut to the end. */
function without(text: string, open: string, close: string): string {
  const [first = "", ...rest] = text.split(open);
  const after = rest.map((part) => {
    const end = part.indexOf(close);
    return end === -1 ? "" : part.slice(end + close.length);
  });
  return [first, ...after].join("");
}
