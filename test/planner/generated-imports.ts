/**
 * A few templates and step libraries that generated pipelines use: with parameters of every type, matrices and
 * conditions of their own, nested in each other, in the repository and from git.
 *
 *   ./ci/release.yaml --> git: deploy.yaml --> git: build.yaml        ./ci/build.yaml --> ./lib/lint
 *           +-> ./lib/tell                         +-> git: lint
 */

import { type Import, type Imports, rootId } from "../../planner/imports.ts";
import { sha256Hex } from "../../protocol/values.ts";
import type { Choices } from "./choices.ts";
import { map, shuffled, type Written, type WrittenMap, written, yamlOf } from "./written-tree.ts";

/** What others may take of a step, or branch on. */
export type Made = {
  readonly name: string;
  readonly own: readonly string[];
  readonly outputs: readonly string[];
  readonly values: readonly string[];
  readonly axes: readonly string[];
};

const git = "git+https://git.example.org/acme/ci@v2";

const build = (lint: string) => ({
  otto: 1,
  parameters: {
    level: { type: "number", default: 1 },
    mode: { type: "string", enum: ["fast", "whole"], default: "fast" },
    dry: { type: "boolean", default: false },
  },
  env: { FROM: "build", B: "template" },
  steps: {
    compile: {
      run: "make",
      matrix: { os: ["linux", "Macos"], bit: [1, 10], exclude: [{ os: "Macos", bit: 10 }] },
      when: 'matrix.os == "linux" || parameters.mode == "whole"',
      outputs: { site: ["dist/**"] },
    },
    check: {
      needs: "compile",
      uses: lint,
      with: { level: "parameters.level", mode: "matrix.mode" },
      matrix: { mode: ["whole", "fast"] },
      when: "!parameters.dry",
    },
    fix: { needs: { check: ["untidy", "failed"] }, run: ["one", "two"], outcomes: ["9", "Fixed"] },
    Zip: {
      needs: { fix: ["skipped", "Fixed", "passed"] },
      inputs: { site: "compile.site" },
      run: "zip",
      values: { size: "number" },
    },
  },
});

const deploy = {
  otto: 1,
  pipeline: "deploy",
  parameters: {
    channel: { type: "string", enum: ["stable", "beta", "Alpha"] },
    Count: { type: "number", default: 2 },
  },
  environments: { production: { settings: { HOST: "inner" }, lock: true }, own: { settings: { A: "a" } } },
  triggers: [{ push: ["main"] }],
  steps: {
    package: { pipeline: "./build.yaml", with: { level: "parameters.Count", mode: "whole" } },
    push: {
      needs: "package",
      inputs: { site: "package/compile.site", size: "package/Zip.size" },
      run: "./push",
      environment: "production",
      values: { version: "string" },
    },
    online: { needs: "push", wait: { callback: "outside", within: "15m" } },
    undo: { needs: { online: ["failed", "timed-out"] }, run: "./undo", environment: "own" },
    celebrate: {
      needs: "online",
      inputs: { version: "push.version" },
      run: "./celebrate",
      when: 'parameters.channel != "beta"',
    },
  },
};

const release = {
  otto: 1,
  uses: { shared: `${git}#deploy.yaml`, tell: "./lib/tell" },
  parameters: {
    dry_run: { type: "boolean", default: false },
    channel: { type: "string", default: "stable" },
  },
  steps: {
    ask: { approve: "Go on?", when: "!parameters.dry_run" },
    ship: {
      needs: { ask: ["passed", "skipped"] },
      pipeline: "shared",
      with: { channel: "parameters.channel" },
    },
    tag: { needs: "ship", uses: "tell", with: { text: "parameters.channel" } },
    "10": { needs: { ship: ["failed", "skipped"] }, run: "x" },
  },
};

const lint = {
  "otto-step": 1,
  name: "lint",
  parameters: {
    level: { type: "number", default: 1 },
    mode: { type: "string", enum: ["fast", "whole"], default: "fast" },
  },
  entry: { any: "./lint", linux: "./lint-linux" },
  outputs: { report: ["report/**"] },
  values: { mistakes: "number" },
  outcomes: ["untidy", "Blue"],
  may: ["read the workspace"],
};

