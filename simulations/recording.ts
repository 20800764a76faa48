/**
 * What of a world is worth showing: who was up, paused or home and when, what was granted and how it ended, which faults
 * there were, and what never happened. Bounded: of a long world the first so many of each are kept, the rest counted.
 */

import type { Message } from "../protocol/messages.ts";
import { narrate } from "./narration.ts";
import type { Checker, Observation, PeerName } from "./observation.ts";
import { peersOf } from "./read-schedule.ts";

type SpanKind = "down" | "paused" | "reign" | "step" | "fault";

export type Span = {
  /** "" for a fault that is about all. */
  readonly peer: PeerName;
  readonly kind: SpanKind;
  readonly fromUs: number;
  untilUs: number;
  readonly text: string;
};

export type Mark = {
  readonly peer: PeerName;
  readonly kind: "grant" | "result" | "lost" | "closed" | "refused";
  readonly atUs: number;
  readonly text: string;
};

const spansMax = 3_000;
const marksMax = 3_000;
const lastLinesMax = 40;
/** A home that was not heard for so long has ended its reign as far as anybody can see. */
const reignGapUs = 3_000_000;

/** What good worlds have now and then: a search that never sees one looks in the wrong places. */
const sometimes = [
  "a home was followed by another",
  "a lease ran out",
  "a worker gave a lease back",
  "a step was tried again",
  "a result came too late",
  "a step was skipped",
  "a run failed",
  "a run was cancelled",
  "a log forked",
] as const;
type Sometimes = (typeof sometimes)[number];

export class Recording implements Checker {
  readonly name = "recording";
  readonly spans: Span[] = [];
  readonly marks: Mark[] = [];
  readonly peers: PeerName[] = [];
  readonly messages = new Map<string, number>();
  readonly faults = new Map<string, number>();
  readonly happened = new Set<Sometimes>();
  /** The end of the story, line by line. */
  readonly last: string[] = [];
  /** Spans and marks that there was no room for. */
  dropped = 0;
  endUs = 0;
  readonly #open = new Map<string, Span>();
  readonly #nameOf: (id: string) => PeerName;
  #home: PeerName | null = null;

  constructor(nameOf: (id: string) => PeerName) {
    this.#nameOf = nameOf;
  }

  get never(): readonly string[] {
    return sometimes.filter((what) => !this.happened.has(what));
  }

