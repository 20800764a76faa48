/** What peers say to each other: a message of each kind, for tests. */

import type { GrantedLease, Message } from "../../protocol/messages.ts";

export const bytes = Uint8Array.of(1, 2, 3);
const ballot = { configuration: 1, epoch: 2, peer: "a", incarnation: "a1" };
const at = { ballot, round: 4 };
export const lease = { run: "r", index: 0, token: 3 };
export const granted: GrantedLease = { ...lease, attempt: 1, inputs: [{ name: "web", tree: "t" }] };
export const records = [{ names: ["run/r"], value: bytes }];

export const logName = "0a".repeat(16);
/** One of each kind; the compiler misses a kind that is not here. */
export const messages: { readonly [Kind in Message["kind"]]: Extract<Message, { kind: Kind }> } = {
  canvass: { kind: "canvass", ballot },
  willing: { kind: "willing", ballot },
  prepare: { kind: "prepare", ballot },
  promise: { kind: "promise", ballot, at },
  reign: { kind: "reign", ballot, base: at },
  confirm: { kind: "confirm", log: "0".repeat(32), seq: 3 },
  confirmed: { kind: "confirmed", log: "0".repeat(32), seq: 2 },
  configuration: { kind: "configuration", configuration: 2, store: "s", addresses: ["/ip4/127.0.0.1/tcp/1"] },
  install: {
    kind: "install",
    charter: Uint8Array.of(1),
    records: [{ name: "run/r", value: Uint8Array.of(1), ballot, round: 1 }],
    at,
    chosen: at,
    first: true,
    last: false,
  },
  accept: { kind: "accept", ballot, round: 2, chosen: 1, records },
  accepted: { kind: "accepted", ballot, round: 1 },
  gap: { kind: "gap", ballot, ask: "a1/1", since: at, names: ["run/r"] },
  repair: {
    kind: "repair",
    ballot,
    ask: "a1/1",
    page: 0,
    last: false,
    at,
    chosen: at,
    ballots: [ballot],
    records: [{ name: "run/r", value: bytes, ballot: 0, round: 4 }],
  },
  more: { kind: "more", ballot, ask: "a1/1", page: 1 },
  nack: { kind: "nack", ballot, promised: { ...ballot, epoch: 3 } },
  heartbeat: { kind: "heartbeat", ballot, sentMs: 12.5, round: 3, chosen: 2 },
  heard: { kind: "heard", ballot, sentMs: 12.5 },
  session: { kind: "session", session: "s", labels: ["gpu", "os=linux"], slots: 2, held: [lease] },
  pull: { kind: "pull", session: "s", nonce: "n", slots: 1, again: false },
  renew: { kind: "renew", session: "s", sentMs: 0.25, held: [lease] },
  result: { kind: "result", envelope: bytes },
  release: { kind: "release", leases: [lease], how: "begun" },
  output: { kind: "output", run: "r", index: 1, attempt: 1, offset: 0, bytes, digest: "d", ask: true },
  "output-kept": { kind: "output-kept", run: "r", index: 1, attempt: 1, end: 3 },
  welcome: { kind: "welcome", home: null, leaseMs: 30_000 },
  grant: { kind: "grant", nonce: "n", leases: [granted], bundles: { r: "b" } },
  renewed: { kind: "renewed", sentMs: 1, superseded: [lease] },
  ack: { kind: "ack", lease, verdict: "stale" },
  revoke: { kind: "revoke", lease, cause: "cancelled" },
  hello: { kind: "hello", certificate: bytes, charter: bytes },
  revocations: { kind: "revocations", documents: [bytes] },
  policy: { kind: "policy", document: bytes },
  "no-policy": { kind: "no-policy" },
  addresses: { kind: "addresses", peers: [{ peer: "p", addresses: ["/ip4/192.0.2.1/tcp/4105"] }] },
  holds: { kind: "holds", run: "r", bundle: "b" },
  announce: { kind: "announce", run: "r", bundle: "b" },
  announced: { kind: "announced", run: "r", state: "refused", reason: "role" },
  events: { kind: "events", entries: [bytes, bytes], answer: true },
  vector: { kind: "vector", prefix: "a", heads: { [logName]: [4, "a"] }, frozen: [logName] },
  "log-parts": { kind: "log-parts", prefix: "", parts: { a: "1", 0: "2" } },
  "parts-differ": { kind: "parts-differ", prefixes: ["", "0a"] },
  endorse: {
    kind: "endorse",
    what: "permit",
    statement: new Uint8Array([1]),
    evidence: [new Uint8Array([2])],
  },
  endorsed: { kind: "endorsed", what: "release", run: "r", index: 0, envelope: new Uint8Array([1]) },
  "not-endorsed": { kind: "not-endorsed", what: "outcome", run: "r", index: 0, why: "it is night" },
  fork: { kind: "fork", evidence: [new Uint8Array([1]), new Uint8Array([2])] },
};
