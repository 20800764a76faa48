/**
 * What it takes to bring up a control peer that was away, of a table of 100,000 registers: what is sent, how long it takes,
 * and how long the home is held up at a time. All three tables are in this process, each message is encoded and read as on
 * a link, the voter that was away writes to a real database with a sync; the home's claims go on between any two messages.
 */

import { join } from "node:path";
import { openStorage } from "../../node/edge/level-storage.ts";
import type { Storage } from "../../node/ports.ts";
import { limits } from "../../protocol/limits.ts";
import { decodeMessage, encodeMessage } from "../../protocol/messages.ts";
import { comparePositions } from "../../protocol/registers/ballot.ts";
import type { RegisterMessage } from "../../protocol/registers/messages.ts";
import { type Command, stepRegister } from "../../protocol/registers/registers.ts";
import { RegisterTable, type TableOutput } from "../../protocol/registers/table.ts";
import { Bed, type Row } from "./measure.ts";

const MiB = 1024 * 1024;
const registers = 100_000;
const peers = ["home", "other", "away"] as const;
const [home, other, away] = peers;

/** What happens while the voter is away: so many rounds, each of so many registers. */
const absences = [
  { name: "100 rounds of 20", rounds: 100, each: 20 },
  { name: "10,000 changed registers", rounds: 5, each: 2_000 },
  { name: "all of the table changed", rounds: registers / 2_000, each: 2_000 },
] as const;

type Waiting = { readonly from: string; readonly to: string; readonly message: RegisterMessage };

class Tables {
  readonly #tables: ReadonlyMap<string, RegisterTable<null>>;
  readonly #storage: Storage;
  #waiting: Waiting[] = [];
  #nowMs = 0;
  #isAway = false;
  /** How often each register was changed. */
  readonly #changes = new Uint32Array(registers);
  #next = 0;
  /** Of messages that bring the voter up, and the longest that one of them held the home up. */
  bytes = 0;
  longestMs = 0;

  constructor(storage: Storage) {
    this.#storage = storage;
    const options = { peers: [...peers], configuration: 1, stored: [] };
    this.#tables = new Map(
      peers.map((self) => [self, new RegisterTable<null>({ ...options, self, incarnation: self }, 0)]),
    );
    this.#link(home, other);
    this.link();
  }

  table(peer: string): RegisterTable<null> {
    const table = this.#tables.get(peer);
    if (table === undefined) throw new Error(`There is no ${peer}.`);
    return table;
  }

  link(): void {
    this.#isAway = false;
    this.#link(home, away);
    this.#link(other, away);
  }

  cut(): void {
    this.#isAway = true;
    for (const peer of [home, other])
      for (const [one, from] of [
        [peer, away],
        [away, peer],
      ] as const)
        this.#take(one, this.table(one).peerDown(from, this.#nowMs));
  }

  /** True when the voter that was away has the same table as its home. */
  get isWhole(): boolean {
    return comparePositions(this.table(home).at, this.table(away).at) === 0;
  }

  async tick(): Promise<void> {
    this.#nowMs += limits.tickMs;
    await this.#timed(home, () => this.table(home).tick(this.#nowMs), true);
  }

  /** Everything that waits to be said. */
  async settle(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { from, to, message } = next;
      const repairs = ["gap", "more", "repair"].includes(message.kind);
      const frame = encodeMessage(message);
      if (repairs) this.bytes += frame.length;
      const decoded = decodeMessage(frame);
      if (!decoded.ok) throw new Error(`a ${message.kind} cannot be read`);
      const said = decoded.value as RegisterMessage;
      await this.#timed(to, () => this.table(to).receive(from, said, this.#nowMs), repairs);
      this.#take(to, this.table(to).flush());
    }
  }

  async #timed(peer: string, work: () => TableOutput<null>, repairs: boolean): Promise<void> {
    const start = performance.now();
    const output = work();
    for (const effect of output.effects)
      if (effect.kind === "send" && effect.message.kind === "repair") encodeMessage(effect.message);
    if (peer === home && repairs) this.longestMs = Math.max(this.longestMs, performance.now() - start);
    for (const effect of output.effects)
      if (effect.kind === "store" && peer === away) {
        await this.#storage.write(effect.operations);
        await this.#storage.sync();
      }
    this.#take(peer, output);
  }

  #take(peer: string, { effects }: TableOutput<null>): void {
    for (const effect of effects)
      if (effect.kind === "send" && !(this.#isAway && [peer, effect.to].includes(away)))
        this.#waiting.push({ from: peer, to: effect.to, message: effect.message });
  }

  #link(one: string, another: string): void {
    this.#take(one, this.table(one).peerUp(another));
    this.#take(another, this.table(another).peerUp(one));
  }

  /** One after the other: a step is claimed, or a lease of it runs out. */
  async decide(rounds: number, each: number): Promise<void> {
    for (let round = 0; round < rounds; round += 1) {
      for (let count = 0; count < each; count += 1) this.#change();
      this.#take(home, this.table(home).flush());
      await this.settle();
    }
  }

  #change(): void {
    const index = this.#next;
    this.#next = (this.#next + 1) % registers;
    const token = this.#changes[index] ?? 0;
    this.#changes[index] = token + 1;
    const worker = `12D3KooW${index}`.padEnd(52, "w");
    const command: Command =
      token % 2 === 0
        ? { kind: "claim", worker, session: `${worker}:1`, nonce: `${worker}:1/${token}` }
        : { kind: "expire", token, cause: "lost", again: false };
    this.table(home).propose(stepRegister("run000000000", index), command, null);
  }
}

export async function benchRepair(): Promise<Row[]> {
  await using bed = new Bed();
  const { storage } = await openStorage(join(bed.folder, "away"));
  const tables = new Tables(storage);
  await tables.tick();
  await tables.settle();
  await tables.decide(registers / limits.batchRecordsMax, limits.batchRecordsMax);
  const rows: Row[] = [];
  for (const { name, rounds, each } of absences) {
    tables.cut();
    await tables.decide(rounds, each);
    Object.assign(tables, { bytes: 0, longestMs: 0 });
    tables.link();
    const start = performance.now();
    let ticks = 0;
    for (await tables.settle(); !tables.isWhole; ticks += 1) {
      await tables.tick();
      // Others go on.
      await tables.decide(1, 1);
    }
    const tookMs = performance.now() - start;
    const row = (what: string, value: number, unit: string): Row => ({
      name: `back after ${name}, ${what}`,
      value,
      unit,
    });
    rows.push(
      row("sent", tables.bytes / MiB, "MB"),
      row("until it votes", Math.max(tookMs, ticks * limits.tickMs), "ms"),
      row("home busy at a time", tables.longestMs, "ms"),
    );
  }
  await storage.close();
  return rows;
}
