/**
 * Register tables that talk, written down line by line: what a test tells them, and everything they say.
 *
 * Stored effects are kept at once and given back after a restart; a message waits until it is delivered, in order
 * for each pair of peers, or is dropped.
 */

import type { Ballot, Position } from "../../protocol/registers/ballot.ts";
import type { Decision } from "../../protocol/registers/home.ts";
import type { RegisterMessage } from "../../protocol/registers/messages.ts";
import type { Command, RegisterValue } from "../../protocol/registers/registers.ts";
import { readRegisters } from "../../protocol/registers/stored.ts";
import { RegisterTable, type TableOutput } from "../../protocol/registers/table.ts";
import { decodeValue } from "../../protocol/values.ts";

type Waiting = { readonly from: string; readonly to: string; readonly message: RegisterMessage };

export class Conversation {
  readonly #peers: readonly string[];
  readonly #tables = new Map<string, RegisterTable<string>>();
  readonly #disks = new Map<string, Map<string, Uint8Array>>();
  readonly #starts = new Map<string, number>();
  #waiting: Waiting[] = [];
  readonly #said: RegisterMessage[] = [];
  #lines: string[] = [];
  #nowMs = 0;

  constructor(...peers: readonly string[]) {
    this.#peers = peers;
    for (const peer of peers) this.#disks.set(peer, new Map());
    for (const peer of peers) this.#start(peer);
  }

