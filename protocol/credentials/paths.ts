/**
 * Paths of requests and the templates that they are held against.
 *
 * A path that two programs could read in two ways is refused before it is matched: whoever judges a path must judge the
 * one that is served. Templates are anchored at both ends and are no regular expressions: `/apps/{}/releases`, `/v1/**`.
 */

import { limits } from "../limits.ts";

/** Why the path is not even looked at, as the end of a sentence; null: it means one thing. */
export function pathProblem(path: string): string | null {
  if (path.length > limits.credentialPathCharactersMax) return "it is too long";
  if (!path.startsWith("/")) return "it does not begin with a slash";
  if (/[^\x21-\x7e]/u.test(path)) return "it has control or non-ASCII characters";
  if (/[\\;#?]/u.test(path)) return "it has a backslash, a semicolon or the like";
  if (path.includes("//")) return "it has an empty segment";
  if (/%(?![0-9a-f]{2})/iu.test(path)) return "it has a percent sign that encodes nothing";
  if (/%(2e|2f|5c|25|3b|0[0-9a-f]|1[0-9a-f]|7f|[89a-f][0-9a-f])/iu.test(path))
    return "it has an encoded dot, slash, backslash, percent sign or control character";
  if (path.split("/").some((segment) => segment === "." || segment === "..")) return "it has a dot segment";
  return null;
}

export function isPathTemplate(template: string): boolean {
  const body = template.endsWith("/**") ? template.slice(0, -2) : template;
  return pathProblem(body.replaceAll("{}", "x")) === null && !body.includes("*");
}

/** @param path one that `pathProblem` has nothing against. */
export function matchesTemplate(template: string, path: string): boolean {
  const wanted = template.split("/");
  const segments = path.split("/");
  const isOpen = wanted.at(-1) === "**";
  if (isOpen) wanted.pop();
  if (isOpen ? segments.length < wanted.length : segments.length !== wanted.length) return false;
  return wanted.every((segment, at) => (segment === "{}" ? segments[at] !== "" : segment === segments[at]));
}

/** True when some path of the template lies at or below the prefix, or above it and open. */
export function isUnderPrefix(template: string, prefix: string): boolean {
  if (prefix === "") return true;
  const wanted = template.split("/");
  const segments = prefix.split("/");
  for (const [at, segment] of segments.entries()) {
    const other = wanted[at];
    if (other === "**") return true;
    if (other === undefined || (other !== "{}" && other !== segment)) return false;
  }
  return true;
}
