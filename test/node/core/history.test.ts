import { describe, expect, it } from "vitest";
import { History, historyKeys } from "../../../node/core/history.ts";
import type { StoredEntry } from "../../../node/ports.ts";
import type { Event } from "../../../protocol/events.ts";
import { sealEntry, emptyLog, logId, type Noted, openEntry } from "../../../protocol/log.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { exampleCharter } from "./example.ts";

const { domain } = exampleCharter;
const author = simulatedKeys("author");
const closed: Event = { kind: "run-closed", run: "r", timeMs: 1, outcome: "passed" };
const cancel: Event = { kind: "cancel-requested", run: "r", timeMs: 2, by: "p" };
const anybody = () => true;

function noted(event: Event): Noted {
  return { event, result: null };
}

function historyOf(name: string, stored: readonly StoredEntry[] = []): History {
  return new History({ domain, incarnation: `${name}1`, keys: simulatedKeys(name) }, stored);
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
    expect(history.receive(third, anybody)).toEqual({ kind: "gap" });
    const [log] = Object.keys(history.heads());
    expect(history.missingAt({})).toEqual([{ log, from: 1, to: 1 }]);
    expect(history.missingAt(history.heads())).toEqual([]);
    expect(history.missingAt({ [log ?? ""]: 9 })).toEqual([]);
  });

  it("refuses a second entry in the place after the first: a fork", () => {
    const [first] = written() as [Uint8Array];
    const history = historyOf("reader");
    history.receive(first, anybody);
    const id = logId(domain, author.peer, "author1");
    const empty = { id, incarnation: "author1", head: emptyLog, before: "" };
    const other = sealEntry(empty, domain, "r", [noted(cancel)], author);
    const next = sealEntry({ ...empty, head: other.head }, domain, "r", [noted(closed)], author);
    expect(history.receive(next.bytes, anybody)).toMatchObject({ kind: "refused" });
    expect(Object.values(history.heads())).toEqual([1]);
  });

  it("refuses a stranger's entry, and one whose bytes were changed", () => {
    const [first] = written() as [Uint8Array];
    const history = historyOf("reader");
    expect(history.receive(first, () => false)).toEqual({ kind: "refused", because: "stranger" });
    const changed = first.slice();
    const at = changed.length - 60;
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(history.receive(changed, anybody).kind).toBe("refused");
    expect(history.heads()).toEqual({});
  });

  it("goes on after a restart where it was: heads come back from what was stored", () => {
    const before = historyOf("author");
    const { operations } = before.append("r", [noted(closed)]);
    const stored = operations.flatMap((operation): StoredEntry[] =>
      operation.kind === "put" && operation.key.startsWith(historyKeys.heads)
        ? [[operation.key, operation.value]]
        : [],
    );
    expect(historyOf("author", stored).heads()).toEqual(before.heads());
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
