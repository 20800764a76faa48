/**
 * What a step may do to a terminal: nothing but show text. A step's output, its name and its reasons are written
 * by others, so control sequences are taken out before they reach a screen.
 *
 * Works on whole lines: an escape sequence that was cut by a chunk boundary is whole again when its line is.
 */

const escape = "\u001b";
const bell = "\u0007";
const textOfString = `[\\]PX^_][^${bell}${escape}]*`;
// CSI, the strings (OSC, DCS, SOS, PM, APC) up to their end or the line's, and all shorter ones. What a line's end
// leaves unfinished goes too.
const sequences = new RegExp(
  `${escape}(?:\\[[0-?]*[ -/]*[@-~]?|${textOfString}(?:${bell}|${escape}\\\\)?|[ -/]*[0-~]?)|\u009b[0-?]*[ -/]*[@-~]?`,
  "g",
);
const color = new RegExp(`^${escape}\\[[0-9;:]*m$`);
const unfinished = new RegExp(`${escape}(?:\\[[0-?]*[ -/]*|${textOfString}${escape}?)?$`);
const controls = /[\p{Cc}--\t]/gv;
const controlsButEscape = new RegExp(`[\\p{Cc}--[\\t${escape}]]`, "gv");
// Marks that reorder the rest of the line, and line separators.
const direction = /[\u202a-\u202e\u2066-\u2069\u2028\u2029]/g;
const anythingSpecial = /[^ -~]/;

/** Text to show inside a line of ours: no control characters at all, tabs as one space. */
export function visible(text: string): string {
  if (!anythingSpecial.test(text)) return text;
  return text.replace(sequences, "").replaceAll("\t", " ").replace(controls, "").replace(direction, "");
}

/**
 * One line of a step's output, without its line end, as it would stand on a terminal after its carriage returns.
 *
 * @param colors true: keep colours (SGR), and end them with the line.
 */
export function outputLine(raw: string, colors: boolean): string {
  const line = lastOverwrite(raw);
  if (!anythingSpecial.test(line)) return line;
  if (!colors) return line.replace(sequences, "").replace(controls, "");
  let colored = false;
  const kept = line.replace(sequences, (found) => {
    if (!color.test(found)) return "";
    colored = true;
    return found;
  });
  return kept.replace(controlsButEscape, "") + (colored ? "\u001b[0m" : "");
}

/** What is left of a line after carriage returns: the last piece that wrote something. */
export function lastOverwrite(line: string): string {
  if (!line.includes("\r")) return line;
  return line.split("\r").findLast((piece) => piece !== "") ?? "";
}

/** Where an escape sequence begins that the end of the text cuts; the text's length when none is cut. */
export function unfinishedFrom(text: string): number {
  const found = text.search(unfinished);
  return found === -1 ? text.length : found;
}
