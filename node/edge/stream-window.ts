/**
 * Fewer window updates on a stream. js-libp2p's yamux answers every data frame with a window update: a frame that is
 * encrypted, a packet, and a wake-up of the other side. Half of all packets between two busy peers were these.
 * Here one is sent when half of the window is used, as Go's yamux does; the protocol on the wire is the same.
 */

import type { Stream } from "@libp2p/interface";

/** `Established` of yamux's stream states: before it, an update also carries the handshake's flags. */
const established = 3;

type Windowed = {
  readonly state: number;
  readonly recvWindow: number;
  readonly recvWindowCapacity: number;
  sendWindowUpdate(): void;
};

/** Does nothing to a stream of another muxer. */
export function spareWindowUpdates(stream: Stream): void {
  if (!isWindowed(stream)) return;
  const send = stream.sendWindowUpdate.bind(stream);
  stream.sendWindowUpdate = () => {
    const isHalfFree = stream.recvWindowCapacity * 2 > stream.recvWindow;
    if (stream.state !== established || !isHalfFree) send();
  };
}

function isWindowed(stream: object): stream is Windowed {
  return (
    "sendWindowUpdate" in stream &&
    typeof stream.sendWindowUpdate === "function" &&
    "recvWindow" in stream &&
    "recvWindowCapacity" in stream &&
    "state" in stream
  );
}
