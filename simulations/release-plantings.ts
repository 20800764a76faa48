/** Mistakes to plant in what goes between two domains: releases, outcomes, who signs them (`plantings.ts`). */

import type { Planting } from "./planted.ts";

const release = "protocol/release.ts";
const releases = "node/core/releases.ts";
const released = "node/core/released.ts";

const caughtBy = ["releases"];

export const releasePlantings: readonly Planting[] = [
  {
    name: "a release is one control peer's word",
    edits: [
      {
        file: release,
        find: 'openQuorum(release, { kind: "release", signedMs }, from.value, keys)',
        replace: 'openQuorum(release, { kind: "release", signedMs }, { ...from.value, size: 1 }, keys)',
      },
    ],
    caughtBy,
    firstSeed: 114,
    seedsMax: 60,
    every: 32,
  },
  {
    name: "an outcome is one control peer's word",
    edits: [
      {
        file: release,
        find: 'openQuorum(quorum, { kind: "outcome", signedMs: () => null }, from.value, keys)',
        replace:
          'openQuorum(quorum, { kind: "outcome", signedMs: () => null }, { ...from.value, size: 1 }, keys)',
      },
    ],
    caughtBy,
    firstSeed: 978,
    seedsMax: 60,
    every: 32,
  },
  {
    name: "the outcome of one step settles another",
    edits: [
      {
        file: releases,
        find: 'if (!isOfIt) return "it is the outcome of something else";',
        replace: "void isOfIt;",
      },
    ],
    caughtBy,
    firstSeed: 24_402,
    seedsMax: 100,
    every: 32,
  },
  {
    name: "a released step has passed however it ended",
    edits: [
      {
        file: released,
        find: 'const outcome = value.outcome === "passed" || value.outcome === "timed-out" ? value.outcome : "failed";',
        replace: 'const outcome = value.outcome === "timed-out" ? value.outcome : "passed";',
      },
    ],
    caughtBy,
    firstSeed: 178,
    seedsMax: 40,
    every: 32,
  },
  {
    name: "a release says that all has passed before it",
    edits: [
      {
        file: released,
        find: 'for (const name of before) outcomes[name] = run.outcomeOf(name) ?? "";',
        replace: 'for (const name of before) outcomes[name] = "passed";',
      },
    ],
    caughtBy,
    firstSeed: 178,
    seedsMax: 40,
    every: 32,
  },
  {
    name: "a release hands over what a step has not made",
    edits: [
      {
        file: released,
        find: "inputs: inputs.map(({ name, tree }) => ({ name, tree })),",
        replace:
          "inputs: inputs.map(({ name }) => ({ name, tree: manifest.slice(-8).padEnd(64, '0').replace(/[^0-9a-f]/g, '0') })),",
      },
    ],
    caughtBy,
    firstSeed: 18,
    seedsMax: 60,
    every: 32,
  },
  {
    name: "the next home forgets what waits for another domain",
    edits: [
      {
        file: releases,
        find: 'if (value.state === "waiting") this.#waits(run, index, value, now);\n    if (value.state === "done") this.#settled',
        replace: 'if (value.state === "done") this.#settled',
      },
    ],
    caughtBy: ["progress"],
    firstSeed: 114,
    seedsMax: 60,
    every: 32,
  },
  {
    name: "what is another domain's is run here",
    edits: [
      {
        file: "node/core/reign.ts",
        find: "if (this.releases.domainOf(run, index) !== null) this.releases.begin(run, index, now);\n    else if",
        replace: "if",
      },
    ],
    caughtBy,
    firstSeed: 18,
    seedsMax: 20,
    every: 32,
  },
  {
    name: "what was signed before a domain had other control peers is never heard",
    edits: [
      {
        file: releases,
        find: "neighbours.accepts(from) || (known !== null && wereControls(from.charter, known, sinceMs));",
        replace: "neighbours.accepts(from) && (known !== null || sinceMs > 0);",
      },
    ],
    caughtBy: ["progress"],
    firstSeed: 114,
    seedsMax: 40,
    every: 64,
  },
  {
    name: "whoever has no table refuses what it cannot know",
    edits: [
      {
        file: "node/core/control.ts",
        find: "knows: (name) => !this.#hasTable || this.#neighbours",
        replace: "knows: (name) => this.#neighbours",
      },
    ],
    caughtBy: ["progress"],
    firstSeed: 148,
    seedsMax: 40,
    every: 32,
  },
  {
    name: "the run of a step that nobody let count waits for its outcome to be signed",
    edits: [
      {
        file: "node/core/outcomes.ts",
        find: 'if (outcome.outcome === "passed" && !endorsing.isLetCount(run, 0)) return false;',
        replace: 'if (outcome.outcome === "passed" && !endorsing.isLetCount(run, 0)) return true;',
      },
    ],
    caughtBy: ["progress"],
    base: "passed-and-never-let-count.json",
    firstSeed: 2_200_014_580,
    seedsMax: 1,
  },
  {
    name: "a released step that has come once is never taken up anew",
    edits: [
      {
        file: "node/core/submissions.ts",
        find: "else if (this.#isOutdated(known))",
        replace: 'else if (run === "" && this.#isOutdated(known))',
      },
      {
        file: "node/core/releases.ts",
        find: "untilMs: now.wallMs + limits.submissionMsDefault };",
        replace: "untilMs: now.wallMs + limits.submissionMsMax };",
      },
    ],
    caughtBy: ["progress"],
    base: "released-anew.json",
    firstSeed: 1_348,
    seedsMax: 1,
  },
];
