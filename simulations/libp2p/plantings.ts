/**
 * Mistakes to plant in the network adapter, which only a world of real libp2p can show: `simulations/world.ts` has
 * links of its own and never loads what is changed here. Planted as the source is loaded, in this process alone.
 */

import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";

export type AdapterPlanting = {
  readonly name: string;
  /** From the root of the project. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Words of the violation that is expected. */
  readonly seenAs: RegExp;
  readonly firstSeed: number;
  readonly seedsMax: number;
};

const root = new URL("../../", import.meta.url);

export const adapterPlantings: readonly AdapterPlanting[] = [
  {
    name: "a link that broke is not dialled again",
    file: "node/core/dial-plan.ts",
    find: 'if (wanted?.state !== "linked") return;\n    // A link',
    replace: 'if (wanted?.state !== "dialling") return;\n    // A link',
    seenAs: /are not linked/u,
    firstSeed: 1,
    seedsMax: 4,
  },
  {
    name: "what was sent is sent again with what comes next",
    file: "node/edge/frame-queue.ts",
    find: "this.#waiting = [];\n    this.#bytes = 0;",
    replace: "this.#bytes = 0;",
    seenAs: /twice, or behind/u,
    firstSeed: 1,
    seedsMax: 1,
  },
  {
    name: "a dial that failed is the last one",
    file: "node/core/dial-plan.ts",
    find: 'if (wanted?.state === "dialling") this.#wait(',
    replace: 'if (wanted?.state === "linked") this.#wait(',
    seenAs: /are not linked/u,
    firstSeed: 1,
    seedsMax: 8,
  },
];

/** From now on the file is loaded with the mistake. Throws when the text is not there exactly once. */
export function plantInAdapter({ file, find, replace }: AdapterPlanting): void {
  const target = new URL(file, root).href;
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      if (url !== target) return loaded;
      const source = readFileSync(new URL(url), "utf8");
      if (source.split(find).length !== 2) throw new Error(`${file} does not have once: ${find}`);
      return { ...loaded, source: source.replace(find, () => replace) };
    },
  });
}
