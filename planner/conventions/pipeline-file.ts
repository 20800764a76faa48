/**
 * The `otto.yaml` that one would have written by hand for a detected pipeline. Planned, it has the same steps.
 */

import { stringify } from "yaml";
import type { DetectedStep, Found } from "./detect.ts";

export function writePipelineFile(detection: Found): string {
  const { name, steps } = detection.pipeline;
  return [
    "# Written by `otto init` from what this repository shows. Each step runs in a fresh copy of the sources;",
    "# `otto explain` says what this file means, `otto run` runs it.",
    "otto: 1",
    `pipeline: ${scalar(name)}`,
    "steps:",
    ...steps.flatMap((step, index) => [...(index === 0 ? [] : [""]), ...stepLines(step)]),
    "",
  ].join("\n");
}

function stepLines(step: DetectedStep): readonly string[] {
  const reasons = step.reason.split("; ").map((reason) => `  # ${reason}`);
  const needs = step.needs.length === 0 ? [] : [`    needs: [${step.needs.map(scalar).join(", ")}]`];
  const variables = Object.entries(step.variables);
  const env =
    variables.length === 0
      ? []
      : ["    env:", ...variables.map(([name, value]) => `      ${name}: ${scalar(value)}`)];
  const caches = step.caches.length === 0 ? [] : ["    caches:", ...step.caches.flatMap(cacheLines)];
  const [only, ...more] = step.commands;
  const run =
    only !== undefined && more.length === 0
      ? [`    run: ${scalar(only)}`]
      : ["    run:", ...step.commands.map((command) => `      - ${scalar(command)}`)];
  return [...reasons, `  ${scalar(step.name)}:`, ...needs, ...env, ...caches, ...run];
}

/** What is downloaded, kept until one of the key files changes. */
function cacheLines({ name, paths, keyFiles }: DetectedStep["caches"][number]): readonly string[] {
  const list = (values: readonly string[]): string => `[${values.map(inFlow).join(", ")}]`;
  const key = `key: { files: ${list(keyFiles)} }`;
  const line = `      ${scalar(name)}: { paths: ${list(paths)}, ${key} }`;
  return line.length <= 110
    ? [line]
    : [`      ${scalar(name)}:`, `        paths: ${list(paths)}`, `        ${key}`];
}

/** In a flow list more signs mean something. */
function inFlow(value: string): string {
  return /^[\w./~][\w./~ -]*$/.test(value) && scalar(value) === value ? value : JSON.stringify(value);
}

function scalar(value: string): string {
  return stringify(value, { lineWidth: 0 }).trimEnd();
}
