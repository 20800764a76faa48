/**
 * Which glob patterns may be written: relative to the workspace, `/`-separated, never leading out of it.
 */

import { limits } from "../protocol/limits.ts";
import { hasClosedBrackets, isSafePattern } from "../protocol/names.ts";
import { alternativesOf } from "../protocol/braces.ts";

/** Why a pattern cannot be used, and what to write instead; null when it can. */
export function patternProblem(pattern: string): { readonly message: string; readonly help: string } | null {
  if (pattern.startsWith("/") || /^[A-Za-z]:/.test(pattern)) {
    return { message: "a pattern is relative to the workspace", help: `write \`${strip(pattern)}\`` };
  }
  if (pattern.startsWith("~")) {
    return {
      message: "a pattern is relative to the workspace",
      help: "copy the files into the workspace first",
    };
  }
  if (pattern.includes("\\")) {
    return { message: "a pattern has no backslash", help: `write \`${pattern.replaceAll("\\", "/")}\`` };
  }
  if (pattern.startsWith("!")) {
    return { message: "a pattern cannot exclude files", help: "list the patterns of what to keep" };
  }
  if (pattern.endsWith("/")) {
    return { message: "a pattern names files, not a folder", help: `write \`${strip(pattern)}/**\`` };
  }
  if (pattern.split(/[/{},]/).includes("..")) {
    return {
      message: "a pattern cannot leave the workspace",
      help: "copy the files into the workspace first",
    };
  }
  if (!hasClosedBrackets(pattern)) {
    return { message: "a bracket is opened and not closed", help: "close the `[` or `{`" };
  }
  if (pattern.includes("{") && alternativesOf(pattern) === null) {
    return {
      message: `its braces come to more than ${limits.patternAlternativesMax} patterns`,
      help: "use `*`, or fewer alternatives",
    };
  }
  if (!isSafePattern(pattern)) {
    return {
      message: "a pattern has no empty, `.` or `.git` part",
      help: "write it like `dist/**` or `build/*.tar.gz`",
    };
  }
  return null;
}

function strip(pattern: string): string {
  const stripped = pattern.replace(/^[A-Za-z]:/, "").replace(/^\/+|\/+$/g, "");
  return stripped === "" ? "**" : stripped;
}
