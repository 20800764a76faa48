/**
 * What a gate behind a step judges is what that step made: while it waits, no step of another run begins under the same lock, or in
 * the same locked environment, whoever is home. The step's own run goes on.
 */

import type { Submission } from "../../protocol/manifest.ts";
import { runOfRegister } from "../../protocol/registers/registers.ts";
import type { WireRecord } from "../../protocol/registers/messages.ts";
import { type Checker, type Observation, type PeerName, Violation } from "../observation.ts";
import { KnownLiars } from "./known-liars.ts";
import { ProposedRegisters } from "./proposed-registers.ts";

/** As in `effects.ts`. */
const awakeUs = 600_000;

type Of<Kind extends Observation["kind"]> = Extract<Observation, { kind: Kind }>;

export class HeldLocksChecker implements Checker {
  readonly name = "held-locks";
  readonly looksAt = [
    "fault",
    "paused",
    "resumed",
    "handed",
    "submitted",
    "recorded",
    "sent accept",
    "step-started",
  ] as const;
  readonly #submissions = new Map<string, Submission>();
  /** By the lock: registers of steps behind their gates, and their runs. */
  readonly #behind = new Map<string, Map<string, string>>();
  /** Registers of steps that somebody wanted to be over, and runs that were to be cancelled or closed: from then on nothing is promised. */
  readonly #over = new Set<string>();
  readonly #proposals = new ProposedRegisters();
  readonly #asleep = new Map<PeerName, number>();
  readonly #liars = new KnownLiars();

  observe(observation: Observation): void {
    switch (observation.kind) {
      case "fault":
        return this.#liars.observe(observation);
      case "paused":
        if (observation.how === "pause") return;
        return void this.#asleep.set(observation.peer, Infinity);
      case "resumed":
        return void this.#asleep.set(observation.peer, observation.atUs + awakeUs);
      case "handed":
      case "submitted":
        return void this.#submissions.set(observation.submission.run, observation.submission);
      case "sent":
        if (observation.message.kind === "accept") this.#proposed(observation.message.records);
        return;
      case "recorded":
        return this.#recorded(observation);
      case "step-started":
        return this.#started(observation);
      default:
        return;
    }
  }

  finish(): void {
    // Everything was checked as it happened.
  }

  #proposed(records: readonly WireRecord[]): void {
    for (const [name, register] of this.#proposals.newIn(records)) {
      if (register.kind === "step" && register.state === "done") this.#over.add(name);
      const isEnding =
        register.kind === "run" && (register.cancelledBy !== null || register.outcome !== null);
      if (isEnding) this.#over.add(runOfRegister(name) ?? "");
    }
  }

  #recorded({ events }: Of<"recorded">): void {
    for (const event of events) {
      if (event.kind !== "attempt-ended" || event.held !== true) continue;
      const steps = this.#submissions.get(event.run)?.manifest.plan.steps ?? [];
      const index = steps.findIndex(({ name }) => name === event.step);
      const lock = steps[index]?.variables["OTTO_LOCK"];
      const register = `step/${event.run}/${index}`;
      if (lock === undefined || this.#isOver(register, event.run)) continue;
      const behind = this.#behind.get(lock) ?? new Map<string, string>();
      this.#behind.set(lock, behind.set(register, event.run));
    }
  }

  #started({ peer, atUs, assignment }: Of<"step-started">): void {
    const lock = assignment.variables["OTTO_LOCK"];
    if (lock === undefined || this.#liars.has(peer) || (this.#asleep.get(peer) ?? 0) >= atUs) return;
    for (const [register, run] of this.#behind.get(lock) ?? [])
      if (run !== assignment.run && !this.#isOver(register, run))
        throw new Violation(
          this.name,
          `${assignment.run}/${assignment.step} begins at ${peer} under lock ${lock}, and ${register} is behind its gate`,
        );
  }

  #isOver(register: string, run: string): boolean {
    return this.#over.has(register) || this.#over.has(run);
  }
}
