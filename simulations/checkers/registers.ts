/**
 * The registers as the domain chose them: a value is chosen once a majority has voted for its round.
 *
 * Chain: each chosen value follows from the one chosen before; a token never falls, a past is never rewritten, what is
 * done stays done (I2), what is closed stays closed, forgotten or not (I8), an attempt ends under the token that it was leased with (I4). A
 * reign starts from what was chosen. A configuration decides nothing more once it has chosen the next one (I7), and none
 * begins that was not chosen. Told: a grant, an acceptance, an admission or a cancellation is told only after it
 * was chosen.
 */

import { equals } from "uint8arrays/equals";
import { type AttemptCause, isGivenBack, isOfLostWorker } from "../../protocol/events.ts";
import type { Submission } from "../../protocol/manifest.ts";
import { acksIn, type Message } from "../../protocol/messages.ts";
import { type Ballot, compareBallots, noBallot } from "../../protocol/registers/ballot.ts";
import {
  charterRegister,
  type RegisterValue,
  retiredRegister,
  runOfRegister,
  runOfStepRegister,
  runRegister,
  stepRegister,
} from "../../protocol/registers/registers.ts";
import { scheduleRegister, type ScheduleValue } from "../../protocol/registers/schedule.ts";
import { decodedOnce } from "../decoded.ts";
import { type Checker, type Observation, type PeerName, Violation } from "../observation.ts";
import { ballotName } from "./ballots.ts";
import { forgottenBy, TableHistory } from "./table-history.ts";

type Reign = {
  readonly votes: Map<PeerName, number>;
  chosen: number;
};

type Answered = Extract<Observation, { kind: "answered" }>;

export class RegistersChecker implements Checker {
  readonly name = "registers";
  readonly looksAt = [
    "configured",
    "asked-to-cancel",
    "ordered",
    "answered",
    "sent accept",
    "sent reign",
    "sent promise",
    "sent accepted",
    "sent grant",
    "sent ack",
    "sent announced",
  ] as const;
  /** Who votes in each configuration. */
  readonly #members = new Map<number, ReadonlySet<PeerName>>();
  #configuration = 0;
  readonly #history = new TableHistory();
  readonly #reigns = new Map<string, Reign>();
  readonly #chosen = new Map<string, Uint8Array>();
  /** Runs below the watermark that were closed when it was raised. */
  readonly #forgotten = new Set<string>();
  /** How the attempt under a token of a step ended. */
  readonly #ends = new Map<string, AttemptCause>();
  readonly #cancels = new Map<number, string>();
  /** Every charter that was chosen. */
  readonly #charters = new Set<string>();
  readonly #orders = new Map<string, Submission>();
  #newest = noBallot;

  observe(observation: Observation): void {
    if (observation.kind === "configured") this.#configured(observation);
    if (observation.kind === "asked-to-cancel") this.#cancels.set(observation.question, observation.run);
    if (observation.kind === "ordered") this.#orders.set(observation.submission.run, observation.submission);
    if (observation.kind === "answered") this.#answered(observation);
    if (observation.kind !== "sent") return;
    const { message, peer } = observation;
    if (message.kind === "accept") this.#history.propose(message.ballot, message.round, message.records);
    else if (message.kind === "reign") this.#history.begin(message.ballot, message.base);
    else if (message.kind === "accepted") this.#vote(peer, message.ballot, message.round);
    // What it says to hold of the reign that it promises itself to is its vote, should its word have been lost with a link.
    else if (message.kind === "promise" && compareBallots(message.at.ballot, message.ballot) === 0)
      this.#vote(peer, message.at.ballot, message.at.round);
    else this.#told(peer, message);
  }

  finish(): void {
    // Everything was checked as it was chosen.
  }

  #configured({ peer, configuration, members, charter }: Extract<Observation, { kind: "configured" }>): void {
    if (peer === "world") this.#configuration = configuration;
    else if (configuration > 1 && !this.#charters.has(Buffer.from(charter).toString("base64")))
      throw this.#violation(`I7: ${peer} goes over to configuration ${configuration}, which was not chosen`);
    this.#members.set(configuration, new Set(members));
  }

  #vote(peer: PeerName, ballot: Ballot, round: number): void {
    const reign = this.#reign(ballot);
    reign.votes.set(peer, Math.max(round, reign.votes.get(peer) ?? 0));
    const members = this.#members.get(ballot.configuration);
    if (members?.has(peer) !== true) {
      const why = members === undefined ? "of which nobody was told" : "and is no member of it";
      throw this.#violation(`I7: ${peer} votes in configuration ${ballot.configuration} ${why}`);
    }
    for (; isChosenBy(members.size, reign.votes, reign.chosen + 1); reign.chosen += 1) {
      const values = this.#history.round(ballot, reign.chosen + 1);
      if (values === null) throw this.#violation(`${ballotName(ballot)} has no round ${reign.chosen + 1}`);
      if (ballot.configuration < this.#configuration) {
        for (const [name, value] of values) this.#chooseAgain(ballot, name, value);
        continue;
      }
      if (compareBallots(ballot, this.#newest) < 0) {
        for (const [name, value] of values) this.#chooseLate(name, value);
        continue;
      }
      this.#newest = ballot;
      const raised = values.get(retiredRegister);
      const before = this.#chosen.get(retiredRegister);
      if (raised !== undefined && (before === undefined || !equals(before, raised))) this.#forget(raised);
      if (reign.chosen === 0) this.#startsFrom(values);
      for (const [name, value] of values) this.#choose(name, value);
    }
  }

