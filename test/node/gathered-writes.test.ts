/** How a link gathers what is sent on it, between a stand-in for the socket and one for its encryption. */

import type { MessageStream } from "@libp2p/interface";
import { Uint8ArrayList } from "uint8arraylist";
import { describe, expect, it } from "vitest";
import { gathered } from "../../node/edge/gathered-writes.ts";

type Sent = Uint8Array | Uint8ArrayList;
type Encryption = Parameters<typeof gathered>[0];

/** Takes down what is sent on it. */
function wire() {
  const sent: Sent[] = [];
  const stream = {
    status: "open",
    writableNeedsDrain: false,
    send: (bytes: Sent) => {
      if (stream.status === "closing") throw new Error("closing");
      return sent.push(bytes) > 0;
    },
    close: () => Promise.resolve(void sent.push(Uint8Array.of(0))),
  };
  return { sent, stream };
}

/** A link over the socket: its encryption adds a byte to each message, as a part of its own. */
async function link() {
  const socket = wire();
  const upper = wire();
  const encryption = (() => ({
    secureOutbound: (connection: MessageStream) => {
      upper.stream.send = (bytes) => {
        upper.sent.push(bytes);
        return connection.send(new Uint8ArrayList(Uint8Array.of(255), bytes.subarray()));
      };
      return Promise.resolve({ connection: upper.stream });
    },
    secureInbound: () => Promise.reject(new Error("nobody dials")),
  })) as unknown as Encryption;
  const encrypter = gathered(encryption)({} as Parameters<Encryption>[0]);
  const { connection } = await encrypter.secureOutbound(socket.stream as unknown as MessageStream);
  return { socket, upper, connection };
}

const say = (connection: MessageStream, ...bytes: readonly number[]): void => {
  for (const byte of bytes) connection.send(Uint8Array.of(byte));
};
const spelt = (sent: readonly Sent[]): number[][] => sent.map((bytes) => [...bytes.subarray()]);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a link", () => {
  it("sends the first of a turn at once and what follows together, in order", async () => {
    const { upper, connection } = await link();
    say(connection, 1, 2, 3);
    expect(spelt(upper.sent)).toEqual([[1]]);
    await turn();
    expect(spelt(upper.sent)).toEqual([[1], [2, 3]]);
    say(connection, 4);
    expect(spelt(upper.sent)).toEqual([[1], [2, 3], [4]]);
  });

  it("writes each message whole, though its encryption hands it over in parts", async () => {
    const { socket, connection } = await link();
    say(connection, 1);
    expect(socket.sent[0]).toBeInstanceOf(Uint8Array);
    expect(spelt(socket.sent)).toEqual([[255, 1]]);
  });

  it("sends what waits before it is closed", async () => {
    const { upper, connection } = await link();
    say(connection, 1, 2);
    await connection.close();
    expect(spelt(upper.sent)).toEqual([[1], [2], [0]]);
  });

  it("lets whoever sends on a link that is being closed hear of it", async () => {
    const { socket, connection } = await link();
    say(connection, 1);
    await connection.close();
    socket.stream.status = "closing";
    expect(() => say(connection, 2)).toThrow("closing");
  });

  it("survives that the socket is closed under what waits", async () => {
    const { upper, socket, connection } = await link();
    say(connection, 1, 2);
    socket.stream.status = "closing";
    await turn();
    expect(spelt(upper.sent)).toEqual([[1], [2]]);
  });

  it("can be closed though its socket is closed under what waits", async () => {
    const { upper, socket, connection } = await link();
    say(connection, 1, 2);
    socket.stream.status = "closing";
    await connection.close();
    expect(spelt(upper.sent)).toEqual([[1], [2], [0]]);
  });

  it("keeps nothing waiting beyond what one encrypted message holds", async () => {
    const { upper, connection } = await link();
    say(connection, 1);
    connection.send(new Uint8Array(65_519));
    connection.send(Uint8Array.of(2));
    expect(upper.sent.map(({ byteLength }) => byteLength)).toEqual([1, 65_519, 1]);
  });

  it("says that it is full as soon as it is, and hands over in order what it was given before", async () => {
    const { upper, connection } = await link();
    say(connection, 1, 2);
    upper.stream.writableNeedsDrain = true;
    say(connection, 3);
    expect(spelt(upper.sent)).toEqual([[1], [2], [3]]);
  });

  it("sends nothing more of what waited once it is broken", async () => {
    const { upper, connection } = await link();
    say(connection, 1, 2);
    upper.stream.status = "aborted";
    await turn();
    expect(spelt(upper.sent)).toEqual([[1]]);
  });
});
