/** Whatever happened before: once a majority hears each other again, one of them is home and the others follow it. */

import { expect, it } from "vitest";
import { Chance } from "../../simulations/random.ts";
import { Conversation } from "./conversation.ts";

const tickMs = 100;
const turnsToRecoverMax = 100;

/** Control peers under random faults: links that break, directions in which nothing arrives, pauses and restarts. */
class Storm {
  readonly talk: Conversation;
  readonly #peers: readonly string[];
  readonly #chance: Chance;
  readonly #links = new Set<string>();
  readonly #deaf = new Set<string>();
  readonly #paused = new Set<string>();

  constructor(seed: number) {
    this.#chance = new Chance("storm", seed);
    this.#peers = ["a", "b", "c", "d", "e"].slice(0, this.#chance.percent(50) ? 3 : 5);
    this.talk = new Conversation(...this.#peers);
    this.#linkAll(this.#peers);
  }

  rage(): void {
    for (let turn = this.#chance.between(60, 260); turn > 0; turn -= 1) {
      const [one, other] = this.#chance.shuffled(this.#peers);
      if (one !== undefined && other !== undefined && this.#chance.percent(15)) this.#fault(one, other);
      this.turn();
    }
  }

  /** Everything heals but for a minority that is lost. Returns who is left. */
  calm(): readonly string[] {
    const minority = (this.#peers.length - 1) / 2;
    const lost = this.#chance.shuffled(this.#peers).slice(0, this.#chance.between(0, minority));
    const left = this.#peers.filter((peer) => !lost.includes(peer));
    this.#deaf.clear();
    this.#paused.clear();
    for (const peer of lost) {
      for (const other of this.#peers) this.#cut(peer, other);
      this.#paused.add(peer);
    }
    this.#linkAll(left);
    return left;
  }

  /** Time passes; some of what waits is delivered. */
  turn(): void {
    let afterMs = tickMs;
    for (const peer of this.#peers) {
      if (this.#paused.has(peer)) continue;
      this.talk.tick(peer, afterMs);
      afterMs = 0;
    }
    for (let rounds = 4; rounds > 0; rounds -= 1)
      for (const from of this.#peers)
        for (const to of this.#peers) {
          if (this.#deaf.has(from + to)) this.talk.drop(from, to);
          else if (!this.#paused.has(to) && this.#chance.percent(66)) this.talk.deliver(from, to);
        }
  }

  #fault(one: string, other: string): void {
    const faults = [
      () => this.#cut(one, other),
      () => this.#link(one, other),
      () => this.#deaf.add(one + other),
      () => this.#deaf.delete(one + other),
      () => this.#paused.add(one),
      () => this.#paused.delete(one),
      () => this.#restart(one),
    ];
    this.#chance.pick(faults)();
  }

  #restart(peer: string): void {
    this.#paused.delete(peer);
    for (const other of this.#peers) this.#links.delete(linkOf(peer, other));
    this.talk.restart(peer);
  }

  #linkAll(peers: readonly string[]): void {
    for (const [index, one] of peers.entries())
      for (const other of peers.slice(index + 1)) this.#link(one, other);
  }

  #link(one: string, other: string): void {
    if (this.#links.has(linkOf(one, other))) return;
    this.#links.add(linkOf(one, other));
    this.talk.link(one, other);
  }

  #cut(one: string, other: string): void {
    if (this.#links.delete(linkOf(one, other))) this.talk.cut(one, other);
  }
}

function linkOf(one: string, other: string): string {
  return one < other ? one + other : other + one;
}

function isWell(talk: Conversation, peers: readonly string[]): boolean {
  const homes = peers.filter((peer) => talk.table(peer).stage === "home");
  const [home = ""] = homes;
  const assured = homes.length === 1 && talk.table(home).isAssured(talk.nowMs);
  return assured && peers.every((peer) => talk.table(peer).home === home);
}

it("control peers find one home, and keep it, in every one of many storms", () => {
  for (let seed = 1; seed <= 400; seed += 1) {
    const storm = new Storm(seed);
    storm.rage();
    const left = storm.calm();
    let turns = 0;
    for (; turns < turnsToRecoverMax && !isWell(storm.talk, left); turns += 1) storm.turn();
    expect(turns, `storm ${seed}`).toBeLessThan(turnsToRecoverMax);
    const home = storm.talk.table(left[0] ?? "").home;
    for (let turn = 0; turn < 20; turn += 1) storm.turn();
    expect(storm.talk.table(home ?? "").stage, `storm ${seed}`).toBe("home");
  }
});

/** Three control peers with b as their home. */
function reignOfB(): Conversation {
  const talk = new Conversation("a", "b", "c");
  talk.link("b", "c");
  for (let turn = 0; turn < 20; turn += 1) {
    talk.tick("b", tickMs);
    talk.tick("c", 0);
    talk.settle();
  }
  talk.link("a", "b");
  talk.link("a", "c");
  talk.tick("b", 3 * tickMs);
  talk.settle();
  expect([talk.table("b").stage, talk.table("a").home, talk.table("c").home]).toEqual(["home", "b", "b"]);
  return talk;
}

it("whoever is next in the charter stands as soon as the home breaks off, and has the other's vote", () => {
  const talk = reignOfB();
  for (const peer of ["a", "c"]) talk.cut("b", peer);
  for (const peer of ["a", "c"]) talk.tick(peer, 0);
  talk.settle();
  expect(talk.table("c").stage).toBe("home");
  expect(talk.table("a").home).toBe("c");
});

it("who is not willing yet is asked again soon, and less and less often while it hears the home", () => {
  const talk = reignOfB();
  talk.cut("b", "c");
  const asked: number[] = [];
  for (let turn = 0; turn < 60; turn += 1) {
    for (const peer of ["b", "a"]) talk.tick(peer, 0);
    const before = talk.text.length;
    talk.tick("c", turn === 0 ? 0 : tickMs);
    talk.settle();
    if (talk.text.slice(before).includes("c -> a  canvass")) asked.push(turn * tickMs);
  }
  const waits = asked.slice(1).map((atMs, index) => atMs - (asked[index] ?? 0));
  expect(waits.slice(0, 4)).toEqual([200, 400, 800, 1_500]);
  expect(talk.table("b").stage).toBe("home");
  talk.cut("b", "a");
  for (let turn = 0; turn < 17; turn += 1) {
    for (const peer of ["a", "c"]) talk.tick(peer, tickMs / 2);
    talk.settle();
  }
  expect([talk.table("a").home, talk.table("c").home]).not.toContain("b");
});
