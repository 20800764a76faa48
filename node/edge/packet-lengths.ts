/**
 * How an encrypted link learns that all packets of what came in are read. The library finds out by an exception, which
 * it makes anew, with its stack, behind every packet; here it is always the same one.
 */

import type { MessageStream } from "@libp2p/interface";
import type { Uint8ArrayList } from "uint8arraylist";

type Decoding = { readonly decoder: { lengthDecoder: (data: Uint8ArrayList) => number } };

const lengthBytes = 2;
const isRead = new RangeError("no more packets");

/** @param connection encrypted by noise. */
export function readLengthsQuietly(connection: MessageStream): void {
  const { decoder } = connection as unknown as Partial<Decoding>;
  if (decoder === undefined) return;
  decoder.lengthDecoder = (data) => {
    if (data.byteLength < lengthBytes) throw isRead;
    return data.getUint16(0);
  };
}
