/**
 * What a chaos mesh is given to do: small runs of three kinds, all the time, through whichever node; and what their
 * steps leave behind in a target outside of Otto.
 *
 * A step tells the target that it begins, goes on and ends, each with its token. The target of a step that reaches
 * outside keeps the highest token that it has heard of and refuses older ones, as a deployment's target would; then
 * the step fails. What the target took is one file of lines in the order in which they happened.
 */

import { randomBytes } from "node:crypto";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadPlan, type LoadedPlan } from "../../cli/load-plan.ts";
import { person } from "../../cli/person.ts";
import { localTarget } from "../../cli/target.ts";
import { impatient } from "../../node/edge/channel.ts";
import { putTo } from "../../node/edge/blob-transfer.ts";
import { type Blobs, openBlobs } from "../../node/edge/blobs.ts";
import { askFor } from "../../node/edge/client.ts";
import { snapshotWorkingTree } from "../../node/edge/snapshot.ts";
import { limits } from "../../protocol/limits.ts";
import { type Manifest, nameBundle, sealBundle } from "../../protocol/manifest.ts";
import { parseTree } from "../../protocol/tree.ts";
import type { Chance } from "../random.ts";
import type { ChaosNode } from "./nodes.ts";

export type Submitted = {
  readonly run: string;
  readonly through: string;
  readonly atMs: number;
  /** False: the node did not answer, so nobody knows whether it took the run. */
  readonly acknowledged: boolean;
};

/** Longer than any fault lasts, and short enough that runs are forgotten while the mesh lives. */
const validForMs = 5 * 60_000;

/**
 * `effect KIND TICKS`; the words of a line: what, run, step, attempt, token, kind, seconds since the machine's start. The
 * token is 0 for a free step, which has none. All that is locked is one target, and so is each step outside of a lock.
 */
const effectScript = `#!/bin/sh
set -u
kind=$1 ticks=$2 token=\${OTTO_FENCING_TOKEN:-0}
[ "$kind" = locked ] && target=locked || target=$OTTO_RUN-$OTTO_STEP
tell() {
  read -r up _ < /proc/uptime
  echo "$1 $OTTO_RUN $OTTO_STEP $OTTO_ATTEMPT $token $kind $up" >> "$TARGET/lines"
}
fenced() {
  [ "$kind" = free ] && { tell "$1"; return; }
  (
    flock 9
    highest=0
    [ -s "$TARGET/$target" ] && read -r highest < "$TARGET/$target"
    if [ "$token" -lt "$highest" ]; then tell refused; exit 9; fi
    echo "$token" > "$TARGET/$target"
    tell "$1"
  ) 9>> "$TARGET/lock" || exit 9
}
fenced begin
while [ "$ticks" -gt 0 ]; do sleep 0.1; fenced tick; ticks=$((ticks - 1)); done
fenced end
`;

const steps: Readonly<Record<string, string>> = {
  /** A fan of steps that may run anywhere, and twice when a worker is lost. */
  fan: `  part: { matrix: { part: [a, b, c] }, run: ./effect free 1, retry: { max: 9, on: [lost] } }
  all: { needs: part, run: ./effect free 0, retry: { max: 9, on: [lost] } }
`,
  /** A deployment: one at a time in its environment, over all runs. */
  deploy: `  build: { run: ./effect free 0, retry: { max: 9, on: [lost] } }
  deploy: { needs: build, environment: target, run: ./effect locked 3, retry: { max: 9, on: [lost, failed] } }
  tell: { needs: deploy, run: ./effect free 0, retry: { max: 9, on: [lost] } }
`,
  /** Reaches outside without a lock, and is not tried again: it may end as lost. */
  once: `  once: { effect: true, run: ./effect outside 2 }
  never: { needs: { once: [failed] }, run: ./effect free 0 }
`,
};

type Pipeline = { readonly loaded: LoadedPlan; readonly tree: string; readonly digests: readonly string[] };

export class Workload {
  readonly #blobs: Blobs;
  readonly #pipelines: readonly Pipeline[];
  readonly lines: string;

