/**
 * What a step says about what is around its work: values and outcomes that it tells, caches, credentials, reports,
 * and what a worker must be.
 */

import { sshPlaceOf } from "../protocol/credentials/ssh-place.ts";
import { limits } from "../protocol/limits.ts";
import {
  credentialKinds,
  outcomes as usualOutcomes,
  type SandboxLevel,
  sandboxLevels,
  type StepCache,
  type StepCredential,
  type StepReportFiles,
  type StepValueDeclaration,
} from "../protocol/plan.ts";
import { compareText } from "../protocol/values.ts";
import { type Mistakes, quote } from "./diagnostics.ts";
import {
  checkName,
  outputNames,
  overLimit,
  plainNames,
  readCount,
  readNamed,
  readRecord,
  readText,
  readTexts,
} from "./fields.ts";
import { parameterTypes } from "./language.ts";
import { checkLabel, readLabels } from "./labels.ts";
import { patternProblem } from "./patterns.ts";
import type { LabelDeclaration, Placed } from "./pipeline.ts";
import { isHttpAddress } from "./read-action.ts";
import { suggestion } from "./suggestions.ts";
import type { YamlNode } from "./yaml.ts";

type Text = { readonly text: string; readonly node: YamlNode };

const countMax = limits.entriesPerStepMax;

export function checkPatterns(mistakes: Mistakes, patterns: readonly Text[], inHome = false): void {
  for (const { text, node } of patterns) {
    const problem = patternProblem(inHome && text.startsWith("~/") ? text.slice(2) : text);
    if (problem === null) continue;
    mistakes.add({
      code: "pipeline/bad-pattern",
      message: `${quote(text)}: ${problem.message}`,
      help: problem.help,
      span: node.span,
    });
  }
}

export function readPaths(mistakes: Mistakes, node: YamlNode): readonly Placed<string>[] {
  const help = "write `paths: [web/**, package.json]`";
  const patterns = readTexts(mistakes, node, { what: "`paths`", each: "a pattern", help, countMax });
  checkPatterns(mistakes, patterns);
  return patterns.map(({ text, node: { span } }) => ({ value: text, span }));
}

export function readValues(mistakes: Mistakes, node: YamlNode): readonly StepValueDeclaration[] {
  const help = "write `values: { NAME: string }`";
  const entries = readNamed(mistakes, node, { what: "`values`", noun: "a value", names: outputNames, help });
  overLimit(mistakes, { count: entries.length, countMax, what: "`values`", span: node.span });
  const values: StepValueDeclaration[] = [];
  for (const { key, value } of entries) {
    const text = readText(mistakes, value, { what: `the type of ${quote(key)}`, help });
    if (text === null) continue;
    const type = parameterTypes.find((known) => known === text);
    if (type !== undefined) values.push({ name: key, type });
    else
      mistakes.add({
        code: "pipeline/bad-value",
        message: `${quote(text)} is no type of values`,
        help: () => suggestion(text, parameterTypes, "type"),
        span: value.span,
      });
  }
  return values.sort((left, right) => compareText(left.name, right.name));
}

export function readOwnOutcomes(mistakes: Mistakes, node: YamlNode): readonly string[] {
  const help = "write `outcomes: [NAME, NAME]`";
  const texts = readTexts(mistakes, node, { what: "`outcomes`", each: "an outcome", help, countMax });
  const names = new Set<string>();
  for (const { text, node: item } of texts) {
    const named = { name: text, span: item.span, noun: "an outcome", rule: plainNames };
    if (!checkName(mistakes, named)) continue;
    const isUsual = usualOutcomes.some((usual) => usual === text);
    if (!isUsual) names.add(text);
    else
      mistakes.add({
        code: "pipeline/bad-outcome",
        message: `every step can end as ${quote(text)}; it is not declared`,
        help: "remove it, or choose another name",
        span: item.span,
      });
  }
  return [...names].sort(compareText);
}

export function readCaches(mistakes: Mistakes, node: YamlNode): readonly StepCache[] {
  const help = "write `caches: { NAME: { paths: [FOLDER], key: { files: [LOCKFILE] } } }`";
  const entries = readNamed(mistakes, node, { what: "`caches`", noun: "a cache", names: outputNames, help });
  overLimit(mistakes, { count: entries.length, countMax, what: "`caches`", span: node.span });
  const caches: StepCache[] = [];
  for (const { key, keySpan, value } of entries) {
    const what = `the cache ${quote(key)}`;
    const record = readRecord(mistakes, value, { what, record: "cache", help });
    const folders = record?.entries.get("paths");
    if (record !== null && folders === undefined) {
      mistakes.add({ code: "pipeline/missing-key", message: `${what} has no paths`, help, span: keySpan });
    }
    if (record === null || folders === undefined) continue;
    const paths = readTexts(mistakes, folders.value, { what: "`paths`", each: "a folder", help, countMax });
    checkPatterns(mistakes, paths, true);
    const keyNode = record.entries.get("key");
    const keyRecord =
      keyNode === undefined
        ? null
        : readRecord(mistakes, keyNode.value, { what: "`key`", record: "cacheKey", help });
    const filesNode = keyRecord?.entries.get("files");
    if (keyNode !== undefined && keyRecord !== null && filesNode === undefined)
      mistakes.add({
        code: "pipeline/missing-key",
        message: "the key has no files",
        help: "write `key: { files: [LOCKFILE] }`",
        span: keyNode.keySpan,
      });
    const files =
      filesNode === undefined
        ? []
        : readTexts(mistakes, filesNode.value, { what: "`files`", each: "a pattern", help, countMax });
    checkPatterns(mistakes, files);
    caches.push({ name: key, paths: texts(paths), keyFiles: texts(files) });
  }
  return caches.sort((left, right) => compareText(left.name, right.name));
}

