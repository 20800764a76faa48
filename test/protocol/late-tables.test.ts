import { expect, it } from "vitest";
import { Acceptor } from "../../protocol/registers/acceptor.ts";
import { origin } from "../../protocol/registers/ballot.ts";
import { encodeValue } from "../../protocol/values.ts";

const ballot = { configuration: 1, epoch: 1, peer: "home", incarnation: "home.1" };

function table(state: string) {
  return [{ names: ["invite/i"], value: encodeValue({ kind: "invite", state }) }];
}

it("a voter takes back no vote for a round or a reign that comes late, or comes again", () => {
  const acceptor = new Acceptor("voter.1");
  acceptor.prepare(ballot);
  acceptor.begin({ kind: "reign", ballot, base: origin });
  const second = { kind: "accept", ballot, round: 2, chosen: 1, records: table("early") } as const;
  acceptor.accept(second);
  acceptor.accept({ ...second, round: 3, records: table("newest") });
  expect(acceptor.accept(second)).toEqual([]);
  expect(acceptor.begin({ kind: "reign", ballot, base: origin })).toEqual([]);
  expect(acceptor.accepted("invite/i")).toMatchObject({ state: "newest" });
  const next = acceptor.accept({ ...second, round: 4, records: table("next") });
  expect(next.at(-1)).toMatchObject({ message: { kind: "accepted", round: 4 } });
});
