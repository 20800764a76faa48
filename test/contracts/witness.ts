/** Watching an executor: what it says, in order, and waiting for it; and assignments to give it. */

import type { Assignment, ExecutorObserver } from "../../node/ports.ts";
import type { StepReport } from "../../protocol/report.ts";

export type Happening =
  | { readonly kind: "output"; readonly id: string; readonly offset: number; readonly text: string }
  | { readonly kind: "ended"; readonly id: string; readonly report: StepReport };

/** Remembers everything in order, and lets a test wait for something. */
export class Witness implements ExecutorObserver {
  readonly happenings: Happening[] = [];
  #watchers: (() => void)[] = [];

  output(id: string, offset: number, bytes: Uint8Array): void {
    this.#add({ kind: "output", id, offset, text: Buffer.from(bytes).toString("latin1") });
  }

  ended(id: string, report: StepReport): void {
    this.#add({ kind: "ended", id, report });
  }

  /** Waits for the end of an attempt. */
  async report(id: string): Promise<StepReport> {
    return this.#find((happening) =>
      happening.kind === "ended" && happening.id === id ? happening.report : null,
    );
  }

  /** Waits until the attempt has written the text. */
  async text(id: string, wanted: string): Promise<void> {
    await this.#find(() => (this.log(id).includes(wanted) ? true : null));
  }

  /** Everything that the attempt has written until now, as it was delivered. */
  log(id: string): string {
    return this.outputs(id)
      .map((output) => output.text)
      .join("");
  }

  outputs(id: string): readonly (Happening & { kind: "output" })[] {
    return this.happenings.filter(
      (happening) => happening.kind === "output" && happening.id === id,
    ) as (Happening & { kind: "output" })[];
  }

  ends(id: string): number {
    return this.happenings.filter((happening) => happening.kind === "ended" && happening.id === id).length;
  }

  #add(happening: Happening): void {
    this.happenings.push(happening);
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const watcher of watchers) watcher();
  }

  async #find<Found>(look: (happening: Happening) => Found | null): Promise<Found> {
    for (;;) {
      for (const happening of this.happenings) {
        const found = look(happening);
        if (found !== null) return found;
      }
      await new Promise<void>((resolve) => {
        this.#watchers.push(resolve);
      });
    }
  }
}

let assigned = 0;

/** An assignment that only needs its commands. */
export function assignmentOf(
  emptyTree: string,
  commands: readonly string[],
  more: Partial<Assignment> = {},
): Assignment {
  assigned += 1;
  return {
    id: `attempt-${assigned}`,
    run: "run-1",
    step: "step",
    attempt: 1,
    token: 7,
    fence: 7,
    commands,
    variables: {},
    timeoutMs: 60_000,
    source: { kind: "tree", tree: emptyTree },
    inputs: [],
    library: null,
    outputs: [],
    surroundings: {},
    values: [],
    outcomes: [],
    caches: [],
    cacheScope: "dev checks",
    cacheBelow: null,
    reports: [],
    index: 0,
    credentials: [],
    sandbox: "S0",
    image: null,
    ...more,
  };
}
