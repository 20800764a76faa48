/**
 * The parts of a plan that only some have, checked as strictly as the rest (`protocol/plan-check.ts`): each is there
 * only when it says something, so that a plan has one way to be written.
 */

import {
  choiceProblem,
  type Fields,
  fieldsOf,
  isCarried,
  isCount,
  isName,
  isScalar,
  isText,
  isTextOrNull,
  keysProblem,
  listProblem,
  type Problem,
  recordProblem,
  textCharactersMax,
  when,
} from "./checks.ts";
import { limits } from "./limits.ts";
import { isIdentifier, isOutputName, isPlainName, isSafePattern } from "./names.ts";
import { credentialKinds, exposures, outcomes as usualOutcomes, sandboxLevels } from "./plan.ts";
import { cronProblem } from "./schedule.ts";

/** Keys that a step may have besides those that every step has. */
export const stepExtras = [
  "lock",
  "action",
  "outcomes",
  "values",
  "valueInputs",
  "caches",
  "credentials",
  "reports",
  "sandbox",
  "image",
] as const;

const valueTypes = ["string", "number", "boolean"];
const usual: readonly string[] = usualOutcomes;

export function extrasProblem(step: Fields, place: string): Problem {
  const some = (key: (typeof stepExtras)[number], check: (item: unknown) => Problem): Problem =>
    step[key] === undefined ? null : filledProblem(step[key], `${place}.${key}`, check);
  const isWorkers = step["action"] === undefined || fieldsOf(step["action"])?.["kind"] === "uses";
  return (
    when(step["lock"] !== undefined && !isName(step["lock"], isPlainName), `${place}.lock: not a name`) ??
    when(step["lock"] !== undefined && !isWorkers, `${place}.lock: no worker does it`) ??
    (step["action"] === undefined ? null : actionProblem(step["action"], `${place}.action`)) ??
    some("outcomes", (name) =>
      when(!isName(name, isPlainName) || usual.includes(String(name)), "not an outcome of its own"),
    ) ??
    sortedProblem(step["outcomes"], `${place}.outcomes`, String) ??
    some("values", (value) =>
      shaped(
        value,
        ["name", "type"],
        ({ name, type }) => isName(name, isOutputName) && isOf(type, valueTypes),
      ),
    ) ??
    sortedProblem(step["values"], `${place}.values`, nameOf) ??
    some("valueInputs", (input) =>
      shaped(
        input,
        ["name", "step", "value"],
        ({ name, step: from, value }) =>
          isName(name, isOutputName) && typeof from === "string" && isName(value, isOutputName),
      ),
    ) ??
    some("caches", (cache) =>
      shaped(
        cache,
        ["name", "paths", "keyFiles"],
        ({ name, paths, keyFiles }) =>
          isName(name, isOutputName) && isFilled(paths, isCachePath) && isList(keyFiles, isSafeText),
      ),
    ) ??
    sortedProblem(step["caches"], `${place}.caches`, nameOf) ??
    some("credentials", (credential) =>
      shaped(
        credential,
        fieldsOf(credential)?.["expose"] === undefined
          ? ["name", "kind", "to"]
          : ["name", "kind", "to", "expose"],
        ({ name, kind, to, expose = exposures[0] }) =>
          isName(name, isPlainName) &&
          isOf(kind, credentialKinds) &&
          isText(to, textCharactersMax) &&
          isOf(expose, exposures),
      ),
    ) ??
    sortedProblem(step["credentials"], `${place}.credentials`, nameOf) ??
    some("reports", (report) =>
      shaped(
        report,
        ["format", "files"],
        ({ format, files }) => format === "junit" && isFilled(files, isSafeText),
      ),
    ) ??
    when(
      step["sandbox"] !== undefined && !isOf(step["sandbox"], sandboxLevels),
      `${place}.sandbox: not a level`,
    ) ??
    imageProblem(step["image"], place)
  );
}

function imageProblem(value: unknown, place: string): Problem {
  if (value === undefined) return null;
  const problem = shaped(
    value,
    ["name", "orHost"],
    ({ name, orHost }) => isText(name, limits.nameCharactersMax * 5) && typeof orHost === "boolean",
  );
  return problem === null ? null : `${place}.image: ${problem}`;
}

