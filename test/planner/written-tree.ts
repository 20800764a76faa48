/** What a file says, as a tree: its keys can be put in another order before it becomes YAML. */

/** What a file says, as a tree. */
export type Written = string | number | boolean | null | readonly Written[] | ReadonlyMap<string, Written>;

export type WrittenMap = ReadonlyMap<string, Written>;

export function map(
  entries: readonly (readonly [string, Written | undefined])[],
): ReadonlyMap<string, Written> {
  return new Map(entries.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])));
}

/** The same as JSON has it. */
export function written(value: unknown): Written {
  if (Array.isArray(value)) return value.map(written);
  if (typeof value !== "object" || value === null) return value as Written;
  return new Map(Object.entries(value).map(([key, item]) => [key, written(item)]));
}

/** The same with the keys of every map in another order; lists stay as they are. */
export function shuffled(value: Written, next: () => number): Written {
  if (Array.isArray(value)) return value.map((item: Written) => shuffled(item, next));
  if (!(value instanceof Map)) return value;
  const entries = [...(value as ReadonlyMap<string, Written>)].map(([key, item]) => ({
    key,
    item: shuffled(item, next),
    rank: next(),
  }));
  entries.sort((left, right) => left.rank - right.rank);
  return new Map(entries.map(({ key, item }) => [key, item]));
}

/** As YAML: maps on lines of their own, lists and texts as JSON has them. */
export function yamlOf(value: Written, indent = ""): string {
  if (!(value instanceof Map)) return ` ${flow(value)}\n`;
  const lines = [...(value as ReadonlyMap<string, Written>)].map(
    ([key, item]) => `${indent}${JSON.stringify(key)}:${yamlOf(item, `${indent}  `)}`,
  );
  return `${indent === "" ? "" : "\n"}${lines.join("")}`;
}

function flow(value: Written): string {
  if (Array.isArray(value)) return `[${value.map((item: Written) => flow(item)).join(", ")}]`;
  if (!(value instanceof Map)) return JSON.stringify(value);
  const entries = [...(value as ReadonlyMap<string, Written>)];
  return `{ ${entries.map(([key, item]) => `${JSON.stringify(key)}: ${flow(item)}`).join(", ")} }`;
}
