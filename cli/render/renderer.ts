/**
 * Shows a run while it goes on: chooses how, and makes the renderer for it.
 *
 *   const renderer = createRenderer({ mode: chooseMode({ json: false }, process.stdout, process.env), ... });
 *   for await (const item of watch) renderer.item(item);
 *   renderer.close(view);
 */

import { unreachable } from "../../protocol/errors.ts";
import { jsonRenderer } from "./json.ts";
import { plainRenderer } from "./plain.ts";
import type { Out, Renderer, RendererOptions } from "./terminal.ts";
import { treeRenderer } from "./tree.ts";

export type Mode = "tree" | "plain" | "json";

/** A tree needs a terminal that can move its cursor, and a person before it (`CI` says that there is none). */
export function chooseMode(
  asked: { readonly json?: boolean; readonly plain?: boolean },
  out: Out,
  environment: Readonly<Record<string, string | undefined>>,
): Mode {
  if (asked.json === true) return "json";
  const person = out.isTTY === true && !environment["CI"];
  return asked.plain === true || !person || environment["TERM"] === "dumb" ? "plain" : "tree";
}

/** Colours only on a terminal that has them, and never against `NO_COLOR`. */
export function wantsColor(out: Out): boolean {
  return out.isTTY === true && out.hasColors?.() === true;
}

/** @param options.color, options.every default to what the terminal can show and to real time. */
export function createRenderer(
  options: { readonly mode: Mode } & Pick<RendererOptions, "out" | "now"> & Partial<RendererOptions>,
): Renderer {
  const { mode, out, now, color = wantsColor(out), every = everyInterval } = options;
  switch (mode) {
    case "tree":
      return treeRenderer({ out, now, color, every });
    case "plain":
      return plainRenderer({ out, color });
    case "json":
      return jsonRenderer({ out });
    default:
      return unreachable(mode);
  }
}

function everyInterval(everyMs: number, callback: () => void): () => void {
  // Drawing is never a reason to stay: what is watched keeps the process alive.
  const timer = setInterval(callback, everyMs).unref();
  return () => clearInterval(timer);
}
