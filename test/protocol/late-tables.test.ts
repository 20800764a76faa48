import { expect, it } from "vitest";
import { Acceptor } from "../../protocol/registers/acceptor.ts";
import { encodeValue } from "../../protocol/values.ts";

const ballot = { configuration: 1, epoch: 1, peer: "home", incarnation: "home.1" };

it("a voter takes back no vote for a table that was sent before, and comes late", () => {
  const acceptor = new Acceptor();
  const table = (state: string) => [{ names: ["invite/i"], value: encodeValue({ kind: "invite", state }) }];
  const early = {
    kind: "sync",
    ballot,
    round: 5,
    records: table("early"),
    last: true,
  } as const;
  acceptor.prepare(ballot);
  acceptor.sync({ ...early, round: 8, records: table("newer") });
  acceptor.accept({ kind: "accept", ballot, round: 9, records: table("newest") });
  expect(acceptor.sync(early)).toEqual([]);
  expect(acceptor.accepted("invite/i")).toMatchObject({ state: "newest" });
  const next = acceptor.accept({ kind: "accept", ballot, round: 10, records: table("next") });
  expect(next.at(-1)).toMatchObject({ message: { kind: "accepted", round: 10 } });
});
