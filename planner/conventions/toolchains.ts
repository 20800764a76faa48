/**
 * Which file of a repository says which version of a compiler, an interpreter or a tool it wants. Nothing is
 * installed from it: the worker brings the tools, and whoever reads the plan sees what they should be.
 */

import type { Repository, Signal, Toolchain } from "./convention.ts";
import { readToml } from "./toml.ts";

const asdf = ".tool-versions";
const mise = ["mise.toml", ".mise.toml"];
const sdkman = ".sdkmanrc";

/** The files that declare versions of several tools. */
export const toolVersionFiles: readonly string[] = [asdf, sdkman, ...mise];

/** For each toolchain what declares its version: its own file first, every one that does. */
export function versionSignals(repository: Repository, toolchains: readonly Toolchain[]): readonly Signal[] {
  return toolchains.flatMap(({ title, names, files }) => {
    const own = files.map(({ file, says }): Declared => [file, ownVersion(repository.text(file), says)]);
    const shared = [
      ...[asdf, sdkman].map((file): Declared => [file, lineFor(repository.text(file), names)]),
      ...mise.map((file): Declared => [file, tableFor(repository.text(file), names)]),
    ];
    return [...own, ...shared].flatMap(([signal, version]) =>
      version === undefined || !isPlain(version)
        ? []
        : [{ signal, reason: `declares the version of ${title}: ${version}` }],
    );
  });
}

type Declared = readonly [file: string, version: string | undefined];

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

/** `nodejs 22.1.0` or `java=21-tem`. */
function lineFor(text: string, names: readonly string[]): string | undefined {
  for (const line of text.split("\n")) {
    const [name = "", version] = line.trim().split(/[ \t=]+/, 2);
    if (version !== undefined && names.includes(name)) return version;
  }
  return undefined;
}

function tableFor(text: string, names: readonly string[]): string | undefined {
  const tools = readToml(text).get("tools");
  const version = names.map((name) => tools?.get(name)).find((value) => typeof value === "string");
  return typeof version === "string" ? version : undefined;
}