function texts(read: readonly Text[]): readonly string[] {
  return [...new Set(read.map(({ text }) => text))].sort(compareText);
}

export function readCredentials(mistakes: Mistakes, node: YamlNode): readonly StepCredential[] {
  const help = "write `credentials: { NAME: { http: https://HOST } }`";
  const entries = readNamed(mistakes, node, {
    what: "`credentials`",
    noun: "a credential",
    names: plainNames,
    help,
  });
  overLimit(mistakes, { count: entries.length, countMax, what: "`credentials`", span: node.span });
  const credentials: StepCredential[] = [];
  for (const { key, value } of entries) {
    if (value.kind === "scalar" && value.value !== null) {
      mistakes.add({
        code: "pipeline/secret-in-file",
        message: `the credential ${quote(key)} is written down: a pipeline file says what it is for, never its value`,
        help: "write where it may be sent, as `{ http: https://HOST }`, and keep the value out of the repository",
        span: value.span,
      });
      continue;
    }
    const what = `the credential ${quote(key)}`;
    const record = readRecord(mistakes, value, { what, record: "credential", help });
    const [kind, second] = credentialKinds.filter((known) => record?.entries.has(known));
    const found = kind === undefined ? undefined : record?.entries.get(kind);
    if (record !== null && (found === undefined || second !== undefined)) {
      mistakes.add({
        code: "pipeline/bad-credential",
        message: `${what} must say one thing that it may be used for`,
        help,
        span: value.span,
      });
    }
    if (kind === undefined || found === undefined || second !== undefined) continue;
    const to = readText(mistakes, found.value, { what: quote(kind), help });
    if (to === null) continue;
    const expose = readExposure(mistakes, record?.entries.get("expose")?.value, kind);
    const fits = isPlaceOf(kind, to);
    if (fits) credentials.push({ name: key, kind, to, ...(expose === null ? {} : { expose }) });
    else
      mistakes.add({
        code: "pipeline/bad-address",
        message: `${quote(to)} is no place that a credential can be bound to`,
        help: placeHelp[kind] ?? "write `https://HOST/PATH`, without a user and a password",
        span: found.value.span,
      });
  }
  return credentials.sort((left, right) => compareText(left.name, right.name));
}

/** Null: it is not, as usual. */
function readExposure(
  mistakes: Mistakes,
  node: YamlNode | undefined,
  kind: StepCredential["kind"],
): NonNullable<StepCredential["expose"]> | null {
  if (node === undefined) return null;
  const said = node.kind === "scalar" ? node.value : null;
  if (kind !== "ssh" && said === true) return "file";
  if (kind !== "ssh" && said === "variable") return "variable";
  mistakes.add({
    code: "pipeline/bad-credential",
    message:
      kind === "ssh" ? "a key for SSH is given to no step" : "`expose` is no way to give a step a secret",
    help:
      kind === "ssh"
        ? "remove `expose`: the step has an agent that signs its logins"
        : "write `expose: true` for a file, or `expose: variable`",
    span: node.span,
  });
  return null;
}

const placeHelp: Readonly<Partial<Record<StepCredential["kind"], string>>> = {
  oci: "write the host",
  ssh: "write `USER@HOST`, or `USER@HOST:PORT`",
  oidc: "write the audience",
};

function isPlaceOf(kind: StepCredential["kind"], to: string): boolean {
  if (kind === "ssh") return sshPlaceOf(to) !== null;
  return kind === "oci" || kind === "oidc" ? /^[^\s/@]\S{0,299}$/.test(to) : isHttpAddress(to);
}

export function readReports(mistakes: Mistakes, node: YamlNode): readonly StepReportFiles[] {
  const help = "write `reports: { junit: reports/**/*.xml }`";
  const record = readRecord(mistakes, node, { what: "`reports`", record: "reports", help });
  const junit = record?.entries.get("junit");
  if (junit === undefined) return [];
  const patterns = readTexts(mistakes, junit.value, { what: "`junit`", each: "a pattern", help, countMax });
  checkPatterns(mistakes, patterns);
  return [{ format: "junit", files: texts(patterns) }];
}

