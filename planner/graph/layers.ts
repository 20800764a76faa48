/**
 * Places the boxes of a graph in columns, so that every arrow goes from left to right and few of them cross.
 *
 *   1. columns   each box after everything it needs, then as near to what needs it as is free
 *   2. ways      an arrow that passes columns gets a place in each; arrows from one box share their way
 *   3. order     sweeps over the columns, each sorted by where its neighbours are; the best of them counts
 *   4. heights   each column as near to its neighbours as its order and the sizes allow
 *
 * Pure and deterministic: sums, products and comparisons of numbers alone, ties by the order that was given.
 *
 * @source K. Sugiyama, S. Tagawa, M. Toda, "Methods for visual understanding of hierarchical system structures",
 * IEEE Transactions on Systems, Man, and Cybernetics 11(2), 1981. Step 4 is isotonic regression (pool adjacent
 * violators).
 */

export type Link = {
  readonly from: number;
  readonly to: number;
  /** Links of one box share their way when they are of one kind. */
  readonly kind: string;
};

/** A box, or a part of the way of links past a column. */
export type Item = {
  readonly box: number | null;
  readonly column: number;
  readonly height: number;
  /** The middle, from the top of the graph. */
  y: number;
  readonly left: number[];
  readonly right: number[];
};

type Segment = { readonly from: number; readonly to: number; readonly kind: string };

export type Layout = {
  readonly items: readonly Item[];
  /** Between items of neighbouring columns, each once for each kind. */
  readonly segments: readonly Segment[];
  readonly columns: number;
  readonly height: number;
};

const sweeps = 12;
const gap = 16;
const wayHeight = 6;

/**
 * @param heights of the boxes; a box stands after everything that links to it, so every link goes to a larger number.
 */
export function layOut(heights: readonly number[], links: readonly Link[]): Layout {
  const columnOf = assignColumns(heights.length, links);
  const items: Item[] = heights.map((height, box) => newItem(box, columnOf[box] ?? 0, height));
  const segments = makeWays(items, links);
  const columns: number[][] = [];
  for (const [index, item] of items.entries()) (columns[item.column] ??= []).push(index);
  orderColumns(items, columns);
  return { items, segments, columns: columns.length, height: assignHeights(items, columns) };
}

function newItem(box: number | null, column: number, height: number): Item {
  return { box, column, height, y: 0, left: [], right: [] };
}

function assignColumns(count: number, links: readonly Link[]): readonly number[] {
  const incoming: number[][] = Array.from({ length: count }, () => []);
  const outgoing: number[][] = Array.from({ length: count }, () => []);
  for (const { from, to } of links) {
    incoming[to]?.push(from);
    outgoing[from]?.push(to);
  }
  const columnOf: number[] = [];
  for (let box = 0; box < count; box += 1) {
    columnOf[box] = (incoming[box] ?? []).reduce(
      (most, from) => Math.max(most, (columnOf[from] ?? 0) + 1),
      0,
    );
  }
  // Moving right shortens what goes out as much as it lengthens what comes in.
  for (let box = count - 1; box >= 0; box -= 1) {
    const next = outgoing[box] ?? [];
    if (next.length === 0 || next.length < (incoming[box] ?? []).length) continue;
    columnOf[box] = next.reduce((least, to) => Math.min(least, (columnOf[to] ?? 0) - 1), Infinity);
  }
  return columnOf;
}

function makeWays(items: Item[], links: readonly Link[]): readonly Segment[] {
  const ways = new Map<string, number>();
  const segments = new Map<string, Segment>();
  const join = (segment: Segment): void => {
    const key = `${segment.from} ${segment.to} ${segment.kind}`;
    if (segments.has(key)) return;
    segments.set(key, segment);
    items[segment.from]?.right.push(segment.to);
    items[segment.to]?.left.push(segment.from);
  };
  for (const { from, to, kind } of links) {
    let at = from;
    const last = items[to]?.column ?? 0;
    for (let column = (items[from]?.column ?? 0) + 1; column < last; column += 1) {
      const key = `${from} ${kind} ${column}`;
      const next = ways.get(key) ?? items.push(newItem(null, column, wayHeight)) - 1;
      ways.set(key, next);
      join({ from: at, to: next, kind });
      at = next;
    }
    join({ from: at, to, kind });
  }
  return [...segments.values()];
}

