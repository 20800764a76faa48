import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { origin } from "../../protocol/registers/ballot.ts";
import { Home } from "../../protocol/registers/home.ts";
import { charterRegister, type Command } from "../../protocol/registers/registers.ts";

const ballot = { configuration: 1, epoch: 1, peer: "a", incarnation: "a.1" };
const claim: Command = { kind: "claim", worker: "w", session: "w:1", nonce: "n" };

describe("a round of three control peers", () => {
  let home: Home<string>;

  /** To whom it is said, and who may be told later. */
  const asked = (command: Command = claim, register = "step/r/0"): string[] => {
    home.propose(register, command, "t");
    const { effects } = home.flush();
    return effects.flatMap((effect) =>
      effect.kind === "send" ? [`${effect.to}${effect.later === true ? " later" : ""}`] : [],
    );
  };

  const decide = (...voters: readonly string[]): void => {
    for (const voter of voters) home.accepted(voter, ballot, home.rounds.round);
    expect(home.rounds.chosen).toBe(home.rounds.round);
  };

  beforeEach(() => {
    home = new Home<string>("a", ["a", "b", "c"], 1);
    const peers = ["a", "b", "c"];
    home.stand(ballot, peers);
    for (const peer of peers) home.promise(peer, { kind: "promise", ballot, at: origin });
    home.begin({ records: [], at: origin, chosen: origin });
    decide("a", "b");
  });

  it("goes at once to as many as make a majority, and the other may be told later", () => {
    expect(asked()).toEqual(["b", "c later", "a"]);
  });

  it("goes at once to whoever answered the last one in another's stead", () => {
    asked();
    decide("a", "c");
    expect(asked()).toEqual(["b later", "c", "a"]);
  });

  it("goes to all at once when one of those who were asked first is gone", () => {
    home.peerDown("b");
    expect(asked()).toEqual(["c", "a"]);
  });

  it("goes to all at once from a home whose own disk was slower than the others'", () => {
    asked();
    decide("b", "c");
    expect(asked()).toEqual(["b", "c", "a"]);
  });

  it("goes to all at once now and then, so that who was slow once is asked first again when it is the faster", () => {
    while (home.rounds.round < limits.askAllEvery - 1) {
      asked(claim, `step/r/${home.rounds.round}`);
      decide("a", "c");
    }
    expect(asked(claim, "step/r/last")).toEqual(["b", "c", "a"]);
    decide("a", "b");
    expect(asked(claim, "step/s/0")).toEqual(["b", "c later", "a"]);
  });

  it("goes to all at once when it names the next control peers", () => {
    const recharter: Command = { kind: "recharter", configuration: 2, charter: new Uint8Array() };
    expect(asked(recharter, charterRegister)).toEqual(["b", "c", "a"]);
  });
});
