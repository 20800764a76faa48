/**
 * Two plans, or two steps, as flat values that can be compared: `timeoutMs`, `variables.HOSTNAME`, `needs.build`. Knows
 * no field by name, so that whatever a plan will have is compared too.
 */

import { compareText } from "../../protocol/values.ts";

/** A value of a plan; null where there is none. */
export type Value = null | boolean | number | string | readonly Value[] | { readonly [key: string]: Value };

export type ValueChange = { readonly path: readonly string[]; readonly before: Value; readonly after: Value };

/** What differs, sorted by path. */
export function changesBetween(before: unknown, after: unknown): readonly ValueChange[] {
  const [left, right] = [flat(before), flat(after)];
  const keys = [...new Set([...left.keys(), ...right.keys()])].sort(compareText);
  return keys.flatMap((key) => {
    const [old, now] = [left.get(key), right.get(key)];
    if (textOf(old?.value) === textOf(now?.value)) return [];
    const path = old?.path ?? now?.path ?? [];
    return [{ path, before: old?.value ?? null, after: now?.value ?? null }];
  });
}

type Leaf = { readonly path: readonly string[]; readonly value: Value };

function flat(value: unknown): ReadonlyMap<string, Leaf> {
  const leaves = new Map<string, Leaf>();
  const visit = (part: unknown, path: readonly string[]): void => {
    const entries = entriesOf(part);
    if (entries === null) leaves.set(path.join("\0"), { path, value: (part ?? null) as Value });
    else for (const [key, inner] of entries) visit(inner, [...path, key]);
  };
  visit(value, []);
  return leaves;
}

/** The parts of a record, or of a list of records by the name that each has; null for what is one value. */
function entriesOf(part: unknown): readonly (readonly [string, unknown])[] | null {
  if (typeof part !== "object" || part === null) return null;
  if (!Array.isArray(part)) return Object.entries(part);
  const items: readonly unknown[] = part;
  if (items.length === 0) return [];
  const named = items.map(nameOf);
  if (named.some((entry) => entry === null)) return null;
  return named.flatMap((entry) => (entry === null ? [] : [entry]));
}

/** `{ name, files }` is the files by that name, `{ step, outcomes }` the outcomes of that step. */
function nameOf(item: unknown): readonly [string, unknown] | null {
  if (typeof item !== "object" || item === null || Array.isArray(item)) return null;
  const { name, step, ...rest } = item as { readonly name?: unknown; readonly step?: unknown };
  const words = [name, step].filter((word) => typeof word === "string");
  if (words.length === 0) return null;
  const values: readonly unknown[] = Object.values(rest);
  // Kept as one value: what it holds is said together.
  return [words.join(" from "), values.length === 1 ? values[0] : textOf(rest)];
}

/** The value as JSON, with keys in order: a plan that came from a peer has them in another one. */
function textOf(value: unknown): string | undefined {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part !== "object" || part === null || Array.isArray(part)
      ? part
      : Object.fromEntries(Object.entries(part).sort(([left], [right]) => compareText(left, right))),
  );
}
