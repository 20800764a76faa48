/**
 * What was submitted at a worker, until its domain has answered. One control peer alone answers for nobody: it may not have heard of
 * what the domain knows by now, or lie. What more than half of them say of a run is what became of it.
 */

type Answer = "admitted" | "refused";

export class PendingRuns {
  /** Digests of their bundles. */
  readonly #digests = new Map<string, string>();
  readonly #said = new Map<string, Map<string, Answer>>();

  get size(): number {
    return this.#digests.size;
  }

  has(run: string): boolean {
    return this.#digests.has(run);
  }

  /** Each with the digest of its bundle. */
  entries(): Iterable<readonly [run: string, digest: string]> {
    return this.#digests;
  }

  add(run: string, digest: string): void {
    this.#digests.set(run, digest);
  }

  /** A control peer has answered. True when more than half of them say so now: the run is pending no more. */
  answered(run: string, from: string, answer: Answer, controls: ReadonlySet<string>): boolean {
    if (!this.#digests.has(run)) return false;
    const said = this.#said.get(run) ?? new Map<string, Answer>();
    this.#said.set(run, said.set(from, answer));
    const alike = [...said].filter(([peer, other]) => other === answer && controls.has(peer)).length;
    if (alike * 2 <= controls.size) return false;
    this.#said.delete(run);
    return this.#digests.delete(run);
  }
}
