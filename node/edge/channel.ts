/**
 * A channel: frames both ways between a caller and a node, over the local socket or over libp2p. One call is one
 * channel; whoever closes it ends the call.
 */

import type { Socket } from "node:net";
import type { Stream } from "@libp2p/interface";
import { OttoError } from "../../protocol/errors.ts";
import { encodeFrame, FrameDecoder } from "../../protocol/frames.ts";
import { drained } from "./draining.ts";
import { StreamReader } from "./stream-reader.ts";

export type Channel = {
  /** The peer on the other side, or null over the local socket. */
  readonly peer: string | null;
  /** Resolves when more may be sent. Rejects when the channel is broken. */
  send(frame: Uint8Array): Promise<void>;
  /** Frames in order until the other side closes. Throws when the channel breaks or carries nonsense. */
  frames(): AsyncGenerator<Uint8Array, void, void>;
  /** Says that nothing more comes from here; what was sent still arrives. */
  close(): Promise<void>;
  /** Ends everything at once. */
  abort(): void;
  /** Told once, when the channel is over for whatever reason. */
  onClosed(callback: () => void): void;
};

export function socketChannel(socket: Socket): Channel {
  // Whoever reads or writes is told of a failure there; without a listener it would end the process.
  socket.on("error", () => socket.destroy());
  let isGathering = false;
  /** The first frame of a turn of the event loop leaves at once, those behind it in one write. */
  const gather = (): void => {
    if (isGathering) return;
    isGathering = true;
    socket.cork();
    setImmediate(release);
  };
  const release = (): void => {
    if (isGathering) socket.uncork();
    isGathering = false;
  };
  return {
    peer: null,
    send: (frame) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed || socket.writableEnded) return reject(broken());
        const hasRoom = socket.write(encodeFrame(frame));
        gather();
        if (hasRoom) return resolve();
        const drained = () => {
          socket.off("close", gone);
          resolve();
        };
        const gone = () => {
          socket.off("drain", drained);
          reject(broken());
        };
        socket.once("drain", drained);
        socket.once("close", gone);
      }),
    frames: () => decodeAll(socket),
    close: () => new Promise((resolve) => (socket.destroyed ? resolve() : socket.end(() => resolve()))),
    abort: () => {
      release();
      socket.destroy();
    },
    onClosed: (callback) => void (socket.destroyed ? callback() : socket.once("close", callback)),
  };
}

export function streamChannel(stream: Stream, peer: string): Channel {
  const reader = new StreamReader(stream);
  return {
    peer,
    async send(frame) {
      if (stream.status !== "open" || stream.writeStatus !== "writable") throw broken();
      if (!stream.send(encodeFrame(frame))) await drained(stream);
    },
    frames: () => decodeAll(reader.chunks()),
    close: async () => {
      if (stream.writeStatus === "writable") await stream.close();
    },
    abort: () => stream.abort(broken()),
    onClosed: (callback) => {
      if (stream.status === "open") stream.addEventListener("close", () => callback(), { once: true });
      else callback();
    },
  };
}

/** The same channel, which breaks when nothing was sent or received for so long while somebody waits for it. */
export function impatient(channel: Channel, silenceMsMax: number): Channel {
  let waiting = 0;
  let timer: NodeJS.Timeout | undefined;
  const during = async <Value>(work: Promise<Value>): Promise<Value> => {
    waiting += 1;
    clearTimeout(timer);
    timer = setTimeout(() => channel.abort(), silenceMsMax);
    try {
      return await work;
    } finally {
      waiting -= 1;
      if (waiting === 0) clearTimeout(timer);
      else timer.refresh();
    }
  };
  return {
    ...channel,
    send: (frame) => during(channel.send(frame)),
    async *frames() {
      const frames = channel.frames();
      for (let next = await during(frames.next()); next.done !== true; next = await during(frames.next()))
        yield next.value;
    },
  };
}

async function* decodeAll(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const decoder = new FrameDecoder();
  for await (const chunk of chunks) {
    const frames = decoder.push(chunk);
    if (frames === "oversized") throw nonsense("a frame was longer than allowed");
    yield* frames;
  }
  if (decoder.isTorn) throw nonsense("it ended inside a frame");
}

function broken(): OttoError {
  return new OttoError("OTTO_UNREACHABLE", {
    what: "The connection to the node was lost.",
    next: "Ask again; what was submitted is kept by the node.",
  });
}

function nonsense(why: string): OttoError {
  return new OttoError("OTTO_MESSAGE_INVALID", {
    what: `The other side sent something that is not Otto's protocol: ${why}.`,
    next: "Check that both sides run compatible versions of Otto.",
  });
}
