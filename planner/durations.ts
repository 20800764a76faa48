/**
 * Durations as people write them: `90s`, `10m`, `2h`, `1h30m`. In milliseconds everywhere else.
 */

const unitsMs: readonly (readonly [unit: string, ms: number])[] = [
  ["d", 24 * 60 * 60_000],
  ["h", 60 * 60_000],
  ["m", 60_000],
  ["s", 1_000],
];

const durationPattern = /^(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?$/;

/** Milliseconds, or null when the text is no duration. Zero is none: a step that may take no time cannot run. */
export function parseDuration(text: string): number | null {
  const match = durationPattern.exec(text);
  if (match === null) return null;
  let total = 0;
  for (const [index, [, ms]] of unitsMs.entries()) total += Number(match[index + 1] ?? 0) * ms;
  return total > 0 ? total : null;
}

/** The shortest way to write a duration; what is below a second is rounded up. */
export function formatDuration(durationMs: number): string {
  let rest = Math.ceil(durationMs / 1_000) * 1_000;
  let text = "";
  for (const [unit, ms] of unitsMs) {
    const count = Math.floor(rest / ms);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * ms;
  }
  return text === "" ? "0s" : text;
}
