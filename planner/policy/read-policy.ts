/**
 * A policy file as a value, or everything that is wrong with it: unknown words, people whom no team or rule can mean, conditions
 * that do not hold together. What is refused here can never be signed.
 */

import { LineCounter, parseDocument } from "yaml";
import { limits } from "../../protocol/limits.ts";
import { type Policy, policySchema } from "../../protocol/policy.ts";
import { responseCondition } from "../response-conditions.ts";
import { suggestion } from "../suggestions.ts";
import { admissionCondition } from "./conditions.ts";
import { keysOf, teamIn } from "./people.ts";

export type PolicyMistake = {
  /** Counted from 1. */
  readonly line: number;
  readonly message: string;
};

type Path = readonly PropertyKey[];

/** @param text YAML, at most `limits.policyBytesMax`. */
export function readPolicy(
  text: string,
):
  | { readonly ok: true; readonly policy: Policy }
  | { readonly ok: false; readonly mistakes: readonly PolicyMistake[] } {
  if (text.length > limits.policyBytesMax)
    return {
      ok: false,
      mistakes: [{ line: 1, message: `a policy has at most ${limits.policyBytesMax} bytes` }],
    };
  const lines = new LineCounter();
  const parsed = parseDocument(text, { lineCounter: lines, uniqueKeys: true, logLevel: "error" });
  const [broken] = parsed.errors;
  if (broken !== undefined)
    return {
      ok: false,
      mistakes: [{ line: lines.linePos(broken.pos[0]).line, message: firstLine(broken.message) }],
    };
  const lineOf = (path: Path): number => {
    for (let length = path.length; length > 0; length -= 1) {
      const node = parsed.getIn(path.slice(0, length), true) as { range?: [number] } | undefined;
      if (node?.range !== undefined) return lines.linePos(node.range[0]).line;
    }
    return 1;
  };
  let value: unknown;
  try {
    value = parsed.toJS({ maxAliasCount: 0 });
  } catch (error) {
    return { ok: false, mistakes: [{ line: 1, message: `no aliases: ${firstLine(String(error))}` }] };
  }
  const checked = policySchema.safeParse(value);
  const found: { path: Path; message: string }[] = [];
  if (checked.success) found.push(...contradictions(checked.data));
  else for (const issue of checked.error.issues) found.push({ path: issue.path, message: wordsOf(issue) });
  if (checked.success && found.length === 0) return { ok: true, policy: checked.data };
  const mistakes = found.map(({ path, message }) => ({ line: lineOf(path), message }));
  return { ok: false, mistakes: mistakes.toSorted((one, other) => one.line - other.line) };
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? text;
}

function wordsOf(issue: { readonly code?: string; readonly path: Path; readonly message: string }): string {
  const keys = (issue as { readonly keys?: readonly string[] }).keys;
  const place = issue.path.join(".");
  if (keys !== undefined && issue.code === "unrecognized_keys")
    return `${place === "" ? "" : `${place}: `}${keys.map((key) => `\`${key}\``).join(", ")} is not known here`;
  return `${place === "" ? "the file" : `\`${place}\``}: ${issue.message}`;
}

/** What each part alone does not show. */
function contradictions(policy: Policy): { path: Path; message: string }[] {
  const found: { path: Path; message: string }[] = [];
  const people = Object.keys(policy.people ?? {});
  const teams = Object.keys(policy.teams ?? {});
  const keys = Object.entries(policy.people ?? {});
  for (const [name, key] of keys) {
    const first = keys.find(([, other]) => other === key);
    if (first !== undefined && first[0] !== name)
      found.push({
        path: ["people", name],
        message: `\`${name}\` has the key of \`${first[0]}\`: one person would count twice`,
      });
  }
  const mean = (path: Path, named: string): void => {
    const team = teamIn(named);
    const known = team === null ? people : teams;
    if (!known.includes(team ?? named))
      found.push({
        path,
        message: `${team === null ? "nobody" : "no team"} here is called \`${team ?? named}\`: ${suggestion(team ?? named, known, team === null ? "person" : "team")}`,
      });
  };
  for (const [team, members] of Object.entries(policy.teams ?? {}))
    for (const [index, member] of members.entries()) mean(["teams", team, index], member);
  for (const [index, named] of (policy.revoke ?? []).entries()) mean(["revoke", index], named);
  for (const [index, { when, require }] of (policy.admit ?? []).entries())
    for (const [field, text] of [
      ["when", when],
      ["require", require],
    ] as const) {
      const problem = text === undefined ? null : problemOf(admissionCondition(text));
      if (problem !== null) found.push({ path: ["admit", index, field], message: problem });
    }
  for (const [pattern, rules] of Object.entries(policy.environments ?? {})) {
    const path = ["environments", pattern];
    for (const [index, named] of (rules.submit ?? []).entries()) mean([...path, "submit", index], named);
    for (const [place, { approve, verdicts = [] }] of [
      [path, rules],
      [[...path, "after"], rules.after ?? {}],
    ] as const) {
      for (const [index, named] of (approve?.by ?? []).entries())
        mean([...place, "approve", "by", index], named);
      if (approve !== undefined && keysOf(policy, approve.by).size < approve.count)
        found.push({
          path: [...place, "approve", "count"],
          message: `${approve.count} must approve, and only ${keysOf(policy, approve.by).size} may: the gate would never open`,
        });
      for (const [index, { until }] of verdicts.entries()) {
        const problem = problemOf(responseCondition(until));
        if (problem !== null) found.push({ path: [...place, "verdicts", index, "until"], message: problem });
      }
    }
    for (const [index, { from, until }] of (rules.freeze ?? []).entries())
      if (from >= until)
        found.push({ path: [...path, "freeze", index], message: "it ends before it begins" });
  }
  return found;
}

function problemOf(
  compiled: { readonly ok: true } | { readonly ok: false; readonly problem: { readonly message: string } },
): string | null {
  return compiled.ok ? null : compiled.problem.message;
}
