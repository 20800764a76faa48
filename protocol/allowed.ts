/**
 * What a worker may say of itself: the domain gives out steps by labels and by how far a worker keeps them apart, so whoever invites
 * a worker may bound both. The bounds are in the worker's certificate, and stay in it when it is renewed.
 */

import { limits } from "./limits.ts";
import { sandboxLabelKey, type SandboxLevel, sandboxLevels } from "./plan.ts";

export type Allowed = {
  /** Labels that it may have besides those of its machine. */
  readonly labels: readonly string[];
  /** The highest level that counts, whatever the worker reaches. */
  readonly sandbox: SandboxLevel;
};

/** Labels that each machine has: they lead no step to where it was not meant to go. */
const machineKeys: ReadonlySet<string> = new Set(["os", "arch", "cores", "memory"]);

/** Those of the labels that count. @param allowed null: all of them. */
export function allowedLabels(allowed: Allowed | null, said: readonly string[]): readonly string[] {
  if (allowed === null) return said;
  const highest = sandboxLevels.indexOf(allowed.sandbox);
  const counts = (label: string): boolean => {
    const [key = "", value] = label.split("=");
    if (key === sandboxLabelKey) {
      const level = sandboxLevels.findIndex((one) => one === value);
      return level >= 0 && level <= highest;
    }
    return allowed.labels.includes(label) || (value !== undefined && machineKeys.has(key));
  };
  return said.filter(counts);
}

export function isAllowed(value: unknown): value is Allowed {
  const allowed = value as Allowed | null;
  return (
    Array.isArray(allowed?.labels) &&
    allowed.labels.length <= limits.entriesPerStepMax &&
    allowed.labels.every(
      (label: unknown) => typeof label === "string" && label.length <= limits.nameCharactersMax,
    ) &&
    sandboxLevels.includes(allowed.sandbox)
  );
}
