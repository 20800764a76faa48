import { describe, expect, it } from "vitest";
import { History, historyKeys } from "../../../node/core/history.ts";
import type { StoredEntry } from "../../../node/ports.ts";
import type { Event } from "../../../protocol/events.ts";
import { limits } from "../../../protocol/limits.ts";
import { sealEntry, emptyLog, logId, type Noted, openEntry } from "../../../protocol/log.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { exampleCharter } from "./example.ts";

const { domain } = exampleCharter;
const author = simulatedKeys("author");
const closed: Event = { kind: "run-closed", run: "r", timeMs: 1, outcome: "passed", bundle: "b" };
const cancel: Event = { kind: "cancel-requested", run: "r", timeMs: 2, by: "p" };
const anybody = () => true;

function noted(event: Event): Noted {
  return { event, result: null };
}

function historyOf(name: string, stored: readonly StoredEntry[] = []): History {
  return new History({ domain, incarnation: `${name}1`, keys: simulatedKeys(name) }, stored);
}

/** How far the one log is that is there. */
function headOf(history: History): [seq: number, hash: string] {
  const [[, state] = []] = history.tree.list("");
  if (state === undefined || state === "frozen") throw new Error("There is no log, or it is frozen.");
  return [state.seq, state.hash];
}

/** Three entries by the author. */
function written(): Uint8Array[] {
  const history = historyOf("author");
  return [closed, cancel, closed].map((event) => history.append("r", [noted(event)]).bytes);
}

describe("a history", () => {
  it("keeps another's entries in their order, each once", () => {
    const [first, second] = written() as [Uint8Array, Uint8Array];
    const history = historyOf("reader");
    expect(history.receive(first, anybody)).toMatchObject({
      kind: "kept",
      entry: { seq: 1, events: [closed] },
    });
    expect(history.receive(first, anybody)).toEqual({ kind: "known" });
    expect(history.receive(second, anybody)).toMatchObject({ kind: "kept", entry: { seq: 2 } });
  });

  it("says that something is missing, and what another lacks", () => {
    const [first, , third] = written() as [Uint8Array, Uint8Array, Uint8Array];
    const history = historyOf("reader");
    history.receive(first, anybody);
    const log = logId(domain, author.peer, "author1");
    expect(history.receive(third, anybody)).toEqual({ kind: "gap", log });
    const known = (...head: [seq: number, hash: string] | []) =>
      ({ prefix: "", frozen: [], heads: head.length === 0 ? {} : { [log]: head } }) as const;
    expect(history.missingAt(known())).toEqual([{ log, from: 1, through: 1 }]);
    expect(history.missingAt(known(...headOf(history)))).toEqual([]);
    expect(history.missingAt(known(9, "other"))).toEqual([]);
    expect(history.missingAt({ ...known(), prefix: "none" })).toEqual([]);
    expect(history.missingAt({ ...known(), frozen: [log] })).toEqual([]);
    // As much, and something else: the other must see it.
    expect(history.missingAt(known(1, "other"))).toEqual([{ log, from: 1, through: 1 }]);
  });

  it("refuses a stranger's entry, and one whose bytes were changed", () => {
    const [first] = written() as [Uint8Array];
    const history = historyOf("reader");
    expect(history.receive(first, () => false)).toEqual({ kind: "refused", because: "stranger" });
    const changed = first.slice();
    const at = changed.length - 60;
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(history.receive(changed, anybody).kind).toBe("refused");
    expect(history.tree.list("")).toEqual([]);
  });

  it("goes on after a restart where it was: heads come back from what was stored", () => {
    const before = historyOf("author");
    const { operations } = before.append("r", [noted(closed)]);
    const stored = operations.flatMap((operation): StoredEntry[] =>
      operation.kind === "put" && operation.key.startsWith(historyKeys.heads)
        ? [[operation.key, operation.value]]
        : [],
    );
    expect(historyOf("author", stored).tree.list("")).toEqual(before.tree.list(""));
  });

  it("chains its entries about one run, whatever lies between, until the run is closed", () => {
    const history = historyOf("author");
    const say = (event: Event) => {
      const opened = openEntry(history.append(event.run, [noted(event)]).bytes, domain, author);
      if (!opened.ok) throw new Error(opened.problem);
      return opened.value;
    };
    const first = say(cancel);
    const other = say({ ...cancel, run: "s" });
    const last = say(closed);
    expect([first, other, last, say(closed)].map(({ entry }) => entry.before)).toEqual([
      "",
      "",
      first.hash,
      "",
    ]);
    expect(say({ ...cancel, run: "s" }).entry.before).toBe(other.hash);
  });

  it("forgets a run that another closed once it is told to: what is said of it later begins anew", () => {
    const history = historyOf("reader");
    const before = (event: Event) => {
      const opened = openEntry(history.append("r", [noted(event)]).bytes, domain, author);
      return opened.ok ? opened.value : null;
    };
    const first = before(cancel);
    const [byAnother] = written() as [Uint8Array];
    history.receive(byAnother, anybody);
    // Its own last decisions may come after the news that the run is over.
    expect(before(cancel)?.entry.before).toBe(first?.hash);
    history.forgetClosed();
    expect(before(closed)?.entry.before).toBe("");
  });
});

