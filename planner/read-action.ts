/**
 * What a step does, as a pipeline file says it: commands, a step library, a nested pipeline, a question to people, or a
 * wait for something outside. Exactly one of them.
 */

import { limits } from "../protocol/limits.ts";
import { type Mistakes, quote } from "./diagnostics.ts";
import {
  checkName,
  identifiers,
  overLimit,
  plainNames,
  readCondition,
  readCount,
  readDuration,
  readNamed,
  readRecord,
  readScalar,
  readText,
  readTexts,
} from "./fields.ts";
import { type KeyOf, stepKinds } from "./language.ts";
import type { ActionDeclaration, GivenParameter, Placed, PollDeclaration } from "./pipeline.ts";
import { isDirect, sourceProblem } from "./sources.ts";
import type { MapEntry, MapNode, YamlNode } from "./yaml.ts";

type StepKind = (typeof stepKinds)[number];

/** What only steps with commands, or with a program, have. */
const workKeys: readonly KeyOf<"step">[] = [
  "env",
  "inputs",
  "outputs",
  "values",
  "outcomes",
  "caches",
  "credentials",
  "reports",
  "effect",
  "timeout",
  "retry",
  "labels",
  "lock",
  "requires",
];

/** What a step of a kind cannot have, and why, in words that go on from the step. */
const foreignKeys: Readonly<Record<StepKind, { readonly keys: readonly string[]; readonly words: string }>> =
  {
    run: { keys: ["with"], words: "commands take `env`, not parameters" },
    uses: { keys: [], words: "" },
    pipeline: {
      keys: [...workKeys, "environment", "matrix"],
      words: "the steps of the nested pipeline have their own",
    },
    approve: { keys: [...workKeys, "with"], words: "no worker is asked" },
    wait: { keys: [...workKeys, "with"], words: "no worker is asked" },
  };

/** What the step does; with mistakes something harmless. `timeoutMs` is the `within` of what has one. */
export function readAction(
  mistakes: Mistakes,
  record: MapNode,
  entry: MapEntry,
): { readonly action: ActionDeclaration; readonly timeoutMs: number | null } {
  const what = `the step ${quote(entry.key)}`;
  const [kind, second] = stepKinds.filter((key) => record.entries.has(key));
  const nothing = { action: { kind: "run" }, timeoutMs: null } as const;
  if (kind === undefined) {
    mistakes.add({
      code: "pipeline/missing-key",
      message: `${what} has nothing to run`,
      help: "write `run: COMMAND` (or `uses`, `pipeline`, `approve` or `wait`)",
      span: entry.keySpan,
    });
    return nothing;
  }
  const written = record.entries.get(kind);
  const other = second === undefined ? undefined : record.entries.get(second);
  if (other !== undefined && written !== undefined) {
    mistakes.add({
      code: "pipeline/bad-step",
      message: `${what} does two things: ${quote(kind)} and ${quote(other.key)}`,
      help: "make two steps of it",
      span: other.keySpan,
      related: [{ message: "the first is here", span: written.keySpan }],
    });
    return nothing;
  }
  const { keys, words } = foreignKeys[kind];
  for (const { key, keySpan } of record.entries.values()) {
    if (!keys.includes(key)) continue;
    const isTime = key === "timeout" && (kind === "approve" || kind === "wait");
    mistakes.add({
      code: "pipeline/bad-step",
      message: `a step with ${quote(kind)} has no ${quote(key)}: ${words}`,
      help: isTime ? `write \`within\` in \`${kind}\`` : "remove it",
      span: keySpan,
    });
  }
  if (written === undefined || kind === "run") return nothing;
  const given = readGiven(mistakes, record.entries.get("with")?.value);
  switch (kind) {
    case "uses": {
      const library = readReference(mistakes, written.value, "`uses`");
      return { action: library === null ? { kind: "run" } : { kind, library, given }, timeoutMs: null };
    }
    case "pipeline": {
      const template = readReference(mistakes, written.value, "`pipeline`");
      return { action: template === null ? { kind: "run" } : { kind, template, given }, timeoutMs: null };
    }
    case "approve":
      return readApproval(mistakes, written.value);
    case "wait":
      return readWait(mistakes, written.value);
  }
}