export type Requirements = {
  readonly labels: readonly LabelDeclaration[];
  readonly sandbox: SandboxLevel | null;
  readonly image: { readonly name: string; readonly orHost: boolean } | null;
};

const memoryUnits = { MiB: 1, GiB: 1_024, TiB: 1_024 * 1_024 } as const;

export function readRequirements(mistakes: Mistakes, node: YamlNode): Requirements {
  const help = 'write `requires: { os: linux, tools: { ruby: "3.4" }, memory: 8GiB }`';
  const labels: LabelDeclaration[] = [];
  const record = readRecord(mistakes, node, { what: "`requires`", record: "requires", help });
  if (record === null) return { labels, sandbox: null, image: null };
  const at = (key: string): YamlNode | undefined => record.entries.get(key)?.value;
  for (const key of ["os", "arch"] as const) {
    const found = at(key);
    const text = found && readText(mistakes, found, { what: quote(key), help });
    if (found !== undefined && typeof text === "string")
      labels.push(...checkLabel(mistakes, { key, compare: "=", written: text, span: found.span }));
  }
  const named = at("labels");
  if (named !== undefined) labels.push(...readLabels(mistakes, named));
  const tools = at("tools");
  if (tools?.kind === "list" || tools?.kind === "map" || tools !== undefined) {
    const entries = readNamed(mistakes, tools, { what: "`tools`", noun: "a tool", names: plainNames, help });
    for (const { key, value } of entries) {
      if (value.kind !== "scalar" || value.value === null) {
        readText(mistakes, value, { what: `the version of ${quote(key)}`, help });
        continue;
      }
      const written = typeof value.value === "string" ? value.value : value.source;
      const tool = `tool.${key}`;
      if (written === "any")
        labels.push(...checkLabel(mistakes, { key: null, compare: "=", written: tool, span: value.span }));
      else labels.push(...checkLabel(mistakes, { key: tool, compare: "~", written, span: value.span }));
    }
  }
  const cores = at("cores");
  const count =
    cores &&
    readCount(mistakes, cores, { what: "`cores`", code: "pipeline/bad-requirement", min: 1, max: 10_000 });
  if (cores !== undefined && typeof count === "number")
    labels.push({
      key: "cores",
      compare: ">=",
      value: { kind: "text", text: String(count) },
      span: cores.span,
    });
  const memory = at("memory");
  const written = memory && readText(mistakes, memory, { what: "`memory`", help: "write `memory: 8GiB`" });
  if (memory !== undefined && typeof written === "string") {
    const match = /^([1-9]\d{0,5})(MiB|GiB|TiB)$/.exec(written);
    const unit = match?.[2] as keyof typeof memoryUnits | undefined;
    if (match === null || unit === undefined) {
      mistakes.add({
        code: "pipeline/bad-requirement",
        message: `${quote(written)} is no amount of memory`,
        help: "write for example `512MiB` or `8GiB`",
        span: memory.span,
      });
    } else {
      const mebibytes = String(Number(match[1]) * memoryUnits[unit]);
      labels.push({
        key: "memory",
        compare: ">=",
        value: { kind: "text", text: mebibytes },
        span: memory.span,
      });
    }
  }
  return {
    labels,
    sandbox: readSandbox(mistakes, at("sandbox")),
    image: readImage(mistakes, at("image"), at("or")),
  };
}

function readSandbox(mistakes: Mistakes, node: YamlNode | undefined): SandboxLevel | null {
  const text = node && readText(mistakes, node, { what: "`sandbox`", help: "write `sandbox: S2`" });
  if (node === undefined || typeof text !== "string") return null;
  const level = sandboxLevels.find((known) => known === text);
  if (level !== undefined) return level;
  mistakes.add({
    code: "pipeline/bad-requirement",
    message: `${quote(text)} is no level of isolation`,
    help: suggestion(text, sandboxLevels, "level"),
    span: node.span,
  });
  return null;
}

function readImage(
  mistakes: Mistakes,
  node: YamlNode | undefined,
  or: YamlNode | undefined,
): Requirements["image"] {
  const name = node && readText(mistakes, node, { what: "`image`", help: "write `image: NAME`" });
  const alternative = or && readText(mistakes, or, { what: "`or`", help: "write `or: host`" });
  if (or !== undefined && (alternative !== "host" || node === undefined))
    mistakes.add({
      code: "pipeline/bad-requirement",
      message:
        node === undefined
          ? "`or` stands beside an `image`"
          : `${quote(String(alternative))} is no place to run in`,
      help: node === undefined ? "name the image, or remove `or`" : "write `or: host`",
      span: or.span,
    });
  return typeof name === "string" ? { name, orHost: alternative === "host" } : null;
}