describe("a log that forks", () => {
  const id = logId(domain, author.peer, "author1");
  const empty = { id, incarnation: "author1", head: emptyLog, before: "" };
  const other = sealEntry(empty, domain, "r", [noted(cancel)], author);
  const next = sealEntry({ ...empty, head: other.head }, domain, "r", [noted(closed)], author);
  const after = { ...empty, head: { seq: 2, hash: next.head.hash } };
  const later = sealEntry(after, domain, "r", [noted(closed)], author);

  it("is doubted for a second entry in one place, and for one that follows another than is kept", () => {
    const [first, second] = written() as [Uint8Array, Uint8Array];
    const history = historyOf("reader");
    history.receive(first, anybody);
    expect(history.receive(other.bytes, anybody)).toEqual({ kind: "doubtful", log: id, seq: 1 });
    expect(history.receive(next.bytes, anybody)).toEqual({ kind: "doubtful", log: id, seq: 1 });
    history.receive(second, anybody);
    // What is older than the newest entry is not in memory.
    expect(history.receive(first, anybody)).toEqual({ kind: "doubtful", log: id, seq: 1 });
    expect(history.receive(later.bytes, anybody)).toEqual({ kind: "doubtful", log: id, seq: 2 });
  });

  it("is frozen for good once the proof is shown, in either order and after a restart", () => {
    const [first, second] = written() as [Uint8Array, Uint8Array];
    for (const evidence of [
      [first, other.bytes],
      [other.bytes, first],
      [first, next.bytes],
    ] as const) {
      const history = historyOf("reader");
      history.receive(first, anybody);
      const contested = history.contest(evidence, anybody);
      expect(contested).toMatchObject({
        kind: "frozen",
        own: false,
        fork: { log: id, seq: 1, sinceSeq: 1 },
      });
      expect(history.receive(second, anybody)).toEqual({ kind: "refused", because: "forked" });
      expect(history.tree.list("")).toEqual([[id, "frozen"]]);
      expect(history.contest(evidence, anybody)).toEqual({ kind: "known" });
      const operations = contested.kind === "frozen" ? contested.operations : [];
      const stored = operations.flatMap((operation): StoredEntry[] =>
        operation.kind === "put" ? [[operation.key, operation.value]] : [],
      );
      const again = historyOf("reader", stored);
      expect(again.forks).toEqual(history.forks);
      expect(again.receive(first, anybody)).toEqual({ kind: "refused", because: "forked" });
    }
  });

  it("is not one for entries that prove nothing", () => {
    const [first, second] = written() as [Uint8Array, Uint8Array];
    const stranger = simulatedKeys("other");
    const elsewhere = { ...empty, id: logId(domain, stranger.peer, "author1") };
    const foreign = sealEntry(elsewhere, domain, "r", [noted(cancel)], stranger).bytes;
    const damaged = other.bytes.map((byte, at) => (at === other.bytes.length - 1 ? byte ^ 1 : byte));
    const history = historyOf("reader");
    for (const evidence of [[first, first], [first, second], [first, foreign], [first, damaged], [first]])
      expect(history.contest(evidence, anybody).kind).toBe("refused");
    expect(history.contest([first, other.bytes], () => false)).toEqual({
      kind: "refused",
      because: "stranger",
    });
    expect(history.forks).toEqual([]);
  });

  it("is known as its author's own, which takes nobody's entry into it", () => {
    const history = historyOf("author");
    const { bytes } = history.append("r", [noted(closed)]);
    expect(history.receive(next.bytes, anybody)).toEqual({ kind: "forged", run: "r" });
    expect(history.contest([bytes, other.bytes], anybody)).toMatchObject({ kind: "frozen", own: true });
  });

  it(`silences its author once there are ${limits.forksPerAuthorMax} of them`, () => {
    const history = historyOf("reader");
    for (let count = 1; count <= limits.forksPerAuthorMax; count += 1) {
      const incarnation = `life${count}`;
      const place = { ...empty, id: logId(domain, author.peer, incarnation), incarnation };
      const [one, two] = [closed, cancel].map(
        (event) => sealEntry(place, domain, "r", [noted(event)], author).bytes,
      );
      const [first] = written() as [Uint8Array];
      if (count === limits.forksPerAuthorMax) expect(history.receive(first, anybody).kind).toBe("kept");
      history.contest([one ?? first, two ?? first], anybody);
    }
    expect(history.receive((written() as [Uint8Array, Uint8Array])[1], anybody)).toMatchObject({
      because: "forked",
    });
    // Peers need not agree on logs of which nobody takes anything more.
    expect(history.tree.list("")).toEqual([]);
  });
});
