/**
 * A pipeline file as bytes or a string becomes text that is safe to parse: bounded, valid UTF-8, no NUL.
 *
 * Promises: decided before any parsing, in time linear in `limits.pipelineFileBytesMax`, and a file that is
 * larger is never looked at.
 */

import { isUtf8 } from "node:buffer";
import { limits } from "../protocol/limits.ts";
import { type Mistakes, withoutMark } from "./diagnostics.ts";

/** The text without its byte order mark. It is worth parsing when no mistake was added. */
export function readSource(source: string | Uint8Array, mistakes: Mistakes): string {
  const size = source.length;
  if (size > limits.pipelineFileBytesMax) {
    mistakes.add({
      code: "pipeline/too-large",
      message: `the file has more than ${limits.pipelineFileBytesMax / 1024} KiB`,
      help: "split the pipeline, or move long commands into scripts of the repository",
      span: { start: 0, end: 0 },
    });
    return "";
  }
  const text = typeof source === "string" ? withoutMark(source) : decode(source, mistakes);
  checkCharacters(text, mistakes);
  return text;
}

function decode(bytes: Uint8Array, mistakes: Mistakes): string {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const kept = withoutMark(text);
  if (isUtf8(bytes)) return kept;
  // Whatever is not UTF-8 was replaced, so encoding the text again differs from there on.
  const again = new TextEncoder().encode(text);
  const wrong = bytes.findIndex((byte, index) => byte !== again[index]);
  const before = bytes.subarray(0, wrong === -1 ? bytes.length : wrong);
  const start = new TextDecoder("utf-8").decode(before, { stream: true }).length;
  mistakes.add({
    code: "pipeline/not-utf8",
    message: "the bytes here are not UTF-8",
    help: "save the file as UTF-8",
    span: { start, end: start + 1 },
  });
  return kept;
}

/** YAML allows no control characters but tab and line ends; one would hide what a command really says. */
function checkCharacters(text: string, mistakes: Mistakes): void {
  const found = /(?![\t\n\r\u0080-\u009f])\p{Cc}/u.exec(text);
  if (found !== null) {
    const code = found[0].charCodeAt(0);
    mistakes.add({
      code: "pipeline/control-character",
      message: `the control character U+${code.toString(16).toUpperCase().padStart(4, "0")} is in the file`,
      help: "remove it; inside double quotes it can be written as an escape",
      span: { start: found.index, end: found.index + 1 },
    });
    return;
  }
  if (text.trim() === "") {
    mistakes.add({
      code: "pipeline/empty",
      message: "the file is empty",
      help: "write `otto: 1` and `steps:`; `otto init` makes a file from what the repository shows",
      span: { start: 0, end: 0 },
    });
  }
}
