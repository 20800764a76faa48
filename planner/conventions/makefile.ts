/**
 * The targets that a Makefile declares, as far as they can be read without running make: explicit rules only,
 * no pattern rules, no included files.
 */

export type MakeTarget = {
  readonly name: string;
  readonly prerequisites: readonly string[];
  readonly recipe: readonly string[];
};

const specialTarget = /^\.[A-Z_]+$/;

export function readMakefile(text: string): ReadonlyMap<string, MakeTarget> {
  const targets = new Map<string, MakeTarget>();
  let open: readonly string[] = [];
  for (const line of text.replaceAll(/\\\r?\n/g, " ").split(/\r?\n/)) {
    if (line.startsWith("\t")) {
      for (const name of open) addTo(targets, name, [], [line.trim()]);
      continue;
    }
    // `name: needs`, but neither `name := value` nor `name ::= value`.
    const rule = /^([^\s:=#][^:=#]*?)\s*::?(?![:=])\s*([^#]*)/.exec(line);
    if (rule === null) {
      if (line.trim() !== "" && !line.startsWith("#")) open = [];
      continue;
    }
    const [needs = "", inline] = (rule[2] ?? "").split(";", 2);
    if (/[^:]=/.test(needs)) continue;
    open = (rule[1] ?? "").split(/\s+/).filter((name) => !specialTarget.test(name) && !/[%$()]/.test(name));
    const prerequisites = needs.split(/\s+/).filter((need) => need !== "" && need !== "|");
    for (const name of open) addTo(targets, name, prerequisites, inline === undefined ? [] : [inline.trim()]);
  }
  return targets;
}

function addTo(
  targets: Map<string, MakeTarget>,
  name: string,
  prerequisites: readonly string[],
  recipe: readonly string[],
): void {
  const known = targets.get(name) ?? { name, prerequisites: [], recipe: [] };
  targets.set(name, {
    name,
    prerequisites: [...known.prerequisites, ...prerequisites],
    recipe: [...known.recipe, ...recipe],
  });
}