  #forget(raised: Uint8Array): void {
    for (const name of forgottenBy(raised, this.#chosen)) {
      this.#chosen.delete(name);
      const run = runOfRegister(name);
      if (run !== null) this.#forgotten.add(run);
    }
  }

  /** True for a run that is closed, forgotten or not. */
  #isOver(run: string | null): boolean {
    return run !== null && (this.#forgotten.has(run) || isClosed(this.#valueOf(runRegister(run))));
  }

  #choose(name: string, value: Uint8Array): void {
    const run = runOfRegister(name) ?? runOfStepRegister(name);
    if (run !== null && this.#forgotten.has(run))
      throw this.#violation(`I8: ${name}: the run was closed and forgotten, then changed`);
    const before = this.#chosen.get(name);
    const problem = before === undefined ? null : breachOf(before, value);
    if (problem !== null) throw this.#violation(`${name}: ${problem}`);
    this.#chosen.set(name, value);
    if (name === charterRegister) this.#chooseCharter(value);
    const decoded = decodedOnce(value) as RegisterValue;
    if (decoded.kind === "step")
      for (const { token, cause } of decoded.past) this.#ends.set(`${name} ${token}`, cause);
  }

  #chooseCharter(bytes: Uint8Array): void {
    const value = decodedOnce(bytes) as RegisterValue;
    if (value.kind !== "charter") return;
    this.#configuration = Math.max(this.#configuration, value.configuration);
    this.#charters.add(Buffer.from(value.charter).toString("base64"));
  }

  /** What is chosen in a configuration whose successor was chosen can only be what it had decided by then. */
  #chooseAgain(ballot: Ballot, name: string, value: Uint8Array): void {
    const now = this.#chosen.get(name);
    const before = now === undefined ? "it was never chosen before" : breachOf(value, now, true);
    if (
      before !== null &&
      !this.#isOver(runOfStepRegister(name)) &&
      !this.#forgotten.has(runOfRegister(name) ?? "")
    )
      throw this.#violation(
        `I7: ${ballotName(ballot)} decides ${name} after the successor of its configuration was chosen: ${before}`,
      );
  }

  /** A slow voter completes a majority of a reign that is over: what was chosen since must have followed from it. */
  #chooseLate(name: string, value: Uint8Array): void {
    const now = this.#chosen.get(name);
    const problem = now === undefined ? "was chosen late and lost" : breachOf(value, now, true);
    const isExcused = this.#isOver(runOfStepRegister(name)) || this.#forgotten.has(runOfRegister(name) ?? "");
    if (problem !== null && !isExcused) throw this.#violation(`${name}: ${problem}`);
  }

  /** The first round of a reign lays down again what was chosen before it, but for the steps of closed runs. */
  #startsFrom(values: ReadonlyMap<string, Uint8Array>): void {
    for (const name of this.#chosen.keys()) {
      if (values.has(name)) continue;
      const run = runOfStepRegister(name);
      const next = run === null ? undefined : values.get(runRegister(run));
      const register = next === undefined ? null : (decodedOnce(next) as RegisterValue);
      if (!isClosed(register))
        throw this.#violation(`${name} was chosen and a new reign knows nothing of it`);
    }
  }

  #told(peer: PeerName, message: Message): void {
    if (message.kind === "grant")
      for (const { run, index, token } of message.leases) {
        const value = this.#valueOf(stepRegister(run, index));
        if (value?.kind !== "step" || value.token < token)
          throw this.#violation(`told: ${peer} granted ${run}/${index} under ${token} before it was chosen`);
      }
    for (const { lease, verdict } of acksIn(message)) {
      if (verdict !== "accepted") continue;
      const { run, index, token } = lease;
      const end = this.#ends.get(`${stepRegister(run, index)} ${token}`);
      if (end === undefined || isOfLostWorker(end) || isGivenBack(end))
        throw this.#violation(
          `I4: ${peer} accepted ${run}/${index} under ${token}, chosen was ${end ?? "nothing"}`,
        );
    }
    const admitted = message.kind === "announced" && message.state === "admitted";
    if (admitted && !this.#isDecided(message.run))
      throw this.#violation(`told: ${peer} says that ${message.run} is admitted before it was chosen`);
  }

  /** Admitted; of a standing order: set, or overtaken. */
  #isDecided(run: string): boolean {
    const order = this.#orders.get(run);
    if (order === undefined) return this.#forgotten.has(run) || this.#valueOf(runRegister(run)) !== null;
    const value = this.#valueOf(scheduleRegister(order.manifest.plan.pipeline));
    return value?.kind === "schedule" && value.revision >= (order.manifest.order?.revision ?? 0);
  }

  #answered({ question, answer }: Answered): void {
    const run = this.#cancels.get(question);
    if (run === undefined || !answer.ok) return;
    const value = this.#valueOf(runRegister(run));
    if (value?.kind !== "run" || value.cancelledBy === null)
      throw this.#violation(`told: ${run} was said to be cancelled before it was chosen`);
  }

  #reign(ballot: Ballot): Reign {
    const name = ballotName(ballot);
    let reign = this.#reigns.get(name);
    if (reign === undefined) this.#reigns.set(name, (reign = { votes: new Map(), chosen: 0 }));
    return reign;
  }

  #valueOf(name: string): RegisterValue | null {
    const bytes = this.#chosen.get(name);
    return bytes === undefined ? null : (decodedOnce(bytes) as RegisterValue);
  }

  #violation(what: string): Violation {
    return new Violation(this.name, what);
  }
}

