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
    const rule = readRule(line);
    if (rule === undefined) {
      if (line.trim() !== "" && !line.startsWith("#")) open = [];
      continue;
    }
    const [needs = "", inline] = rule.rest.split(";", 2);
    // `test: FLAGS += -g` sets a variable for a target.
    if (needs.includes("=")) continue;
    open = rule.head.split(/\s+/).filter((name) => !specialTarget.test(name) && !/[%$()]/.test(name));
    const prerequisites = needs.split(/\s+/).filter((need) => need !== "" && need !== "|");
    for (const name of open) addTo(targets, name, prerequisites, inline === undefined ? [] : [inline.trim()]);
  }
  return targets;
}

/** `name: needs`, but neither `name := value` nor `name ::= value`. */
function readRule(line: string): { head: string; rest: string } | undefined {
  const [text = ""] = line.split("#", 1);
  const at = text.search(/[:=]/);
  if (at < 1 || text[at] === "=" || /^\s/.test(text)) return undefined;
  const rest = text.slice(at).replace(/^:{1,3}/, "");
  return rest.startsWith("=") ? undefined : { head: text.slice(0, at), rest };
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
