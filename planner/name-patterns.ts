/**
 * Patterns of names: branches, tags, environments, steps, sources. `*` stands for anything but `/`, and `**` for anything at
 * all, as people know them from GitHub.
 */

/** True when one of the patterns stands for the name. */
export function fitsOne(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => fits(pattern, name));
}

/** Keeps every place at which the parts so far can end: the work is bounded however many stars there are. */
function fits(pattern: string, name: string): boolean {
  const parts = pattern.split(/(\*+)/).filter((part) => part !== "");
  /** Where in the name the parts so far can have ended. */
  let ends = new Set([0]);
  for (const part of parts) {
    const next = new Set<number>();
    if (!part.startsWith("*")) {
      for (const end of ends) if (name.startsWith(part, end)) next.add(end + part.length);
    } else if (part === "*") {
      for (const end of ends) {
        const slash = name.indexOf("/", end);
        for (let at = end; at <= (slash === -1 ? name.length : slash); at += 1) next.add(at);
      }
    } else for (let at = Math.min(...ends); at <= name.length; at += 1) next.add(at);
    if (next.size === 0) return false;
    ends = next;
  }
  return ends.has(name.length);
}