export function readReference(mistakes: Mistakes, node: YamlNode, what: string): Placed<string> | null {
  const help = "write a name that is declared in `uses` of the file, or a path such as `./ci/deploy.yaml`";
  const value = readText(mistakes, node, { what, help });
  if (value === null) return null;
  const problem = isDirect(value) ? sourceProblem(value) : null;
  if (problem === null) return { value, span: node.span };
  mistakes.add({ code: "pipeline/bad-use", message: `${quote(value)}: ${problem}`, help, span: node.span });
  return null;
}

/** Values for the parameters of something else. */
export function readGiven(mistakes: Mistakes, node: YamlNode | undefined): readonly GivenParameter[] {
  if (node === undefined) return [];
  const help = "write `with: { NAME: VALUE }`";
  const entries = readNamed(mistakes, node, {
    what: "`with`",
    noun: "a parameter",
    names: identifiers,
    help,
  });
  const countMax = limits.entriesPerStepMax;
  overLimit(mistakes, { count: entries.length, countMax, what: "`with`", span: node.span });
  const given: GivenParameter[] = [];
  for (const { key, keySpan, value } of entries) {
    const scalar = readScalar(mistakes, value, { what: `the parameter ${quote(key)}`, help });
    if (scalar === null) continue;
    const place = { name: key, nameSpan: keySpan, span: value.span };
    const reference = /^(parameters|matrix)\.([A-Za-z_][A-Za-z0-9_]*)$/.exec(String(scalar));
    const name = reference?.[2];
    if (name === undefined) given.push({ ...place, value: { kind: "scalar", scalar } });
    else given.push({ ...place, value: { kind: reference?.[1] === "matrix" ? "axis" : "parameter", name } });
  }
  return given;
}

type Settled = { readonly action: ActionDeclaration; readonly timeoutMs: number | null };

const approveHelp = "write `approve: { question: Does it look good?, by: [NAME], within: 2d }`";

