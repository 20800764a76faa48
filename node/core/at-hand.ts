/**
 * Names of what a worker can have at hand, the same at the home that asks for it and at the worker that has it: a cache
 * of a pipeline, the tree or the commit that a run starts from, a tree that a step made.
 */

import { limits } from "../../protocol/limits.ts";
import type { Source } from "../../protocol/manifest.ts";

/** Steps of one pipeline share their caches; of another, none. */
export function cacheAtHand(pipeline: string, cache: string): string {
  return `cache/${pipeline}/${cache}`;
}

export function sourceAtHand(source: Source): string {
  return source.kind === "tree" ? source.tree : source.commit;
}

/** What a worker has used lately, the least lately used forgotten first. */
export class AtHand {
  readonly #caches = new Set<string>();
  readonly #trees = new Set<string>();
  #hasNews = false;

  cache(name: string): void {
    this.#use(this.#caches, name, limits.warmCachesMax);
  }

  tree(name: string): void {
    this.#use(this.#trees, name, limits.warmTreesMax);
  }

  /** Everything, when it is more or other than what was told last; else undefined. */
  news(): string[] | undefined {
    if (!this.#hasNews) return undefined;
    this.#hasNews = false;
    return [...this.#caches, ...this.#trees];
  }

  /** Somebody is asked who was told nothing yet. */
  tellAnew(): void {
    this.#hasNews = this.#caches.size + this.#trees.size > 0;
  }

  #use(names: Set<string>, name: string, countMax: number): void {
    if (!names.delete(name)) this.#hasNews = true;
    names.add(name);
    const [oldest] = names;
    if (names.size > countMax && oldest !== undefined) names.delete(oldest);
  }
}
