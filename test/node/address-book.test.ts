/** Where peers are: remembered over a restart, bounded whoever talks, and best first. */

import { describe, expect, it } from "vitest";
import { AddressBook } from "../../node/edge/address-book.ts";
import { limits } from "../../protocol/limits.ts";
import { Disk } from "../../simulations/storage.ts";
import { newIdentity } from "./peers.ts";

const peer = newIdentity().peer;
const clock = { nowMs: 1_000, wallMs: () => clock.nowMs++ };

function at(port: number): string {
  return `/ip4/192.0.2.7/tcp/${port}`;
}

async function opened(disk = new Disk()): Promise<AddressBook> {
  return AddressBook.open(disk.open(setImmediate), clock);
}

describe("an address book", () => {
  it("tries first where the peer was reached last, then what it says itself, then the charter, then hearsay", async () => {
    const book = await opened();
    book.learn(peer, [at(4)], "told");
    book.learn(peer, [at(3)], "charter");
    book.learn(peer, [at(2)], "self");
    book.worked(peer, at(1));
    expect(book.addressesOf(peer)).toEqual([at(1), at(2), at(3), at(4)]);
    expect(book.certainOf(peer)).toEqual([at(1), at(2)]);
    book.worked(peer, at(4));
    expect(book.addressesOf(peer)).toEqual([at(4), at(1), at(2), at(3)]);
  });

  it("is the same after a restart", async () => {
    const disk = new Disk();
    const book = await opened(disk);
    book.learn(peer, [at(1), at(2)], "charter");
    book.worked(peer, at(2));
    expect((await opened(disk)).addressesOf(peer)).toEqual([at(2), at(1)]);
  });

  it("knows whom an invite's addresses lead to", async () => {
    const book = await opened();
    const other = newIdentity().peer;
    book.learnInvited([`${at(1)}/p2p/${peer}`, `${at(2)}/p2p/${other}`, `${at(3)}/p2p/${peer}`, at(4)]);
    expect(book.addressesOf(peer).toSorted()).toEqual([at(1), at(3)]);
    expect(book.addressesOf(other)).toEqual([at(2)]);
  });

  it("forgets what a source said before and says no more, unless it worked", async () => {
    const book = await opened();
    book.learn(peer, [at(1), at(2)], "self");
    book.worked(peer, at(2));
    expect(book.learn(peer, [at(3)], "self")).toBe(true);
    expect(book.learn(peer, [at(3)], "self")).toBe(false);
    expect(book.addressesOf(peer)).toEqual([at(2), at(3)]);
  });

  it("takes one place once, with or without the peer that it leads to", async () => {
    const book = await opened();
    book.learn(peer, [at(1), `${at(1)}/p2p/${peer}`], "charter");
    book.worked(peer, `${at(1)}/p2p/${peer}`);
    expect(book.addressesOf(peer)).toEqual([at(1)]);
  });

  it("takes no nonsense, no other peer's address and none that is too long", async () => {
    const book = await opened();
    const other = newIdentity().peer;
    const long = `/dns4/${"a".repeat(limits.addressCharactersMax)}/tcp/1`;
    expect(book.learn(peer, ["nonsense", "", `${at(1)}/p2p/${other}`, long], "self")).toBe(false);
    expect(book.addressesOf(peer)).toEqual([]);
  });

  it("keeps at most so many addresses of a peer, the owner's always among them", async () => {
    const book = await opened();
    book.learn(peer, [at(9_999)], "charter");
    for (let port = 1; port <= 50; port += 1) book.worked(peer, at(port));
    const others = Array.from({ length: 30 }, (_, index) => at(5_000 + index));
    book.learn(peer, others, "told");
    const kept = book.addressesOf(peer);
    expect(kept).toHaveLength(limits.addressesPerPeerMax);
    expect(kept[0]).toBe(at(50));
    expect(kept).toContain(at(9_999));
  });

  it("keeps at most so many peers, those of the charter always among them", async () => {
    const book = await opened();
    book.learn(peer, [at(1)], "charter");
    for (let index = 0; index < limits.addressBookPeersMax + 20; index += 1)
      book.worked(`peer-${index}`, at(1));
    expect(book.size).toBe(limits.addressBookPeersMax);
    expect(book.addressesOf(peer)).toEqual([at(1)]);
    expect(book.addressesOf("peer-0")).toEqual([]);
    expect(book.addressesOf(`peer-${limits.addressBookPeersMax + 19}`)).toEqual([at(1)]);
  });
});