function readApproval(mistakes: Mistakes, node: YamlNode): Settled {
  const empty = { kind: "approve", question: "", by: [], count: 1 } as const;
  if (node.kind === "scalar") {
    const question = readText(mistakes, node, { what: "`approve`", help: approveHelp });
    return { action: { ...empty, question: question ?? "" }, timeoutMs: null };
  }
  const record = readRecord(mistakes, node, { what: "`approve`", record: "approve", help: approveHelp });
  const question = record?.entries.get("question");
  if (record === null) return { action: empty, timeoutMs: null };
  if (question === undefined) {
    mistakes.add({
      code: "pipeline/missing-key",
      message: "the question is missing",
      help: approveHelp,
      span: node.span,
    });
  }
  const by = record.entries.get("by");
  const count = record.entries.get("count");
  const asked =
    question &&
    readTexts(mistakes, question.value, {
      what: "`question`",
      each: "a question",
      help: approveHelp,
      countMax: 1,
    });
  const people =
    by === undefined
      ? []
      : readTexts(mistakes, by.value, {
          what: "`by`",
          each: "a name in `by`",
          help: "write `by: [NAME, team/NAME]`",
          countMax: limits.entriesPerStepMax,
        });
  for (const { text, node: item } of people) {
    const rule = {
      name: text.replace(/^team\//, ""),
      span: item.span,
      noun: "a person or a team",
      rule: plainNames,
    };
    checkName(mistakes, rule);
  }
  const needed =
    count === undefined
      ? 1
      : readCount(mistakes, count.value, { what: "`count`", code: "pipeline/bad-step", min: 1, max: 100 });
  const names = [...new Set(people.map(({ text }) => text))].sort();
  const onlyPeople = names.every((name) => !name.startsWith("team/"));
  if (count !== undefined && needed !== null && names.length > 0 && onlyPeople && needed > names.length) {
    mistakes.add({
      code: "pipeline/bad-step",
      message: `${needed} people must say yes, and only ${names.length} may answer`,
      help: "name more people in `by`, or lower `count`",
      span: count.value.span,
    });
  }
  return {
    action: { kind: "approve", question: asked?.[0]?.text ?? "", by: names, count: needed ?? 1 },
    timeoutMs: withinOf(mistakes, record),
  };
}

function withinOf(mistakes: Mistakes, record: MapNode): number | null {
  const within = record.entries.get("within");
  return within === undefined
    ? null
    : readDuration(mistakes, within.value, { what: "a wait", maxMs: limits.timeoutMsMax });
}

const waitHelp =
  'write `wait: { callback: NAME }` or `wait: { poll: { http: URL, until: "response.status == 200" } }`';

function readWait(mistakes: Mistakes, node: YamlNode): Settled {
  const empty = { action: { kind: "wait", callback: null, poll: null }, timeoutMs: null } as const;
  const record = readRecord(mistakes, node, { what: "`wait`", record: "wait", help: waitHelp });
  if (record === null) return empty;
  const callback = record.entries.get("callback");
  const poll = record.entries.get("poll");
  if (callback === undefined && poll === undefined) {
    mistakes.add({
      code: "pipeline/missing-key",
      message: "nothing says when the wait is over",
      help: waitHelp,
      span: node.span,
    });
  }
  const name = callback && readText(mistakes, callback.value, { what: "`callback`", help: waitHelp });
  if (typeof name === "string" && callback !== undefined)
    checkName(mistakes, { name, span: callback.value.span, noun: "a callback", rule: plainNames });
  return {
    action: {
      kind: "wait",
      callback: name ?? null,
      poll: poll === undefined ? null : readPoll(mistakes, poll.value),
    },
    timeoutMs: withinOf(mistakes, record),
  };
}

function readPoll(mistakes: Mistakes, node: YamlNode): PollDeclaration | null {
  const help = 'write `poll: { http: URL, every: 10s, until: "response.status == 200" }`';
  const record = readRecord(mistakes, node, { what: "`poll`", record: "poll", help });
  if (record === null) return null;
  const [http, every, until, fails] = (["http", "every", "until", "fails"] as const).map((key) =>
    record.entries.get(key),
  );
  for (const [key, found] of [
    ["http", http],
    ["until", until],
  ] as const) {
    if (found !== undefined) continue;
    mistakes.add({
      code: "pipeline/missing-key",
      message: `the key ${quote(key)} is missing`,
      help,
      span: node.span,
    });
  }
  if (http === undefined || until === undefined) return null;
  const url = readText(mistakes, http.value, { what: "`http`", help: "write an address in quotes" });
  if (url !== null && !isHttpAddress(url)) {
    mistakes.add({
      code: "pipeline/bad-address",
      message: `${quote(url)} is no address that can be asked`,
      help: "write `https://HOST/PATH`, without a user and a password",
      span: http.value.span,
    });
  }
  const everyMs =
    every === undefined
      ? limits.pollEveryMsDefault
      : readDuration(mistakes, every.value, {
          what: "the time between two polls",
          maxMs: limits.pollEveryMsMax,
        });
  const condition = readCondition(mistakes, until.value, "`until`");
  const failing = fails === undefined ? null : readCondition(mistakes, fails.value, "`fails`");
  if (url === null || condition === null) return null;
  return { url, everyMs: everyMs ?? limits.pollEveryMsDefault, until: condition, fails: failing };
}

export function isHttpAddress(text: string): boolean {
  if (!/^https?:\/\//.test(text) || /\s/.test(text) || !URL.canParse(text)) return false;
  const { username, password, hostname } = new URL(text);
  return username === "" && password === "" && hostname !== "";
}
