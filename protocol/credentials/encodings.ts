/**
 * The forms in which a secret may turn up in bytes that others see: as it is, and as programs commonly write it.
 *
 * Of a secret with several lines each line is a secret of its own, since that is how keys are shown; what is made of the
 * whole has what is made of its lines in it. What is known here, and what is not, is in `README.md`.
 */

import { Buffer } from "node:buffer";

/** Shorter forms, and shorter values, would blank out what only happens to look like them. */
export const maskedBytesMin = 4;
/** Shorter lines of a longer secret are braces and the like. */
const lineBytesMin = 8;
/** How long the lines of base64 are: of `base64` and MIME, and of PEM. */
const wrappedAt = [76, 64] as const;

/** Every form that is looked for, each once. */
export function formsOf(secret: Uint8Array): readonly Buffer[] {
  const whole = Buffer.from(secret);
  const forms = linesOf(whole).flatMap(formsOfLine);
  for (const columns of wrappedAt) forms.push(...wrapped(whole.toString("base64"), columns));
  const distinct = new Map(forms.map((form) => [form.toString("latin1"), form]));
  return [...distinct.values()].filter((form) => form.length >= maskedBytesMin);
}

/** The lines of a secret that has several, else all of it; the words around a key in PEM are no secret. */
function linesOf(secret: Buffer): readonly Buffer[] {
  const lines = secret
    .toString("latin1")
    .split(/\r?\n/u)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("-----"));
  const telling = lines.length === 1 ? lines : lines.filter((line) => line.length >= lineBytesMin);
  const isTold = telling.some((line) => line.length >= maskedBytesMin);
  return isTold ? telling.map((line) => Buffer.from(line, "latin1")) : [secret];
}

function formsOfLine(line: Buffer): readonly Buffer[] {
  const forms = [line, Buffer.from(line).reverse(), ...hexOf(line), ...base64Of(line)];
  const text = line.toString("utf8");
  // What is no text has none of the forms of texts.
  if (!Buffer.from(text).equals(line)) return forms;
  for (const form of textForms(text)) forms.push(Buffer.from(form));
  const wide = Buffer.from(text, "utf16le");
  return [...forms, wide, Buffer.from(wide).swap16(), ...base64Of(wide)];
}

function hexOf(bytes: Buffer): readonly Buffer[] {
  const pairs = [...bytes].map((byte) => byte.toString(16).padStart(2, "0"));
  const joined = ["", " ", ":"].map((between) => pairs.join(between));
  const escaped = (upper: boolean): readonly string[] =>
    ["\\x", "%"].map((before) => pairs.map((pair) => before + (upper ? pair.toUpperCase() : pair)).join(""));
  const spelled = [...joined, ...joined.map((text) => text.toUpperCase())];
  return [...spelled, ...escaped(false), ...escaped(true)].map((text) => Buffer.from(text));
}

/** At each of the three places that a byte may have in it, without the characters that its neighbours have a part in. */
function base64Of(bytes: Buffer): readonly Buffer[] {
  const forms: Buffer[] = [];
  for (const offset of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
    const first = Math.ceil((offset * 8) / 6);
    const last = Math.floor((padded.length * 8) / 6);
    for (const alphabet of ["base64", "base64url"] as const) {
      const text = padded.toString(alphabet).replace(/=+$/u, "");
      // Also with the last character as it is where nothing follows.
      forms.push(Buffer.from(text.slice(first, last)), Buffer.from(text.slice(first)));
    }
  }
  return forms;
}

/** The lines that a long text is cut into; one that fits into a line is found without this. */
function wrapped(text: string, columns: number): readonly Buffer[] {
  if (text.length <= columns) return [];
  const lines: Buffer[] = [];
  for (let at = 0; at < text.length; at += columns) {
    const line = text.slice(at, at + columns).replace(/=+$/u, "");
    if (line.length >= lineBytesMin) lines.push(Buffer.from(line));
  }
  return lines;
}

function textForms(text: string): readonly string[] {
  return [...jsonForms(text), ...urlForms(text), ...xmlForms(text), ...shellForms(text)];
}

function jsonForms(text: string): readonly string[] {
  const plain = jsonOf(text);
  const units = (escape: (unit: string) => string, what: RegExp): string => plain.replace(what, escape);
  const lower = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  const upper = (unit: string): string =>
    `\\u${unit.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  const beyond = /[\u0080-\uffff]/g;
  // Go and browsers escape what means something in HTML as well; PHP the slash.
  const careful = /[\u0080-\uffff<>&']/g;
  const more = [units(lower, beyond), units(upper, beyond), units(lower, careful), units(upper, careful)];
  return [plain, ...more, plain.replaceAll("/", "\\/"), jsonOf(plain)];
}

function jsonOf(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function urlForms(text: string): readonly string[] {
  const component = encodeURIComponent(text.toWellFormed());
  const strict = component.replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
  const forms = [component, strict, component.replaceAll("%20", "+"), strict.replaceAll("%20", "+")];
  // A path keeps what a parameter does not.
  forms.push(encodeURI(text.toWellFormed()), new URLSearchParams([["", text]]).toString().slice(1));
  return [...forms, ...forms.map(lowerEscapes)];
}

function lowerEscapes(text: string): string {
  return text.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase());
}

function xmlForms(text: string): readonly string[] {
  const content = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const quoted = content.replaceAll('"', "&quot;");
  const apostrophes = ["&#39;", "&apos;", "&#x27;", "&#039;"].map((one) => quoted.replaceAll("'", one));
  return [content, quoted, ...apostrophes, ...apostrophes.map((form) => form.replaceAll('"', "&#34;"))];
}

function shellForms(text: string): readonly string[] {
  const inDouble = text.replace(/[\\"$`]/g, "\\$&");
  const bare = text.replace(/[^A-Za-z0-9_@%+=:,./\u0080-\uffff-]/g, "\\$&");
  const inDollar = text.replace(/[\\']/g, "\\$&").replaceAll("\t", "\\t");
  return [text.replaceAll("'", "'\\''"), text.replaceAll("'", `'"'"'`), inDouble, bare, inDollar];
}
