/** What processes keep in memory over time: the slope of each one's heap after its warm-up. Pure but for the clock. */

/**
 * A process compiles and fills what is bounded for so long: what it grows by then is left out. A line each of 1,000 runs is kept
 * in memory (`limits.summariesInMemoryMax`), which a calm mesh of 40 runs a minute has after 25 minutes.
 */
const warmUpMs = 25 * 60_000;
const hourMs = 3_600_000;

type Sample = { readonly atMs: number; readonly heapBytes: number; readonly rssBytes: number };

export class Growth {
  readonly #samples = new Map<string, Sample[]>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** @param memory by process: one that was started anew has another name. */
  add(memory: ReadonlyMap<string, NodeJS.MemoryUsage>): void {
    for (const [name, { heapUsed, rss }] of memory) {
      const known = this.#samples.get(name) ?? [];
      this.#samples.set(name, known);
      known.push({ atMs: this.#now(), heapBytes: heapUsed, rssBytes: rss });
    }
  }

  /** Bytes an hour, by least squares over what came after the warm-up; null while that is less than three samples. */
  slope(name: string): number | null {
    const samples = this.#samples.get(name) ?? [];
    const [first] = samples;
    const warm = samples.filter(({ atMs }) => atMs - (first?.atMs ?? 0) >= warmUpMs);
    if (warm.length < 3) return null;
    const mean = (of: (sample: Sample) => number) =>
      warm.reduce((sum, one) => sum + of(one), 0) / warm.length;
    const atMs = mean((sample) => sample.atMs);
    const bytes = mean((sample) => sample.heapBytes);
    const over = warm.reduce((sum, one) => sum + (one.atMs - atMs) * (one.heapBytes - bytes), 0);
    const under = warm.reduce((sum, one) => sum + (one.atMs - atMs) ** 2, 0);
    return (over / under) * hourMs;
  }

  lines(): readonly string[] {
    return [...this.#samples].map(([name, samples]) => {
      const last = samples.at(-1);
      const slope = this.slope(name);
      const grows = slope === null ? "" : `, ${slope >= 0 ? "+" : ""}${(slope / 1e6).toFixed(2)} MB an hour`;
      const heap = ((last?.heapBytes ?? 0) / 1e6).toFixed(1);
      return `  ${name}: heap ${heap} MB${grows}, RSS ${((last?.rssBytes ?? 0) / 1e6).toFixed(0)} MB`;
    });
  }
}