  get text(): string {
    return `${this.#lines.join("\n")}\n`;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** All that was said, in the order of saying. */
  get said(): readonly RegisterMessage[] {
    return this.#said;
  }

  /** What is on a peer's disk, by keys. */
  entries(peer: string): readonly (readonly [key: string, bytes: Uint8Array])[] {
    return [...(this.#disks.get(peer) ?? [])];
  }

  /** The registers on a peer's disk, by their names. */
  disk(peer: string): ReadonlyMap<string, RegisterValue> {
    const { registers } = readRegisters(this.entries(peer));
    return new Map(
      [...registers]
        .toSorted(([left], [right]) => (left < right ? -1 : 1))
        .map(([name, record]) => [name, decode(record.value)]),
    );
  }

  table(peer: string): RegisterTable<string> {
    const table = this.#tables.get(peer);
    if (table === undefined) throw new Error(`${peer} is not running`);
    return table;
  }

  say(title: string): void {
    this.#lines.push(...(this.#lines.length > 0 ? [""] : []), `# ${title}`);
  }

  link(left: string, right: string): void {
    this.#take(left, this.table(left).peerUp(right));
    this.#take(right, this.table(right).peerUp(left));
  }

  linkAll(): void {
    for (const [index, left] of this.#peers.entries())
      for (const right of this.#peers.slice(index + 1)) this.link(left, right);
  }

  /** The link breaks: both hear of it, and what was under way is lost. */
  cut(left: string, right: string): void {
    this.#lines.push(`cut ${left}~${right}`);
    const between = ({ from, to }: Waiting) => [from, to].includes(left) && [from, to].includes(right);
    this.#waiting = this.#waiting.filter((waiting) => !between(waiting));
    this.#take(left, this.table(left).peerDown(right, this.#nowMs));
    this.#take(right, this.table(right).peerDown(left, this.#nowMs));
  }

  /** Time passes without a tick: only the peer named looks at its clock. */
  tick(peer: string, afterMs: number): void {
    this.#nowMs += afterMs;
    this.#lines.push(`${peer} ticks at ${this.#nowMs} ms`);
    this.#take(peer, this.table(peer).tick(this.#nowMs));
  }

  propose(peer: string, register: string, command: Command): void {
    this.#lines.push(`${peer} proposes ${command.kind} to ${register}`);
    this.table(peer).propose(register, command, command.kind);
    this.#take(peer, this.table(peer).flush());
  }

  /** Delivers everything, and what is said in answer, until nobody has anything more to say. */
  settle(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift())
      this.#deliver(next);
  }

  /** As `settle`, until something is said that is looked for: that waits. */
  settleUntil(isLookedFor: (message: RegisterMessage) => boolean): void {
    while (!this.#waiting.some(({ message }) => isLookedFor(message))) {
      const next = this.#waiting.shift();
      if (next === undefined) throw new Error("it was never said");
      this.#deliver(next);
    }
  }

  /** Something comes out of order. */
  hear(from: string, to: string, message: RegisterMessage): void {
    this.#deliver({ from, to, message });
  }

  /** Delivers what waits now between two peers, and nothing that is said in answer. */
  deliver(from: string, to: string): void {
    const due = this.#waiting.filter((waiting) => waiting.from === from && waiting.to === to);
    this.#waiting = this.#waiting.filter((waiting) => !due.includes(waiting));
    for (const waiting of due) this.#deliver(waiting);
  }

  drop(from: string, to: string): void {
    this.#lines.push(`dropped: what ${from} said to ${to}`);
    this.#waiting = this.#waiting.filter((waiting) => waiting.from !== from || waiting.to !== to);
  }

  /** Ends a peer and starts it again from what it stored. Its links are gone. */
  restart(peer: string): void {
    this.#lines.push(`${peer} restarts`);
    this.#waiting = this.#waiting.filter(({ from, to }) => from !== peer && to !== peer);
    for (const other of this.#peers)
      if (other !== peer) this.#take(other, this.table(other).peerDown(peer, this.#nowMs));
    this.#start(peer);
  }

  #start(peer: string): void {
    const start = (this.#starts.get(peer) ?? 0) + 1;
    this.#starts.set(peer, start);
    const stored = this.entries(peer);
    const options = {
      self: peer,
      peers: this.#peers,
      incarnation: `${peer}${start}`,
      configuration: 1,
      stored,
    };
    this.#tables.set(peer, new RegisterTable(options, this.#nowMs));
  }

  #deliver({ from, to, message }: Waiting): void {
    this.#lines.push(`  ${from} -> ${to}  ${messageText(message)}`);
    this.#take(to, this.table(to).receive(from, message, this.#nowMs));
    this.#take(to, this.table(to).flush());
  }

  #take(peer: string, output: TableOutput<string>): void {
    for (const effect of output.effects) {
      if (effect.kind === "send") {
        this.#waiting.push({ from: peer, to: effect.to, message: effect.message });
        this.#said.push(effect.message);
        continue;
      }
      const disk = this.#disks.get(peer);
      for (const operation of effect.operations) {
        if (operation.kind === "put") disk?.set(operation.key, operation.value);
        else disk?.delete(operation.key);
      }
    }
    for (const decision of output.decisions) this.#lines.push(`${peer} decides ${decisionText(decision)}`);
  }
}

function decisionText({ register, ...decision }: Decision<string>): string {
  const value = decision.value === null ? "nothing" : valueText(decision.value);
  if (decision.verdict === "changed") return `${register} = ${value}`;
  return `${decision.command.kind} of ${register} is refused as ${decision.reason}: ${value}`;
}

function messageText(message: RegisterMessage): string {
  const ballot = ballotText(message.ballot);
  switch (message.kind) {
    case "promise":
      return `promise ${ballot}, at ${placeText(message.at)}`;
    case "reign":
      return `reign ${ballot} from ${placeText(message.base)}`;
    case "gap":
      return `gap ${ballot} since ${placeText(message.since)} and of {${message.names.join(" ")}}`;
    case "more":
      return `more ${ballot} page ${message.page}`;
    case "repair": {
      const records = message.records.map(({ name, value }) => `${name}=${valueText(decode(value))}`);
      const page = message.last ? "the last page" : `page ${message.page}`;
      return `repair ${ballot} to ${placeText(message.at)} ${page} {${records.join(" ")}}`;
    }
    case "accept": {
      const records = message.records.map(
        ({ names, value }) => `${names.join()}=${valueText(decode(value))}`,
      );
      return `accept ${placeText(message)} {${records.join(" ")}}`;
    }
    case "accepted":
      return `accepted ${ballot} #${message.round}`;
    case "nack":
      return `nack ${ballot}, promised ${ballotText(message.promised)}`;
    default:
      return `${message.kind} ${ballot}`;
  }
}

function decode(value: Uint8Array): RegisterValue {
  return decodeValue(value) as RegisterValue;
}

function ballotText({ epoch, incarnation }: Ballot): string {
  return incarnation === "" ? "nobody" : `${epoch}@${incarnation}`;
}

function placeText({ ballot, round }: Position): string {
  return `${ballotText(ballot)} #${round}`;
}

function valueText(value: RegisterValue): string {
  if (value.kind === "run") return value.outcome ?? (value.cancelledBy === null ? "open" : "cancelling");
  if (value.kind === "invite") return "used";
  if (value.kind === "charter") return `configuration ${value.configuration}`;
  if (value.kind === "fence") return String(value.token);
  if (value.kind === "retired") return `through ${value.throughMs}`;
  if (value.kind === "document") return `version ${value.version}`;
  if (value.kind === "schedule") return value.order === null ? "removed" : `settled/${value.settledMs}`;
  if (value.state === "leased") return `leased/${value.token}:${value.worker}`;
  return value.state === "done" ? `${value.outcome}/${value.token}` : `queued/${value.token}`;
}
