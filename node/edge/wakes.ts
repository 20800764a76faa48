/** Wakes one who waits, and remembers that he was woken while he was busy. */

export class Wakes {
  readonly #signal: AbortSignal;
  #isDue = false;
  #resolve: (() => void) | null = null;
  readonly wake = (): void => {
    this.#isDue = true;
    this.#resolve?.();
  };

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", this.wake, { once: true });
  }

  async next(): Promise<void> {
    if (!this.#isDue && !this.#signal.aborted)
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
      });
    this.#resolve = null;
    this.#isDue = false;
  }
}
