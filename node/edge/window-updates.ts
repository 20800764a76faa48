/**
 * How often a stream tells its sender that there is room again. The library does so for each piece that it reads, however
 * small: as many packets as the messages themselves, each encrypted and written alone. Here it is told when half of the
 * room is taken, as other implementations of yamux do, so that a sender never comes to wait for it.
 */

import type { Stream } from "@libp2p/interface";
import { StreamState, YamuxStream } from "@libp2p/yamux/stream";

type Window = { readonly recvWindow: number; readonly recvWindowCapacity: number };

/** To be called before anything is read. */
export function tellOfRoomSeldom(stream: Stream): void {
  if (!(stream instanceof YamuxStream)) return;
  const tell = stream.sendWindowUpdate.bind(stream);
  stream.sendWindowUpdate = () => {
    const { recvWindow, recvWindowCapacity } = stream as unknown as Window;
    // The first one also says that the stream was taken.
    if (stream.state !== StreamState.Established || recvWindowCapacity * 2 <= recvWindow) tell();
  };
}
