import { Agenda } from "../../simulations/agenda.ts";
import { simulatedKeys, withRealKeys } from "../../simulations/keys.ts";
import { simulatedClock } from "../../simulations/life.ts";
import { SimulatedNetwork } from "../../simulations/network.ts";
import { Disk } from "../../simulations/storage.ts";
import { decodeMessage, encodeMessage, type Message } from "../../protocol/messages.ts";
import { clockContract } from "../contracts/clock.ts";
import { keysContract } from "../contracts/keys.ts";
import { type Heard, networkContract } from "../contracts/network.ts";
import { storageContract } from "../contracts/storage.ts";

storageContract("the simulated disk", () => {
  const disk = new Disk();
  const open = () => disk.open((callback) => setImmediate(callback));
  return Promise.resolve({
    storage: open(),
    crash: () => {
      disk.crash((unsynced) => Math.floor(unsynced / 2));
      return Promise.resolve(open());
    },
    cleanUp: () => Promise.resolve(),
  });
});

keysContract("fake keys", simulatedKeys);
keysContract("real keys from a name", (name) => withRealKeys(() => simulatedKeys(name)));

clockContract("the simulated clock", () => {
  const agenda = new Agenda();
  const traits = { bootMs: 5_000, wallMs: 1_000_000, fastPpm: -5_000 };
  const clock = simulatedClock(agenda, traits, (callback) => callback());
  return { clock, pass: (ms) => agenda.runDrained(agenda.nowUs + ms * 1_000, () => false) };
});

networkContract("the simulated network", () => {
  const agenda = new Agenda();
  const told = new Map<string, Heard[]>([
    ["one", []],
    ["other", []],
  ]);
  const network = new SimulatedNetwork({
    seed: 1,
    agenda,
    delayUs: () => [100, 5_000],
    fates: [],
    endpoint: (peer) => ({
      lives: true,
      answers: true,
      arrive: (from, arrival) => {
        const heard: Heard =
          arrival.kind === "frame"
            ? { kind: "message", peer: from, message: messageIn(arrival.frame) }
            : { kind: arrival.kind, peer: from };
        told.get(peer)?.push(heard);
      },
    }),
  });
  network.connect("one", "other");
  return Promise.resolve({
    one: "one",
    other: "other",
    send: (from: string, to: string, message: Message) => network.send(from, to, encodeMessage(message)),
    heard: (peer: string) => told.get(peer) ?? [],
    until: (condition: () => boolean) => agenda.runDrained(agenda.nowUs + 60_000_000, condition),
    breakLink: () => network.block("one", "other", agenda.nowUs + 1_000),
    cleanUp: () => Promise.resolve(),
  });
});

function messageIn(frame: unknown): Message {
  const decoded = frame instanceof Uint8Array ? decodeMessage(frame) : null;
  if (decoded?.ok !== true) throw new Error("a frame that is no message");
  return decoded.value;
}
