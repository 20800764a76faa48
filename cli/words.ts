/**
 * How the command line says numbers, names and errors. Pure: what it says depends on its arguments alone, never
 * on a locale, so that output can be compared and searched.
 */

import { styleText } from "node:util";

import { exitCodes } from "../protocol/errors.ts";
import type { OttoError } from "../protocol/errors.ts";
import { visible } from "./render/sanitize.ts";

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** A measured time: "850 ms", "1.2 s", "3 min 20 s", "1 h 5 min", "2 d 3 h". */
export function durationWords(durationMs: number): string {
  const ms = Math.max(0, Math.round(durationMs));
  if (ms < secondMs) return `${ms} ms`;
  const tenths = Math.round(ms / 100);
  if (tenths < 600) return `${(tenths / 10).toFixed(1)} s`;
  return elapsedWords(Math.round(ms / secondMs) * secondMs);
}

/** A time that still runs, in whole units, so that it does not flicker: "0 s", "12 s", "3 min 20 s". */
export function elapsedWords(elapsedMs: number): string {
  const ms = Math.max(0, elapsedMs);
  if (ms < minuteMs) return `${Math.floor(ms / secondMs)} s`;
  if (ms < hourMs) return twoUnits(ms, minuteMs, "min", secondMs, "s");
  if (ms < dayMs) return twoUnits(ms, hourMs, "h", minuteMs, "min");
  return twoUnits(ms, dayMs, "d", hourMs, "h");
}

/** "just now", "12 s ago", "3 min ago", "2 d ago"; a moment ahead of our clock is "just now". */
export function agoWords(timeMs: number, nowMs: number): string {
  const ms = nowMs - timeMs;
  if (ms < secondMs) return "just now";
  if (ms < minuteMs) return `${Math.floor(ms / secondMs)} s ago`;
  if (ms < hourMs) return `${Math.floor(ms / minuteMs)} min ago`;
  if (ms < dayMs) return `${Math.floor(ms / hourMs)} h ago`;
  return `${Math.floor(ms / dayMs)} d ago`;
}

/** A minute, in UTC: "2026-11-23 03:00". */
export function momentWords(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 16).replace("T", " ");
}

/** "1 step", "2 steps", "12,000 steps". */
export function countWords(count: number, one: string, many = `${one}s`): string {
  return `${String(count).replace(/\B(?=(\d{3})+$)/g, ",")} ${count === 1 ? one : many}`;
}

/** The start and the end of a long id, enough to tell peers apart: "12D3…abcd". Short ones stay whole. */
export function shortId(id: string): string {
  return id.length <= 12 ? id : `${id.slice(0, 4)}…${id.slice(-4)}`;
}

/** A word for a shell: quoted only when it must be. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The whole text of an error on the terminal: what, the state now, what to do next, and the code to look up. */
export function formatError(error: OttoError, color: boolean): string {
  // A node that was asked may have said these words.
  const shown = (text: string): string => text.split("\n").map(visible).join("\n");
  const lines = [`${paintError("otto:", color)} ${shown(error.message)}`];
  if (error.state !== undefined) lines.push(shown(error.state));
  lines.push(`Next: ${shown(error.next)}`, `Code: ${error.code}`);
  return lines.join("\n");
}

/**
 * The text of a bug of ours: anything thrown that is not an `OttoError`.
 *
 * @param options.debug show where it was thrown (`OTTO_DEBUG=1`).
 */
export function formatBug(error: unknown, options: { color: boolean; debug: boolean }): string {
  const message = error instanceof Error ? error.message : String(error);
  const lines = [
    `${paintError("otto:", options.color)} This is a bug in Otto, not a mistake of yours: ${message}`,
  ];
  if (options.debug) lines.push(stackOf(error));
  lines.push(
    options.debug
      ? "Next: Report it with the lines above and what you did before."
      : "Next: Run it again with OTTO_DEBUG=1 and report what it prints and what you did before.",
    `Code: OTTO_BUG (exit code ${exitCodes.bug})`,
  );
  return lines.join("\n");
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return "(thrown without a stack)";
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\nCaused by: ${stackOf(error.cause)}`;
}

function paintError(text: string, color: boolean): string {
  return color ? styleText(["red", "bold"], text, { validateStream: false }) : text;
}

function twoUnits(ms: number, largeMs: number, large: string, smallMs: number, small: string): string {
  const rest = Math.floor((ms % largeMs) / smallMs);
  const whole = `${Math.floor(ms / largeMs)} ${large}`;
  return rest === 0 ? whole : `${whole} ${rest} ${small}`;
}