/** True when more than half of so many members have voted for a round, or for a later one. */
function isChosenBy(members: number, votes: ReadonlyMap<PeerName, number>, round: number): boolean {
  let count = 0;
  for (const vote of votes.values()) if (vote >= round) count += 1;
  return count * 2 > members;
}

function isClosed(value: RegisterValue | null): boolean {
  return value?.kind === "run" && value.outcome !== null;
}

/** @param isLate true when others may have come between the two. */
function breachOf(before: Uint8Array, after: Uint8Array, isLate = false): string | null {
  if (equals(before, after)) return null;
  return breach(decodedOnce(before) as RegisterValue, decodedOnce(after) as RegisterValue, isLate);
}

/** Why the second value cannot come after the first, or null. */
function breach(before: RegisterValue, after: RegisterValue, isLate: boolean): string | null {
  if (before.kind === "run" && after.kind === "run") {
    if (before.outcome !== null) return `I8: closed as ${before.outcome}, then changed`;
    if (before.cancelledBy !== null && after.cancelledBy !== before.cancelledBy)
      return "a cancellation was taken back";
    return before.manifest === after.manifest ? null : "admitted twice";
  }
  if (before.kind === "charter" && after.kind === "charter")
    return after.configuration > before.configuration ? null : "a configuration was chosen twice";
  if (before.kind === "fence" && after.kind === "fence")
    return after.token > before.token ? null : `the fence fell from ${before.token} to ${after.token}`;
  if (before.kind === "retired" && after.kind === "retired")
    return after.throughMs > before.throughMs
      ? null
      : `I8: the watermark fell from ${before.throughMs} to ${after.throughMs}`;
  if (before.kind === "document" && after.kind === "document")
    return after.version === before.version + 1 || (isLate && after.version > before.version)
      ? null
      : `version ${after.version} came after ${before.version}`;
  if (before.kind === "schedule" && after.kind === "schedule") return scheduleBreach(before, after);
  if (before.kind !== "step" || after.kind !== "step") return "changed its kind";
  if (before.state === "done")
    return `I2: done under ${before.token}, then ${after.state} under ${after.token}`;
  if (after.token < before.token) return `the token fell from ${before.token} to ${after.token}`;
  const rewritten = before.past.some(
    (past, index) => JSON.stringify(past) !== JSON.stringify(after.past[index]),
  );
  if (rewritten) return "its past was rewritten";
  const ended = after.past[before.past.length];
  if (before.state === "leased" && ended !== undefined && ended.token !== before.token)
    return `I4: leased under ${before.token}, ended under ${ended.token}`;
  const moved = before.state === "leased" && after.state === "leased" && before.token === after.token;
  return moved ? `I1: a lease under ${before.token} changed hands` : null;
}

function scheduleBreach(before: ScheduleValue, after: ScheduleValue): string | null {
  if (after.revision < before.revision) return `revision ${before.revision} came back as ${after.revision}`;
  const isSameOrder = before.order?.id === after.order?.id;
  if (before.order !== null && after.settledMs < before.settledMs) return "a settled slot is open again";
  if (isSameOrder && before.removed === null && after.sinceMs !== before.sinceMs)
    return "an order began anew";
  const isFired = after.fired !== null && after.fired.run !== before.fired?.run;
  if (!isFired || after.fired === null) return null;
  const isNew = after.fired.slotMs > before.settledMs && after.fired.slotMs <= after.settledMs;
  return isNew ? null : `the slot ${after.fired.slotMs} was fired, and was settled before`;
}
