/** Sizes for people to read, never depending on a locale. */

/** "0 B", "999 B", "1.0 KiB", "64 MiB": one decimal below ten. */
export function sizeWords(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let amount = bytes;
  let unit = 0;
  while (unit < units.length - 1 && (unit === 0 ? amount >= 1024 : Math.round(amount) >= 1024)) {
    amount /= 1024;
    unit += 1;
  }
  const digits = unit > 0 && amount < 9.95 ? 1 : 0;
  return `${amount.toFixed(digits)} ${units[unit] ?? ""}`;
}
