/**
 * Which file of a repository says which version of a compiler, an interpreter or a tool it wants. Nothing is
 * installed from it: the worker brings the tools, and whoever reads the plan sees what they should be.
 */

import type { Repository, Signal, Toolchain } from "./convention.ts";
import { readToml } from "./toml.ts";

const lists = [".tool-versions", ".sdkmanrc"];
const tables = ["mise.toml", ".mise.toml"];

/** The files that declare versions of several tools. */
export const toolVersionFiles: readonly string[] = [...lists, ...tables];

/** What those files say, each read once: for every file the version of every tool that it names. */
export type ToolVersions = ReadonlyMap<string, ReadonlyMap<string, string>>;

export function readToolVersions(repository: Repository): ToolVersions {
  return new Map([
    ...lists.map((file) => [file, versionsListed(repository.text(file))] as const),
    ...tables.map((file) => [file, versionsInTable(repository.text(file))] as const),
  ]);
}

/** For each toolchain what declares its version, its own files first, every one that does. */
export function versionSignals(
  repository: Repository,
  shared: ToolVersions,
  toolchains: readonly Toolchain[],
): readonly Signal[] {
  return toolchains.flatMap(({ title, names, files }) => {
    const own = files.map(({ file, says }) => [file, ownVersion(repository.text(file), says)] as const);
    const others = [...shared].map(([file, versions]) => {
      const name = names.find((one) => versions.has(one));
      return [file, name === undefined ? undefined : versions.get(name)] as const;
    });
    return [...own, ...others].flatMap(([signal, version]) =>
      version === undefined || !isPlain(version)
        ? []
        : [{ signal, reason: `declares the version of ${title}: ${version}` }],
    );
  });
}

/** Short and without anything that could make the reason say otherwise. */
function isPlain(version: string): boolean {
  return /^[!-~](?:[ -~]{0,58}[!-~])?$/.test(version);
}

function ownVersion(text: string, says: RegExp | undefined): string | undefined {
  if (says !== undefined) return says.exec(text)?.[1]?.trim();
  return text
    .split("\n")
    .map((line) => line.trim())
    .find((line) => line !== "" && !line.startsWith("#"));
}

/** `nodejs 22.1.0` or `java=21-tem`; of several lines about one tool the first. */
function versionsListed(text: string): ReadonlyMap<string, string> {
  const versions = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [name = "", version] = line.trim().split(/[ \t=]+/, 2);
    if (version !== undefined && !versions.has(name)) versions.set(name, version);
  }
  return versions;
}

function versionsInTable(text: string): ReadonlyMap<string, string> {
  const tools = [...(readToml(text).get("tools") ?? [])];
  return new Map(
    tools.flatMap(([name, version]): [string, string][] =>
      typeof version === "string" ? [[name, version]] : [],
    ),
  );
}
