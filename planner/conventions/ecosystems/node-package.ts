/**
 * The fields of a package.json that the conventions look at.
 */

import { objectAt, readJsonObject } from "../jsonc.ts";

export type Package = {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly scripts: ReadonlyMap<string, string>;
  /** Names of the dependencies of all kinds. */
  readonly dependencies: ReadonlySet<string>;
  readonly hasDependencies: boolean;
  readonly workspaces: boolean;
};

/** Undefined when the text is not a JSON object. */
export function readPackage(text: string): Package | undefined {
  const fields = readJsonObject(text);
  if (fields === undefined) return undefined;
  const scripts = new Map<string, string>();
  for (const [name, body] of Object.entries(objectAt(fields, "scripts"))) {
    if (typeof body === "string" && body.trim() !== "") scripts.set(name, body);
  }
  const dependencies = new Set(
    ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"].flatMap((kind) =>
      Object.keys(objectAt(fields, kind)),
    ),
  );
  return {
    fields,
    scripts,
    dependencies,
    hasDependencies: dependencies.size > 0,
    workspaces: fields["workspaces"] !== undefined,
  };
}

/** A field that is a string. */
export function fieldOf(content: Package, name: string): string | undefined {
  const value = content.fields[name];
  return typeof value === "string" ? value : undefined;
}

/** `pnpm@9.1.0` from the `packageManager` field, or from `devEngines.packageManager`. */
export function declaredManager(content: Package): { name: string; version: string } | undefined {
  const field = fieldOf(content, "packageManager");
  if (field !== undefined) {
    const [name = "", version = ""] = field.split("@");
    return { name, version };
  }
  const engine = objectAt(objectAt(content.fields, "devEngines"), "packageManager");
  const { name, version } = engine;
  if (typeof name !== "string") return undefined;
  return { name, version: typeof version === "string" ? version : "" };
}
