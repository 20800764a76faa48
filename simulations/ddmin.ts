/**
 * Delta debugging: the least of a list that still fails.
 *
 * @source A. Zeller and R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28(2), 2002.
 */

/**
 * A part of the list that fails, and from which no single item can be taken out, unless `fails` answered "no" for want of
 * time. Order is kept. What is asked depends on the list and the answers alone.
 *
 * @param items the whole, of which it is known that it fails.
 * @param fails whether a part of it does; never asked about the whole.
 */
export async function ddmin<Item>(
  items: readonly Item[],
  fails: (part: readonly Item[]) => Promise<boolean>,
): Promise<readonly Item[]> {
  if (items.length === 0 || (await fails([]))) return [];
  let left = items;
  let parts = 2;
  while (left.length > 1) {
    const size = Math.ceil(left.length / parts);
    const next = await smaller(left, size, fails);
    if (next !== null) {
      parts = next.length <= size ? 2 : Math.max(parts - 1, 2);
      left = next;
    } else if (size === 1) return left;
    else parts = Math.min(left.length, parts * 2);
  }
  return left;
}

/** One part of this size alone, or everything but one part; null when none of them fails. */
async function smaller<Item>(
  items: readonly Item[],
  size: number,
  fails: (part: readonly Item[]) => Promise<boolean>,
): Promise<readonly Item[] | null> {
  const starts = Array.from({ length: Math.ceil(items.length / size) }, (_, part) => part * size);
  for (const start of starts) {
    const part = items.slice(start, start + size);
    if (await fails(part)) return part;
  }
  if (starts.length === 2) return null;
  for (const start of starts) {
    const rest = [...items.slice(0, start), ...items.slice(start + size)];
    if (await fails(rest)) return rest;
  }
  return null;
}