  private constructor(blobs: Blobs, pipelines: readonly Pipeline[], lines: string) {
    this.#blobs = blobs;
    this.#pipelines = pipelines;
    this.lines = lines;
  }

  /** Makes the repositories and the target in the run's folder. */
  static async prepare(folder: string): Promise<Workload> {
    const target = join(folder, "target");
    mkdirSync(target);
    const lines = join(target, "lines");
    writeFileSync(lines, "");
    const blobs = await openBlobs(join(folder, "staged"));
    const pipelines: Pipeline[] = [];
    for (const [name, text] of Object.entries(steps)) {
      const repository = join(folder, "repositories", name);
      mkdirSync(repository, { recursive: true });
      execFileSync("git", ["init", "-q"], { cwd: repository });
      const head = `otto: 1\npipeline: ${name}\nenv: { TARGET: ${JSON.stringify(target)} }\nenvironments: { target: { lock: true } }\n`;
      writeFileSync(join(repository, "otto.yaml"), `${head}steps:\n${text}`);
      writeFileSync(join(repository, "effect"), effectScript);
      chmodSync(join(repository, "effect"), 0o755);
      const loaded = await loadPlan({ folder: repository });
      const { tree } = await snapshotWorkingTree(repository, blobs);
      const parsed = parseTree(await blobs.readBytes(tree, limits.treeBytesMax));
      const files = parsed.ok ? parsed.value.files.map(({ digest }) => digest) : [];
      pipelines.push({ loaded, tree, digests: [...new Set([...files, tree])] });
    }
    return new Workload(blobs, pipelines, lines);
  }

  /** Submits a run of one of the pipelines through a node that is up. Never throws for what the node does. */
  async submit(chance: Chance, through: ChaosNode, startedMs: number): Promise<Submitted> {
    const { loaded, tree, digests } = chance.pick(this.#pipelines);
    const target = localTarget(through.folder);
    const { domain, certificate } = target.standing();
    const nonce = randomBytes(16).toString("base64url");
    const manifest: Manifest = {
      otto: "manifest/1",
      plan: loaded.plan,
      source: { kind: "tree", tree },
      nonce,
      validUntilMs: Date.now() + validForMs,
    };
    const bundle = sealBundle(manifest, domain, person(), certificate);
    const run = nameBundle(bundle)?.run ?? "";
    const submitted = { run, through: through.name, atMs: performance.now() - startedMs };
    try {
      await putTo(
        async () => impatient(await target.open(), limits.transferSilenceMsMax),
        this.#blobs,
        digests,
        null,
      );
      await askFor(await target.open(), { call: "submit", certificate: null, bundle }, "submitted");
      return { ...submitted, acknowledged: true };
    } catch {
      return { ...submitted, acknowledged: false };
    }
  }

  /** What the target took so far, in order. */
  effects(): readonly Effect[] {
    return effectsIn(readFileSync(this.lines, "utf8"));
  }
}

/** One line of the target. */
export type Effect = {
  readonly what: "begin" | "tick" | "end" | "refused";
  readonly run: string;
  readonly step: string;
  readonly attempt: number;
  /** The fencing token that it showed; 0 when it has none. */
  readonly fence: number;
  readonly kind: "free" | "locked" | "outside";
  /** Seconds since the machine's start, of a clock that all processes share. */
  readonly upSeconds: number;
};

export function effectsIn(text: string): readonly Effect[] {
  return text.split("\n").flatMap((line) => {
    // The names of matrix cells have spaces: `part (part=a)`.
    const words = /^(\w+) (\S+) (.+) (\d+) (\d+) (\w+) ([\d.]+)$/u.exec(line);
    if (words === null) return [];
    const [, what = "", run = "", step = "", attempt, fence, kind = "", upSeconds] = words;
    return [
      {
        what: what as Effect["what"],
        run,
        step,
        attempt: Number(attempt),
        fence: Number(fence),
        kind: kind as Effect["kind"],
        upSeconds: Number(upSeconds),
      },
    ];
  });
}