function actionProblem(value: unknown, place: string): Problem {
  const action = fieldsOf(value);
  if (action === null) return `${place}: not a map`;
  switch (action["kind"]) {
    case "uses":
      return (
        keysProblem(action, place, ["kind", "library", "with"]) ??
        when(!isText(action["library"], textCharactersMax), `${place}.library: not a name`) ??
        recordProblem(action["with"], `${place}.with`, {
          isKey: isIdentifier,
          isValue: isScalar,
          countMax: limits.entriesPerStepMax,
        })
      );
    case "approve":
      return (
        keysProblem(action, place, ["kind", "question", "by", "count"]) ??
        when(!isText(action["question"], textCharactersMax), `${place}.question: not a text`) ??
        listProblem(action["by"], `${place}.by`, limits.entriesPerStepMax, (name) =>
          when(!isName(name, (text) => isPlainName(text.replace(/^team\//, ""))), "not a name"),
        ) ??
        when(!isCount(action["count"], 1, 100), `${place}.count: out of bounds`) ??
        when(isBeyond(action["by"], action["count"]), `${place}.count: more than may answer`)
      );
    case "wait":
      return (
        keysProblem(action, place, ["kind", "callback", "poll"]) ??
        when(
          action["callback"] !== null && !isName(action["callback"], isPlainName),
          `${place}.callback: not a name`,
        ) ??
        when(action["callback"] === null && action["poll"] === null, `${place}: for nothing`) ??
        pollProblem(action["poll"], `${place}.poll`)
      );
    case "pipeline":
      return (
        keysProblem(action, place, ["kind", "members"]) ??
        listProblem(action["members"], `${place}.members`, limits.stepsPerPlanMax, (name) =>
          when(typeof name !== "string", "not a name"),
        )
      );
    default:
      return `${place}: of no known kind`;
  }
}

/** Nobody could ever approve it. Members of a team are not counted here, nor is everybody. */
function isBeyond(by: unknown, count: unknown): boolean {
  const names = new Set(by as readonly string[]);
  const isOpen = names.size === 0 || [...names].some((name) => name.startsWith("team/"));
  return !isOpen && Number(count) > names.size;
}

function pollProblem(value: unknown, place: string): Problem {
  if (value === null) return null;
  const poll = fieldsOf(value);
  if (poll === null) return `${place}: not a map`;
  const { url } = poll;
  return (
    keysProblem(poll, place, ["url", "everyMs", "until", "fails"]) ??
    when(
      !isText(url, textCharactersMax) || !/^https?:\/\//.test(url) || !URL.canParse(url),
      `${place}.url: not a URL`,
    ) ??
    when(!isCount(poll["everyMs"], 1_000, limits.pollEveryMsMax), `${place}.everyMs: out of bounds`) ??
    when(!isText(poll["until"], limits.conditionCharactersMax), `${place}.until: not a condition`) ??
    when(!isTextOrNull(poll["fails"]), `${place}.fails: not a condition`)
  );
}

export function usesProblem(value: unknown): Problem {
  const problem = filledProblem(value, "uses", (item) => {
    const use = fieldsOf(item);
    if (use === null) return "not a map";
    return (
      keysProblem(use, "use", ["name", "source", "commit", "digest", "kind"], ["entry", "may"]) ??
      when(!isText(use["name"], textCharactersMax), "name: not a name") ??
      when(!isText(use["source"], textCharactersMax), "source: not a text") ??
      when(!isTextOrNull(use["commit"]), "commit: not a commit") ??
      when(!isName(use["digest"], (text) => /^[0-9a-f]{64}$/.test(text)), "digest: not a digest") ??
      when(!isOf(use["kind"], ["template", "library"]), "kind: not known") ??
      when((use["entry"] === undefined) === (use["kind"] === "library"), "entry: only libraries have one") ??
      when(
        use["may"] !== undefined && (use["kind"] !== "library" || !isFilled(use["may"], isShortText)),
        "may: not what a library says",
      ) ??
      (use["entry"] === undefined
        ? null
        : recordProblem(use["entry"], "entry", { isKey: isPlainName, isValue: isSafeText, countMax: 20 }))
    );
  });
  return problem ?? sortedProblem(value, "uses", nameOf);
}

export function triggersProblem(value: unknown): Problem {
  return filledProblem(value, "triggers", (item) => {
    const trigger = fieldsOf(item);
    switch (trigger?.["kind"]) {
      case "push":
      case "pull-request":
        return shaped(item, ["kind", "branches"], ({ branches }) => isList(branches, isShortText));
      case "tag":
        return shaped(item, ["kind", "tags"], ({ tags }) => isList(tags, isShortText));
      case "run":
        return (
          shaped(item, ["kind", "pipeline", "outcomes"], ({ pipeline }) => isName(pipeline, isPlainName)) ??
          choiceProblem(trigger["outcomes"], ["passed", "failed", "cancelled"])
        );
      case "webhook":
        return shaped(item, ["kind", "name"], ({ name }) => isName(name, isPlainName));
      case "schedule":
        return shaped(
          item,
          ["kind", "cron", "missed"],
          ({ cron, missed }) =>
            isShortText(cron) && cronProblem(cron) === null && isOf(missed, ["latest", "none"]),
        );
      default:
        return "of no known kind";
    }
  });
}

/** A list that says something. */
function filledProblem(value: unknown, place: string, check: (item: unknown) => Problem): Problem {
  return (
    listProblem(value, place, limits.stepsPerPlanMax, check) ??
    when((value as readonly unknown[]).length === 0, `${place}: empty`)
  );
}

function sortedProblem(value: unknown, place: string, keyOf: (item: unknown) => string): Problem {
  if (!Array.isArray(value)) return null;
  const keys = value.map(keyOf);
  const isSorted = keys.every((key, index) => index === 0 || (keys[index - 1] ?? "") < key);
  return isSorted ? null : `${place}: not in order`;
}

function nameOf(item: unknown): string {
  return String(fieldsOf(item)?.["name"]);
}

function shaped(value: unknown, keys: readonly string[], fits: (fields: Fields) => boolean): Problem {
  const fields = fieldsOf(value);
  if (fields === null) return "not a map";
  return keysProblem(fields, "entry", keys) ?? when(!fits(fields), "not as it should be");
}

function isOf(value: unknown, choices: readonly string[]): boolean {
  return choices.some((choice) => choice === value);
}

function isList(value: unknown, fits: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length <= limits.entriesPerStepMax && value.every(fits);
}

function isFilled(value: unknown, fits: (item: unknown) => boolean): boolean {
  return isList(value, fits) && (value as unknown[]).length > 0;
}

function isSafeText(value: unknown): value is string {
  return isCarried(value) && isText(value, textCharactersMax) && isSafePattern(value);
}

function isShortText(value: unknown): value is string {
  return isText(value, textCharactersMax);
}

function isCachePath(value: unknown): boolean {
  return typeof value === "string" && isSafeText(value.startsWith("~/") ? value.slice(2) : value);
}
