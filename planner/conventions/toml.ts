/**
 * Reads the part of TOML that the conventions ask about: which tables there are, and their keys with strings,
 * booleans and arrays of strings. Everything else is read over without an error, because a file that its own
 * tool would refuse is that tool's to report.
 */

type TomlValue = string | boolean | readonly string[];

export type TomlTables = ReadonlyMap<string, ReadonlyMap<string, TomlValue>>;

/** Tables by their dotted name, quotes removed; keys before the first table belong to `""`. */
export function readToml(text: string): TomlTables {
  const tables = new Map<string, Map<string, TomlValue>>();
  let current = new Map<string, TomlValue>();
  tables.set("", current);
  const lines = text.split(/\r?\n/);
  for (let index = 0; index < lines.length; index++) {
    const line = withoutComment(lines[index] ?? "").trim();
    const header = /^\[{1,2}([^[\]]+)\]{1,2}$/.exec(line)?.[1];
    if (header !== undefined) {
      const name = dotted(header);
      current = tables.get(name) ?? new Map<string, TomlValue>();
      tables.set(name, current);
      continue;
    }
    const pair = /^("[^"]*"|'[^']*'|[A-Za-z0-9_.-]+)\s*=\s*(.*)$/.exec(line);
    if (pair === null) continue;
    let value = pair[2] ?? "";
    if (value.startsWith("[")) {
      const parts = [value];
      let open = openBrackets(value);
      while (open > 0 && index + 1 < lines.length) {
        index += 1;
        const next = withoutComment(lines[index] ?? "").trim();
        parts.push(next);
        open += openBrackets(next);
      }
      value = parts.join(" ");
    }
    current.set(dotted(pair[1] ?? ""), readValue(value));
  }
  return tables;
}

/** The value as a string, when it is one. */
export function stringAt(tables: TomlTables, table: string, key: string): string | undefined {
  const value = tables.get(table)?.get(key);
  return typeof value === "string" ? value : undefined;
}

/** True when a table of this name, or one below it, is there. */
export function hasTable(tables: TomlTables, name: string): boolean {
  return [...tables.keys()].some((table) => table === name || table.startsWith(`${name}.`));
}

function dotted(name: string): string {
  return name
    .split(".")
    .map((part) => part.trim().replace(/^(["'])(.*)\1$/, "$2"))
    .join(".");
}

function readValue(value: string): TomlValue {
  if (value.startsWith("["))
    return [...value.replaceAll(/\{[^{}]*\}/g, "").matchAll(/"([^"]*)"|'([^']*)'/g)].map(
      (m) => m[1] ?? m[2] ?? "",
    );
  if (value === "true" || value === "false") return value === "true";
  return (
    /^"([^"]*)"|^'([^']*)'/
      .exec(value)
      ?.slice(1)
      .find((part) => part !== undefined) ?? value
  );
}

/** Cuts a comment off, leaving a `#` inside quotes alone. */
function withoutComment(line: string): string {
  let quote = "";
  for (let index = 0; index < line.length; index++) {
    const character = line.charAt(index);
    if (quote !== "") {
      if (character === quote) quote = "";
    } else if (character === '"' || character === "'") {
      quote = character;
    } else if (character === "#") {
      return line.slice(0, index);
    }
  }
  return line;
}

/** How many more brackets open than close, outside quotes. */
function openBrackets(line: string): number {
  const bare = line.replaceAll(/"[^"]*"|'[^']*'/g, "");
  return bare.split("[").length - bare.split("]").length;
}