  observe(observation: Observation): void {
    const { peer, atUs } = observation;
    this.endUs = atUs;
    if (peer !== "world" && !this.peers.includes(peer)) this.peers.push(peer);
    this.#tell(observation);
    switch (observation.kind) {
      case "up":
        return this.#close(`down ${peer}`, atUs);
      case "down":
        for (const key of this.#open.keys()) if (key.includes(` ${peer}`)) this.#close(key, atUs);
        return this.#begin(`down ${peer}`, {
          peer,
          kind: "down",
          fromUs: atUs,
          text: `down: ${observation.why}`,
        });
      case "paused":
        return this.#begin(`paused ${peer}`, { peer, kind: "paused", fromUs: atUs, text: "paused" });
      case "resumed":
        return this.#close(`paused ${peer}`, atUs);
      case "sent":
        return this.#sent(peer, atUs, observation.message);
      case "step-started": {
        const { id, step, token } = observation.assignment;
        const text = `${step} under token ${token}`;
        return this.#begin(`step ${peer} ${id}`, { peer, kind: "step", fromUs: atUs, text });
      }
      case "step-over":
        return this.#close(`step ${peer} ${observation.assignment}`, atUs);
      case "recorded":
        for (const event of observation.events) this.#event(peer, atUs, event);
        return;
      case "refused":
        return this.#mark({ peer, kind: "refused", atUs, text: `refused ${observation.because}` });
      case "fault":
        return this.#fault(observation);
      case "forged":
        this.happened.add("a log forked");
        return;
      default:
    }
  }

  finish(): void {
    // What is open at the end of a world is closed by `over`, whether it passed or not.
  }

  /** The world has ended: what lasts, lasts until now. */
  over(atUs: number): void {
    this.endUs = atUs;
    for (const key of this.#open.keys()) this.#close(key, atUs);
    for (const span of this.spans) span.untilUs = Math.min(span.untilUs, atUs);
  }

  #sent(peer: PeerName, atUs: number, message: Message): void {
    this.messages.set(message.kind, (this.messages.get(message.kind) ?? 0) + 1);
    if (message.kind === "heartbeat") return this.#reigns(peer, atUs, message.ballot.epoch);
    if (message.kind !== "grant" || message.leases.length === 0) return;
    const leases = message.leases.map(({ run, index, token }) => `${run}/${index} under ${token}`);
    this.#mark({ peer, kind: "grant", atUs, text: `grants ${leases.join(", ")}` });
  }

  #reigns(peer: PeerName, atUs: number, epoch: number): void {
    const key = `reign ${peer} ${epoch}`;
    const known = this.#open.get(key);
    if (known !== undefined && atUs - known.untilUs < reignGapUs) {
      known.untilUs = atUs;
      return;
    }
    this.#open.delete(key);
    if (this.#home !== null && this.#home !== peer) this.happened.add("a home was followed by another");
    this.#home = peer;
    this.#begin(key, { peer, kind: "reign", fromUs: atUs, text: `home in epoch ${epoch}` });
  }

  #event(
    peer: PeerName,
    atUs: number,
    event: Extract<Observation, { kind: "recorded" }>["events"][number],
  ): void {
    if (event.kind === "step-skipped") this.happened.add("a step was skipped");
    if (event.kind === "result-refused") this.happened.add("a result came too late");
    if (event.kind === "attempt-started" && event.attempt > 1) this.happened.add("a step was tried again");
    if (event.kind === "attempt-ended") {
      if (event.cause === "lost") this.happened.add("a lease ran out");
      if (event.cause === "released") this.happened.add("a worker gave a lease back");
      const text = `${event.step}, attempt ${event.attempt}: ${event.cause}`;
      this.#mark({ peer, kind: event.cause === "lost" ? "lost" : "result", atUs, text });
    }
    if (event.kind !== "run-closed") return;
    if (event.outcome === "failed") this.happened.add("a run failed");
    if (event.outcome === "cancelled") this.happened.add("a run was cancelled");
    this.#mark({ peer, kind: "closed", atUs, text: `run ${event.run} is closed: ${event.outcome}` });
  }

  #fault({ atUs, fault, text }: Extract<Observation, { kind: "fault" }>): void {
    if (fault === null) return;
    this.faults.set(fault.kind, (this.faults.get(fault.kind) ?? 0) + 1);
    const about = peersOf(fault);
    for (const peer of about.length === 0 ? [""] : about)
      this.#span({ peer, kind: "fault", fromUs: atUs, untilUs: atUs + fault.lastsUs, text });
  }

  #begin(key: string, span: Omit<Span, "untilUs">): void {
    this.#close(key, span.fromUs);
    const open = { ...span, untilUs: span.fromUs };
    this.#open.set(key, open);
    this.#span(open);
  }

  #close(key: string, atUs: number): void {
    const span = this.#open.get(key);
    // A reign ends when its home was last heard.
    if (span !== undefined && span.kind !== "reign") span.untilUs = atUs;
    this.#open.delete(key);
  }

  #span(span: Span): void {
    if (this.spans.length < spansMax) this.spans.push(span);
    else this.dropped += 1;
  }

  #mark(mark: Mark): void {
    if (this.marks.length < marksMax) this.marks.push(mark);
    else this.dropped += 1;
  }

  #tell(observation: Observation): void {
    if (observation.kind === "received") return;
    const line = narrate(observation, this.#nameOf);
    if (line === null) return;
    this.last.push(line.length > 300 ? `${line.slice(0, 300)}…` : line);
    if (this.last.length > lastLinesMax) this.last.shift();
  }
}
