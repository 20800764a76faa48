/**
 * The error of every command that needs a pipeline where there is none and none can be detected.
 */

import { OttoError } from "../../protocol/errors.ts";
import type { Match } from "./convention.ts";
import { soughtSignals } from "./detect.ts";

/** @param folder the repository, as the person knows it. */
export function nothingDetected(folder: string, rejected: readonly Match[]): OttoError {
  const sought = soughtSignals.map(({ ecosystem, signals }) => `${ecosystem} (${signals[0] ?? ""})`);
  const seen = rejected.map(({ signal, reason }) => `${signal} ${reason}`);
  return new OttoError("OTTO_NO_PIPELINE", {
    what: `${folder} has no otto.yaml, and its files do not show how to build or test it.`,
    state: [
      `Looked at its root, and in subfolders, for ${sought.join(", ")} and the like.`,
      ...(seen.length === 0 ? [] : [`Seen, but not enough: ${seen.join("; ")}.`]),
    ].join("\n"),
    next: "Write a first otto.yaml with your own commands: printf 'otto: 1\\nsteps:\\n  test:\\n    run: make test\\n' > otto.yaml",
  });
}