/** Leaves each column of `columns` in the order in which the fewest segments crossed. */
function orderColumns(items: readonly Item[], columns: number[][]): void {
  let best = columns.map((column) => [...column]);
  let fewest = crossingsIn(items, best);
  for (let sweep = 0; sweep < sweeps && fewest > 0; sweep += 1) {
    const toRight = sweep % 2 === 0;
    const places = new Map<number, number>();
    const visited = toRight ? columns : [...columns].reverse();
    for (const column of visited) {
      sortByNeighbours(column, places, (index) => items[index]?.[toRight ? "left" : "right"] ?? []);
      for (const [place, index] of column.entries()) places.set(index, place / column.length);
    }
    const crossings = crossingsIn(items, columns);
    if (crossings >= fewest) continue;
    fewest = crossings;
    best = columns.map((column) => [...column]);
  }
  for (const [index, column] of best.entries()) columns[index] = column;
}

/** What has no neighbour there keeps its place among the others. */
function sortByNeighbours(
  column: number[],
  places: ReadonlyMap<number, number>,
  neighboursOf: (index: number) => readonly number[],
): void {
  const keys = new Map<number, number>();
  for (const [place, index] of column.entries()) {
    const known = neighboursOf(index).flatMap((other) => places.get(other) ?? []);
    keys.set(index, known.length === 0 ? place / column.length : sum(known) / known.length);
  }
  column.sort((left, right) => (keys.get(left) ?? 0) - (keys.get(right) ?? 0));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function crossingsIn(items: readonly Item[], columns: readonly (readonly number[])[]): number {
  let crossings = 0;
  for (const [index, column] of columns.entries()) {
    const next = columns[index + 1] ?? [];
    const placeOf = new Map(next.map((item, place) => [item, place]));
    const ends = column.flatMap((item) =>
      (items[item]?.right ?? []).map((to) => placeOf.get(to) ?? 0).sort((left, right) => left - right),
    );
    crossings += inversionsIn(ends, next.length);
  }
  return crossings;
}

/** Pairs of which the larger number comes first, counted with a tree of sums. */
function inversionsIn(numbers: readonly number[], bound: number): number {
  const tree = new Float64Array(bound + 1);
  let inversions = 0;
  for (const [seen, number] of numbers.entries()) {
    let smaller = 0;
    for (let at = number + 1; at > 0; at -= at & -at) smaller += tree[at] ?? 0;
    inversions += seen - smaller;
    for (let at = number + 1; at <= bound; at += at & -at) tree[at] = (tree[at] ?? 0) + 1;
  }
  return inversions;
}

/** @returns the height of the whole. */
function assignHeights(items: readonly Item[], columns: readonly (readonly number[])[]): number {
  const itemsOf = columns.map((column) => column.flatMap((index) => items[index] ?? []));
  for (const column of itemsOf) settle(column, () => 0);
  const middle = (indices: readonly number[]): number =>
    sum(indices.map((index) => items[index]?.y ?? 0)) / indices.length;
  for (let sweep = 0; sweep < sweeps; sweep += 1) {
    const side = sweep % 2 === 0 ? "left" : "right";
    for (const column of side === "left" ? itemsOf : [...itemsOf].reverse()) {
      settle(column, (item) => (item[side].length === 0 ? item.y : middle(item[side])));
    }
  }
  let top = Infinity;
  let bottom = 0;
  for (const item of items) top = Math.min(top, item.y - item.height / 2);
  for (const item of items) {
    item.y -= top;
    bottom = Math.max(bottom, item.y + item.height / 2);
  }
  return bottom;
}

/** Moves the items of a column to the heights they want, as near as their order and their sizes allow. */
function settle(column: readonly Item[], wanted: (item: Item) => number): void {
  const blocks: { total: number; weight: number; count: number }[] = [];
  const offsets: number[] = [];
  let offset = 0;
  for (const [index, item] of column.entries()) {
    const previous = column[index - 1];
    if (previous !== undefined) offset += (previous.height + item.height) / 2 + gap;
    offsets.push(offset);
    // A way is worth more than a box: long arrows should be straight.
    const weight = item.box === null ? 4 : 1;
    let block = { total: weight * (wanted(item) - offset), weight, count: 1 };
    for (let above = blocks.at(-1); above !== undefined; above = blocks.at(-1)) {
      if (above.total / above.weight <= block.total / block.weight) break;
      blocks.pop();
      block = {
        total: above.total + block.total,
        weight: above.weight + block.weight,
        count: above.count + block.count,
      };
    }
    blocks.push(block);
  }
  let index = 0;
  for (const { total, weight, count } of blocks) {
    for (let left = count; left > 0; left -= 1, index += 1) {
      const item = column[index];
      if (item !== undefined) item.y = total / weight + (offsets[index] ?? 0);
    }
  }
}