const tell = {
  "otto-step": 1,
  name: "tell",
  parameters: { text: { type: "string", default: "" }, loud: { type: "boolean", default: false } },
  entry: { any: "./tell" },
  effect: true,
};

/** By its id: what it says, and what the sources in it stand for. */
const pool: readonly (readonly [
  id: string,
  tree: Written,
  sources: Readonly<Record<string, string>>,
  kind: Import["kind"],
])[] = [
  ["./ci/build.yaml", written(build("./lib/lint")), { "./lib/lint": "./lib/lint" }, "template"],
  [`${git}#build.yaml`, written(build("./lint")), { "./lint": `${git}#lint` }, "template"],
  [`${git}#deploy.yaml`, written(deploy), { "./build.yaml": `${git}#build.yaml` }, "template"],
  [
    "./ci/release.yaml",
    written(release),
    { [`${git}#deploy.yaml`]: `${git}#deploy.yaml`, "./lib/tell": "./lib/tell" },
    "template",
  ],
  ["./lib/lint", written(lint), {}, "library"],
  [`${git}#lint`, written(lint), {}, "library"],
  ["./lib/tell", written(tell), {}, "library"],
];

const plainTexts = new Map(
  pool.map(([id, tree]) => {
    const plain = yamlOf(tree);
    return [id, { plain, digest: sha256Hex(Buffer.from(plain)) }] as const;
  }),
);

/** All of the pool; with numbers the keys in its files are in another order, while what pins the files is the same. */
export function generatedImports(next: (() => number) | null = null): Imports {
  const byId = new Map<string, Import>();
  for (const [id, tree, , kind] of pool) {
    const { plain, digest } = plainTexts.get(id) ?? { plain: "", digest: "" };
    const text = next === null ? plain : yamlOf(shuffled(tree, next));
    const path = kind === "library" ? `${id}/otto-step.yaml` : id;
    const commit = id.startsWith("git+") ? "c".repeat(40) : null;
    byId.set(id, { kind, id, path, text, source: id, commit, digest });
  }
  const found = (sources: Readonly<Record<string, string>>): ReadonlyMap<string, Import> =>
    new Map(
      Object.entries(sources).flatMap(([source, id]) => {
        const one = byId.get(id);
        return one === undefined ? [] : [[source, one] as const];
      }),
    );
  const own = Object.fromEntries(pool.map(([id]) => [id, id]));
  return new Map([[rootId, found(own)], ...pool.map(([id, , sources]) => [id, found(sources)] as const)]);
}

/** What pipelines declare under `uses`; they may name the files of their repository without that too. */
export const declaredUses = {
  shared: `${git}#deploy.yaml`,
  Release: "./ci/release.yaml",
  lint: "./lib/lint",
} as const;

/** What a step of a pipeline with these parameters says that nests a template. */
export function nestingStep(
  pick: Choices,
  parameters: readonly string[],
): { readonly id: string; readonly said: readonly (readonly [string, Written | undefined])[] } {
  const own = (name: string, otherwise: Written): Written =>
    parameters.includes(name) && pick.often(60) ? `parameters.${name}` : otherwise;
  const maybe = (make: () => Written): Written | undefined => (pick.often(60) ? make() : undefined);
  const said = (
    id: string,
    names: readonly string[],
    given: readonly (readonly [string, Written | undefined])[],
  ) => {
    const values = map(given);
    return {
      id,
      said: [
        ["pipeline", pick.of(...names)],
        ["with", values.size === 0 ? undefined : values],
      ] as const,
    };
  };
  switch (pick.of("build", "build", "build", "deploy", "release")) {
    case "build":
      return said(
        "./ci/build.yaml",
        ["./ci/build.yaml"],
        [
          ["level", maybe(() => own("Count", 3))],
          ["mode", maybe(() => pick.of("fast", "whole"))],
          ["dry", maybe(() => own("dry_run", pick.often(50)))],
        ],
      );
    case "deploy":
      return said(
        declaredUses.shared,
        ["shared"],
        [
          ["channel", own("channel", pick.of("stable", "beta"))],
          ["Count", maybe(() => own("Count", -1.5))],
        ],
      );
    case "release":
      return said(
        declaredUses.Release,
        ["Release", "./ci/release.yaml"],
        [
          ["dry_run", maybe(() => own("dry_run", true))],
          ["channel", maybe(() => own("channel", "Alpha"))],
        ],
      );
  }
}

