/**
 * A link in fewer writes than libp2p makes: under the encryption each message in one write, where it would be one for each
 * of its parts; above it, what is sent within one turn of the event loop in two messages at most. The first leaves at
 * once, so that whoever says one thing waits for nothing; what follows leaves together when the turn is over. A control
 * peer that hands a burst of gossip on to fifty others would else encrypt and write each piece for each of them.
 */

import type { MessageStream } from "@libp2p/interface";
import type { Libp2pOptions } from "libp2p";
import { Uint8ArrayList } from "uint8arraylist";
import { readLengthsQuietly } from "./packet-lengths.ts";

type Encryption = NonNullable<Libp2pOptions["connectionEncrypters"]>[number];

/** What one encrypted message holds at most (noise), and no more is kept waiting. */
const gatheredBytesMax = 65_535 - 16;

export function gathered(encryption: Encryption): Encryption {
  return (components) => {
    const encrypter = encryption(components);
    const inbound = encrypter.secureInbound.bind(encrypter);
    const outbound = encrypter.secureOutbound.bind(encrypter);
    return Object.assign(encrypter, {
      secureInbound: async (...[connection, options]: Parameters<typeof inbound>) =>
        above(await inbound(inOneWrite(connection), options)),
      secureOutbound: async (...[connection, options]: Parameters<typeof outbound>) =>
        above(await outbound(inOneWrite(connection), options)),
    });
  };
}

function above<Secured extends { readonly connection: MessageStream }>(secured: Secured): Secured {
  readLengthsQuietly(secured.connection);
  gather(secured.connection);
  return secured;
}

function inOneWrite<Stream extends MessageStream>(stream: Stream): Stream {
  const send = stream.send.bind(stream);
  stream.send = (bytes) => send(bytes instanceof Uint8Array ? bytes : bytes.subarray());
  return stream;
}

/** The order of what is sent stays as it is. */
function gather(stream: MessageStream): void {
  const send = stream.send.bind(stream);
  const close = stream.close.bind(stream);
  let waiting = new Uint8ArrayList();
  let isTurn = false;
  let isClosing = false;

  const flush = (): boolean => {
    if (waiting.byteLength === 0) return !stream.writableNeedsDrain;
    const together = waiting;
    waiting = new Uint8ArrayList();
    // Of a link that broke meanwhile nothing is sent any more.
    return stream.status === "open" && send(together);
  };
  const flushUnheard = (): void => {
    try {
      flush();
    } catch {
      // The link has aborted itself, which whoever uses it hears of.
    }
  };
  stream.send = (bytes) => {
    // Above what may wait, on a link that is closed or full: as it was.
    const isFree = stream.status === "open" && !isClosing && !stream.writableNeedsDrain;
    const isMuch = waiting.byteLength + bytes.byteLength > gatheredBytesMax;
    if (isTurn && isFree && !isMuch) {
      waiting.append(bytes);
      return true;
    }
    flush();
    if (!isTurn) {
      isTurn = true;
      setImmediate(() => {
        isTurn = false;
        flushUnheard();
      });
    }
    return send(bytes);
  };
  stream.close = (options) => {
    flushUnheard();
    isClosing = true;
    return close(options);
  };
}
