import { expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { origin } from "../../protocol/registers/ballot.ts";
import { Home } from "../../protocol/registers/home.ts";
import type { Command } from "../../protocol/registers/registers.ts";

const ballot = { configuration: 1, epoch: 1, peer: "a", incarnation: "a.1" };
const claim = (nonce: string): Command => ({ kind: "claim", worker: "w", session: "w:1", nonce });

function reigning(): Home<string> {
  const home = new Home<string>("a", ["a", "b", "c"], 1);
  home.stand(ballot, ["a", "b"]);
  for (const peer of ["a", "b"]) home.promise(peer, { kind: "promise", ballot, at: origin });
  home.begin({ records: [], at: origin, chosen: origin });
  for (const peer of ["a", "b"]) home.accepted(peer, ballot, 1);
  return home;
}

it("what any round in flight makes of a register counts for those behind it", () => {
  const home = reigning();
  // Full rounds, so that none waits for the one before it.
  const fill = (round: string): void => {
    for (let step = 1; step < limits.batchRecordsMax; step += 1)
      home.propose(`step/${round}/${step}`, claim(round), "other");
  };
  home.propose("step/r/0", claim("first"), "first");
  fill("one");
  home.propose("invite/i", { kind: "use-invite", peer: "p" }, "between");
  fill("two");
  home.propose("step/r/0", claim("second"), "second");
  fill("three");
  home.flush();
  expect(home.rounds).toEqual({ round: 4, chosen: 1 });
  home.accepted("a", ballot, 4);
  const decided = home.accepted("b", ballot, 4).filter(({ ticket }) => ticket !== "other");
  expect(decided).toMatchObject([
    { ticket: "first", verdict: "changed", value: { nonce: "first" } },
    { ticket: "between", verdict: "changed" },
    { ticket: "second", verdict: "refused", reason: "taken", value: { nonce: "first" } },
  ]);
});
