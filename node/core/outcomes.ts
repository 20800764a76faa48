/**
 * How steps ended that another domain released to this one, at the home: a majority of the control peers signs the outcome before
 * the run is closed, so that whichever of them is asked later can show it.
 */

import type { Verifier } from "../../protocol/envelope.ts";
import type { Event } from "../../protocol/events.ts";
import { openOutcome, sealOutcome } from "../../protocol/release.ts";
import type { RegisterValue } from "../../protocol/registers/registers.ts";
import type { StepReport } from "../../protocol/report.ts";
import type { Countersigning, Matter } from "./countersigning.ts";
import type { Endorsing } from "./endorsing.ts";
import type { Now } from "./effects.ts";
import type { OpenRun } from "./open-run.ts";
import { outcomeOf } from "./released.ts";

export type OutcomesContext = {
  readonly countersigning: Countersigning;
  readonly endorsing: Pick<Endorsing, "isLetCount">;
  readonly keys: Verifier;
  /** As its owner signed it. */
  charterBytes(): Uint8Array;
  value(register: string): RegisterValue | null;
  reportIn(envelope: Uint8Array): StepReport | null;
  note(event: Event): void;
};

export class Outcomes {
  readonly #context: OutcomesContext;
  /** Runs whose outcome is signed and told, or that have none. */
  readonly #settled = new Set<string>();

  constructor(context: OutcomesContext) {
    this.#context = context;
  }

  clear(): void {
    this.#settled.clear();
  }

  forget(run: string): void {
    this.#settled.delete(run);
  }

  /** True while a run that has nothing left to do is not to be closed: its outcome is being signed. Call again until it is. */
  isOwed(run: OpenRun, now: Now): boolean {
    const { released, run: id } = run.submission;
    if (released === undefined || this.#settled.has(id)) return false;
    const outcome = outcomeOf(run, this.#context);
    // Cancelled before it began: there is no outcome.
    if (outcome === null) return false;
    const { countersigning, endorsing } = this.#context;
    // An earlier home may have written into the register what nobody let count: no majority will sign that, and whoever asks is told so.
    if (outcome.outcome === "passed" && !endorsing.isLetCount(run, 0)) return false;
    // The others know it by the names that the other domain has for it.
    const matter: Matter = { what: "outcome", run: outcome.run, index: outcome.index };
    if (!countersigning.isAsked(matter, now)) countersigning.ask(matter, outcome, [], now);
    const signed = countersigning.takeSigned(matter);
    if (signed === null) return true;
    const bytes = sealOutcome(signed, this.#context.charterBytes());
    // Who signed it may be a control peer no more, by the charter that it is shown with: then others sign.
    if (!openOutcome(bytes, this.#context.keys).ok) return true;
    this.#context.note({ kind: "outcome-signed", run: id, timeMs: now.wallMs, outcome: bytes });
    this.#settled.add(id);
    return false;
  }
}
