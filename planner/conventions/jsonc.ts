/**
 * Reads JSON as tools read their own configuration: with comments and commas before a closing bracket. What cannot
 * be read is undefined, because a file that its own tool would refuse is that tool's to report.
 */

/** The members of the object that the text is; undefined when it is none. */
export function readJsonObject(text: string): Readonly<Record<string, unknown>> | undefined {
  // Neither an object nor a comment before one.
  if (!/^\s*[{/]/.test(text)) return undefined;
  try {
    return asObject(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  try {
    return asObject(JSON.parse(withoutExtras(text)));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The object at a key; an empty one when there is none. */
export function objectAt(
  fields: Readonly<Record<string, unknown>> | undefined,
  name: string,
): Readonly<Record<string, unknown>> {
  return asObject(fields?.[name]) ?? {};
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  return isObject(value) ? value : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Strings as they are, comments out, and a comma out that only white space and comments part from a bracket. */
function withoutExtras(text: string): string {
  const kept: string[] = [];
  for (let index = 0; index < text.length;) {
    const end = tokenEnd(text, index);
    const token = text.slice(index, end);
    if (!token.startsWith("//") && !token.startsWith("/*")) kept.push(token);
    index = end;
  }
  let follows = "";
  for (let index = kept.length - 1; index >= 0; index -= 1) {
    const token = kept[index] ?? "";
    if (token === "," && (follows === "}" || follows === "]")) kept[index] = "";
    if (token.trim() !== "") follows = token;
  }
  return kept.join("");
}

/** Where the string, the comment or the character that begins here ends; what is never closed ends with the text. */
function tokenEnd(text: string, start: number): number {
  const isComment = text[start] === "/" && (text[start + 1] === "/" || text[start + 1] === "*");
  if (isComment) {
    const close = text[start + 1] === "/" ? "\n" : "*/";
    const at = text.indexOf(close, start + 2);
    return at === -1 ? text.length : at + (close === "\n" ? 0 : close.length);
  }
  if (text[start] !== '"') return start + 1;
  let index = start + 1;
  while (index < text.length && text[index] !== '"') index += text[index] === "\\" ? 2 : 1;
  return Math.min(index + 1, text.length);
}
