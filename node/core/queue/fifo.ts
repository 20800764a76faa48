/**
 * First in, first out. What is given up in the middle is skipped when it comes to the front, so that every operation costs
 * the same however long the line is.
 */

/** So many that were taken are cut off at once. */
const cutOff = 256;

export class Fifo<Item> {
  #items: Item[] = [];
  #taken = 0;

  get isEmpty(): boolean {
    return this.#taken >= this.#items.length;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  /** Ahead of all others. */
  putBack(item: Item): void {
    if (this.#taken === 0) return void this.#items.unshift(item);
    this.#taken -= 1;
    this.#items[this.#taken] = item;
  }

  /** The first that is wanted; those before it are dropped. */
  first(isWanted: (item: Item) => boolean): Item | undefined {
    for (let item = this.#items[this.#taken]; item !== undefined; item = this.#items[this.#taken]) {
      if (isWanted(item)) return item;
      this.shift();
    }
    return undefined;
  }

  /** Takes the first that is wanted out of the line: the others keep their places. */
  takeFirst(isWanted: (item: Item) => boolean): Item | undefined {
    for (let at = this.#taken; at < this.#items.length; at += 1) {
      const item = this.#items[at] as Item;
      if (!isWanted(item)) continue;
      if (at === this.#taken) this.shift();
      else this.#items.splice(at, 1);
      return item;
    }
    return undefined;
  }

  /** All that are left, in order. */
  *rest(): Generator<Item> {
    for (let at = this.#taken; at < this.#items.length; at += 1) yield this.#items[at] as Item;
  }

  /** Drops the first. */
  shift(): void {
    this.#taken += 1;
    if (this.#taken < cutOff || this.#taken * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#taken);
    this.#taken = 0;
  }
}
