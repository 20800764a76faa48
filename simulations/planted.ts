/**
 * Runs worlds with one mistake planted, until a checker finds it.
 *
 *   node simulations/planted.ts "one vote is a majority"      every planting: node simulations/planted.ts
 *
 * Exit codes: 0 each was caught by a checker that it is for, 1 one survived or something else caught it, 3 it could not
 * be planted. Planted by a hook in Node's module loader, in this process alone.
 */

import { registerHooks } from "node:module";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

type PlantingEdit = {
  /** From the root of the project. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
};

export type Planting = {
  readonly name: string;
  readonly edits: readonly PlantingEdit[];
  /** Any of these checkers may be the first to see it. */
  readonly caughtBy: readonly string[];
  /** Where it was caught last: the search begins there. It moves with every change of what peers say. */
  readonly firstSeed: number;
  readonly seedsMax: number;
};

const root = new URL("../", import.meta.url);

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv[2]);

async function main(name: string | undefined): Promise<void> {
  const { plantings } = await import("./plantings.ts");
  if (name === undefined) {
    for (const planting of plantings) {
      const { status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), planting.name], {
        stdio: "inherit",
      });
      if (status !== 0) process.exitCode = 1;
    }
    return;
  }
  const planting = plantings.find((candidate) => candidate.name === name);
  if (planting === undefined) throw new Error(`There is no planting "${name}".`);
  const planted = plant(planting.edits);
  const { runWorld } = await import("./world.ts");
  const { allCheckers } = await import("./checkers/all.ts");
  const notFound = planting.edits.filter((edit) => !planted.has(edit));
  if (notFound.length > 0) {
    console.log(`${name}: not planted, the text is not there exactly once: ${notFound[0]?.find ?? ""}`);
    process.exitCode = 3;
    return;
  }
  const { firstSeed, seedsMax } = planting;
  for (let seed = firstSeed; seed < firstSeed + seedsMax; seed += 1) {
    const { violation } = await runWorld({ seed, checkers: allCheckers(), encoded: false });
    if (violation === null) continue;
    const expected = planting.caughtBy.includes(violation.checker);
    console.log(`${name}: seed ${seed}, ${violation.message.slice(0, 300)}`);
    process.exitCode = expected ? 0 : 1;
    return;
  }
  console.log(`${name}: survived ${seedsMax} seeds`);
  process.exitCode = 1;
}

/** Edits the sources named as they are loaded. Returns the edits that were made, filled as modules load. */
function plant(edits: readonly PlantingEdit[]): ReadonlySet<PlantingEdit> {
  const made = new Set<PlantingEdit>();
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context);
      const own = edits.filter(({ file }) => url === new URL(file, root).href);
      if (own.length === 0 || loaded.source === undefined || loaded.source === null) return loaded;
      let source =
        typeof loaded.source === "string" ? loaded.source : new TextDecoder().decode(loaded.source);
      for (const edit of own) {
        if (source.split(edit.find).length !== 2) continue;
        source = source.replace(edit.find, () => edit.replace);
        made.add(edit);
      }
      return { ...loaded, source };
    },
  });
  return made;
}
