/** Splits what goes into one frame: never more records or bytes than a batch may have, never an empty page but the only one. */

import { limits } from "../limits.ts";

export function pagesOf<Item extends { readonly value: Uint8Array }>(items: readonly Item[]): Item[][] {
  const pages: Item[][] = [[]];
  let bytes = 0;
  for (const item of items) {
    const page = pages.at(-1) ?? [];
    const full = page.length >= limits.batchRecordsMax || bytes + item.value.length > limits.batchBytesMax;
    if (full && page.length > 0) {
      pages.push([item]);
      bytes = item.value.length;
    } else {
      page.push(item);
      bytes += item.value.length;
    }
  }
  return pages;
}
