/**
 * Every link between two peers of a chaos run leads through a proxy of its own, one for each dialler and target, so
 * that what passes in either direction can be held back, delayed, thinned or cut without any right on the machine.
 *
 *   dialler --socket--> wire out --> target        a wire carries one direction of one connection, in order;
 *           <---------- wire back <--              its way says how: all connections from one peer to another share it
 *
 * What a held way keeps is bytes, and the end of a connection as well: a process that is killed behind a cut cable is
 * not heard to die until the cable is back. A new connection is let through only while both ways are free.
 */

import { createServer, connect, type Server, type Socket } from "node:net";

/** Beyond this the sender is held up, as by a full window. */
const queuedBytesMax = 256 * 1024;

type Piece = { readonly dueMs: number; readonly what: Buffer | "end" | "reset" };

/** How bytes pass from one peer to another. */
class Way {
  isHeld = false;
  delayMs = 0;
  bytesPerSecond = Number.POSITIVE_INFINITY;
  readonly wires = new Set<Wire>();
  readonly waiting = new Set<() => void>();

  changed(): void {
    for (const wire of this.wires) wire.pump();
    if (!this.isHeld) for (const go of this.waiting) go();
  }
}

/** One direction of one connection. */
class Wire {
  readonly #way: Way;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #count: (bytes: number) => void;
  #queue: Piece[] = [];
  #queuedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #freeAtMs = 0;

  constructor(way: Way, from: Socket, to: Socket, count: (bytes: number) => void) {
    this.#way = way;
    this.#from = from;
    this.#to = to;
    this.#count = count;
    way.wires.add(this);
    from.on("data", (chunk: Buffer) => {
      this.#queuedBytes += chunk.length;
      if (this.#queuedBytes > queuedBytesMax) from.pause();
      this.#push(chunk);
    });
    from.once("end", () => this.#push("end"));
    from.once("close", (failed: boolean) => {
      if (failed) this.#push("reset");
      else if (!this.#queue.some(({ what }) => what === "end") && !to.writableEnded) this.#push("end");
    });
    to.once("close", () => this.#over());
  }

  pump(): void {
    clearTimeout(this.#timer);
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      if (this.#way.isHeld || this.#to.destroyed) return;
      const waitMs = Math.max(first.dueMs, this.#freeAtMs) - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), waitMs);
        return;
      }
      this.#queue.shift();
      if (first.what === "reset") return this.cut();
      if (first.what === "end") {
        this.#to.end();
        continue;
      }
      this.#queuedBytes -= first.what.length;
      this.#freeAtMs = performance.now() + (first.what.length / this.#way.bytesPerSecond) * 1_000;
      this.#count(first.what.length);
      this.#to.write(first.what);
      if (this.#queuedBytes <= queuedBytesMax && this.#from.isPaused()) this.#from.resume();
    }
  }

  cut(): void {
    for (const socket of [this.#from, this.#to]) socket.resetAndDestroy();
    this.#over();
  }

  #push(what: Piece["what"]): void {
    this.#queue.push({ dueMs: performance.now() + this.#way.delayMs, what });
    this.pump();
  }

  #over(): void {
    clearTimeout(this.#timer);
    this.#queue = [];
    this.#way.wires.delete(this);
  }
}

/** What holds between two peers in one direction; see `Links.set`. */
export type WayState = {
  readonly isHeld: boolean;
  readonly delayMs: number;
  readonly bytesPerSecond: number;
};

export type Place = { readonly host: string; readonly port: number };

export class Links {
  readonly #ways = new Map<string, Way>();
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  /** What has passed through all of them. */
  bytes = 0;
  connections = 0;

  /** Opens a way between a dialler and what listens on a port of loopback; returns the port of 127.0.0.1 to dial instead. */
  async open(dialler: string, target: string, at: Place): Promise<number> {
    const server = createServer({ allowHalfOpen: true }, (client) => {
      this.#keep(client);
      client.pause();
      this.#whenFree(dialler, target, client, () => this.#connect(client, { dialler, target, at }));
    });
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    const address = server.address();
    if (typeof address !== "object" || address === null) throw new Error("Bug: a server without a port");
    return address.port;
  }

  /** From now on bytes from one peer to the other pass like this, those of open connections too. */
  set(from: string, to: string, state: WayState): void {
    const way = this.#way(from, to);
    Object.assign(way, state);
    way.changed();
  }

  /** Resets every connection between the two. */
  reset(one: string, other: string): void {
    for (const way of [this.#way(one, other), this.#way(other, one)])
      for (const wire of way.wires) wire.cut();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }

  #connect(client: Socket, { dialler, target, at }: { dialler: string; target: string; at: Place }): void {
    if (client.destroyed) return;
    const upstream = connect({ ...at, allowHalfOpen: true });
    this.#keep(upstream);
    upstream.once("error", () => client.resetAndDestroy());
    upstream.once("connect", () => {
      this.connections += 1;
      const count = (bytes: number): void => void (this.bytes += bytes);
      const wires = [
        new Wire(this.#way(dialler, target), client, upstream, count),
        new Wire(this.#way(target, dialler), upstream, client, count),
      ];
      client.resume();
      for (const wire of wires) wire.pump();
    });
  }

  /** Calls back once no way between the two is held, or never when the client gives up before. */
  #whenFree(one: string, other: string, client: Socket, then: () => void): void {
    const ways = [this.#way(one, other), this.#way(other, one)];
    const look = (): void => {
      if (ways.some(({ isHeld }) => isHeld)) return;
      for (const way of ways) way.waiting.delete(look);
      then();
    };
    client.once("close", () => ways.forEach((way) => way.waiting.delete(look)));
    for (const way of ways) way.waiting.add(look);
    look();
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    // The other side of the wire is told by the close that follows.
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#sockets.delete(socket));
  }

  #way(from: string, to: string): Way {
    const key = `${from} ${to}`;
    const way = this.#ways.get(key) ?? new Way();
    this.#ways.set(key, way);
    return way;
  }
}
