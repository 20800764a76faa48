/**
 * The channel between a worker and its runner: frames over one socket pair.
 *
 * Two kinds of frame: a JSON value, and output bytes (which stay bytes). All frames of one turn of the event loop
 * leave in one write. `backlogBytes` says how much the other side has not taken yet, so that the runner can stop
 * reading from its steps instead of filling its memory.
 *
 *   frame   length u32 | kind u8 | payload
 *   output  serial u32 | offset f64 | bytes
 */

import type { Socket } from "node:net";

const headBytes = 5;
const outputHeadBytes = 12;
const kindJson = 1;
const kindOutput = 2;

export type ChannelObserver = {
  message(value: unknown): void;
  output(serial: number, offset: number, bytes: Buffer): void;
  /** The other side is gone, or what it said made no sense. Called once, and last. */
  closed(): void;
  /** The backlog has been taken by the other side. */
  drained(): void;
};

export class Channel {
  readonly #socket: Socket;
  readonly #observer: ChannelObserver;
  #pending: Buffer | null = null;
  #corked = false;
  #closed = false;

  constructor(socket: Socket, observer: ChannelObserver) {
    this.#socket = socket;
    this.#observer = observer;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("drain", () => observer.drained());
    // Either way the other side is gone; why does not matter to this one.
    socket.on("error", () => this.#end());
    socket.on("end", () => this.#end());
    socket.on("close", () => this.#end());
  }

  get backlogBytes(): number {
    return this.#socket.writableLength;
  }

  send(value: unknown): void {
    const payload = Buffer.from(JSON.stringify(value));
    const head = Buffer.allocUnsafe(headBytes);
    head.writeUInt32LE(payload.length, 0);
    head[4] = kindJson;
    this.#write(head, payload);
  }

  sendOutput(serial: number, offset: number, bytes: Buffer): void {
    const head = Buffer.allocUnsafe(headBytes + outputHeadBytes);
    head.writeUInt32LE(outputHeadBytes + bytes.length, 0);
    head[4] = kindOutput;
    head.writeUInt32LE(serial, headBytes);
    head.writeDoubleLE(offset, headBytes + 4);
    this.#write(head, bytes);
  }

  close(): void {
    this.#socket.destroy();
  }

  #write(head: Buffer, payload: Buffer): void {
    if (this.#closed || this.#socket.destroyed) return;
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(head);
    this.#socket.write(payload);
  }

  #read(chunk: Buffer): void {
    let bytes = this.#pending === null ? chunk : Buffer.concat([this.#pending, chunk]);
    while (bytes.length >= headBytes) {
      const end = headBytes + bytes.readUInt32LE(0);
      if (bytes.length < end) break;
      this.#deliver(bytes[4] ?? 0, bytes.subarray(headBytes, end));
      bytes = bytes.subarray(end);
    }
    this.#pending = bytes.length === 0 ? null : bytes;
  }

  #deliver(kind: number, payload: Buffer): void {
    if (kind === kindJson) {
      this.#observer.message(JSON.parse(payload.toString("utf8")));
    } else if (kind === kindOutput) {
      const serial = payload.readUInt32LE(0);
      this.#observer.output(serial, payload.readDoubleLE(4), payload.subarray(outputHeadBytes));
    }
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
    this.#observer.closed();
  }
}