/** What a step says that uses a library, and what it leaves besides its own. */
export function libraryStep(
  pick: Choices,
  { parameters, axes }: { readonly parameters: readonly string[]; readonly axes: readonly string[] },
): {
  readonly said: readonly (readonly [string, Written | undefined])[];
  readonly leaves: Omit<Made, "name" | "axes">;
} {
  const isLint = pick.often(60);
  const text = axes.length > 0 ? "matrix.os" : parameters.includes("channel") ? "parameters.channel" : "é";
  const given = isLint
    ? map([
        ["level", axes.length > 0 ? "matrix.bit" : parameters.includes("Count") ? "parameters.Count" : 4],
        ["mode", pick.often(50) ? "whole" : undefined],
      ])
    : map([
        ["text", pick.often(70) ? text : undefined],
        ["loud", parameters.includes("dry_run") ? "parameters.dry_run" : undefined],
      ]);
  return {
    said: [
      ["uses", isLint ? pick.of("lint", "./lib/lint") : "./lib/tell"],
      ["with", given.size > 0 && pick.often(80) ? given : undefined],
    ],
    leaves: isLint
      ? { own: ["Blue", "untidy"], outputs: ["report"], values: ["mistakes"] }
      : { own: [], outputs: [], values: [] },
  };
}

export function notifications(pick: Choices): Written {
  const count = 1 + pick.below(2);
  return Array.from({ length: count }, () =>
    map([
      ["on", pick.often(40) ? "failed" : pick.some(["passed", "failed", "recovered"])],
      ["uses", "./lib/tell"],
      ["with", pick.often(50) ? map([["text", "#deploys"]]) : undefined],
    ]),
  );
}

/** Every step below one that nests the template of this id, with what it leaves. */
export function membersOf(id: string, outer: string): readonly Made[] {
  const [, tree, sources] = pool.find(([other]) => other === id) ?? [];
  if (tree === undefined || sources === undefined) throw new Error(`no template ${id}`);
  const steps = (tree as WrittenMap).get("steps") as WrittenMap;
  const named = (tree as WrittenMap).get("uses") as WrittenMap | undefined;
  return [...steps].flatMap(([name, said]) => {
    const step = said as WrittenMap;
    const full = `${outer}/${name}`;
    const nested = step.get("pipeline") as string | undefined;
    const isLint = (step.get("uses") as string | undefined)?.endsWith("lint") === true;
    const made: Made = {
      name: full,
      own: [...listed(step.get("outcomes")), ...(isLint ? lint.outcomes : [])],
      outputs: [...keysOf(step.get("outputs")), ...(isLint ? Object.keys(lint.outputs) : [])],
      values: [...keysOf(step.get("values")), ...(isLint ? Object.keys(lint.values) : [])],
      axes: keysOf(step.get("matrix")),
    };
    if (nested === undefined) return [made];
    const source = (named?.get(nested) ?? nested) as string;
    return [made, ...membersOf(sources[source] ?? source, full)];
  });
}

/** The template that a step of a pipeline names. */
export function templateId(reference: string): string {
  return reference in declaredUses ? declaredUses[reference as keyof typeof declaredUses] : reference;
}

function keysOf(value: Written | undefined): readonly string[] {
  return value instanceof Map ? [...(value as WrittenMap).keys()] : [];
}

function listed(value: Written | undefined): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
