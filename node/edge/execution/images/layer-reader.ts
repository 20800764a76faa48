/** One layer of an image as it is read: decompressed, and parsed with the tar package. What is not a whole, plain archive is refused. */

import { closeSync, createReadStream, futimesSync, openSync, readSync, writeSync } from "node:fs";
import { pipeline, type Readable } from "node:stream";
import { constants, createGunzip, createZstdDecompress } from "node:zlib";
import { Parser, type ReadEntry } from "tar";
import { wordsOf } from "../../error-words.ts";
import { ImageProblem, wrongImage } from "./image-messages.ts";

const gzip = Buffer.of(0x1f, 0x8b);
const zstd = Buffer.of(0x28, 0xb5, 0x2f, 0xfd);
/** A window of 128 MiB: more memory is not given to one archive. */
const zstdWindowLogMax = 27;
const blockBytes = 512;
/** As file systems of today can say it. */
const timeSecondsMax = 2 ** 32;
const chunkBytes = 256 * 1024;

/** How it is compressed its first bytes say: registries name the kinds of layers in several ways. */
export async function* decompressed(file: string): AsyncGenerator<Buffer> {
  const head = headOf(file);
  const stream = createReadStream(file, { highWaterMark: chunkBytes });
  const through = throughFor(head);
  try {
    if (through === null) yield* stream as AsyncIterable<Buffer>;
    else {
      // Its failure comes out of the iteration.
      pipeline(stream, through, () => undefined);
      yield* through as unknown as AsyncIterable<Buffer>;
    }
  } catch (error) {
    if (error instanceof ImageProblem) throw error;
    throw wrongImage(`one of its layers cannot be decompressed (${wordsOf(error)})`);
  } finally {
    stream.destroy();
  }
}

function throughFor(head: Buffer): (Readable & NodeJS.WritableStream) | null {
  if (head.subarray(0, gzip.length).equals(gzip)) return createGunzip({ chunkSize: chunkBytes });
  if (!head.equals(zstd)) return null;
  return createZstdDecompress({
    chunkSize: chunkBytes,
    params: { [constants.ZSTD_d_windowLogMax]: zstdWindowLogMax },
  });
}

function headOf(path: string): Buffer {
  const file = openSync(path, "r");
  try {
    const head = Buffer.alloc(zstd.length);
    return head.subarray(0, readSync(file, head, 0, head.length, 0));
  } finally {
    closeSync(file);
  }
}

export class LayerReader {
  readonly #parser: Parser;
  #open: number | null = null;
  #problem: unknown = null;
  #ended = false;
  /** The first block, until it is whole. */
  #head: Buffer | null = Buffer.alloc(0);
  #isBlank = true;

  /** @param take says what to do with an entry: the file that its bytes go to, which is closed here, or nothing. */
  constructor(take: (entry: ReadEntry) => number | null) {
    // It would look for a second compression, by which all bounds were missed.
    this.#parser = new Parser({ zstd: false, brotli: false });
    this.#parser.on("entry", (entry: ReadEntry) => this.#take(entry, take));
    this.#parser.on("ignoredEntry", ({ path }: ReadEntry) =>
      this.#failed(wrongImage(`it has a file of a kind that is not known, "${path.slice(0, 100)}"`)),
    );
    this.#parser.on("meta", (text: string) => {
      if (text.includes("GNU.sparse")) this.#failed(wrongImage("it has a file with holes that are left out"));
    });
    const damaged = (words: string): void => {
      // An archive of nothing is blank, and no archive to the parser.
      if (!this.#isBlank || !words.startsWith("Unrecognized"))
        this.#failed(wrongImage(`one of its layers is damaged (${words})`));
    };
    this.#parser.on("warn", (_code: string, words: string) => damaged(words));
    this.#parser.on("error", (error: unknown) => damaged(wordsOf(error)));
    this.#parser.on("end", () => {
      this.#ended = true;
    });
  }

  write(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#head !== null) {
      bytes = Buffer.concat([this.#head, chunk]);
      if (bytes.length < blockBytes) {
        this.#head = bytes;
        return;
      }
      this.#head = null;
      this.#isBlank = bytes.subarray(0, blockBytes).every((byte) => byte === 0);
      if (bytes.subarray(0, gzip.length).equals(gzip))
        throw wrongImage("one of its layers is compressed twice");
    }
    try {
      this.#parser.write(bytes);
    } catch (error) {
      this.#failed(error);
    }
    this.#check();
  }

  end(): void {
    if (this.#head !== null && this.#head.length > 0)
      this.#failed(wrongImage("one of its layers is cut off"));
    this.#parser.end();
    if (!this.#ended) this.#failed(wrongImage("one of its layers is cut off"));
    this.#check();
  }

  #take(entry: ReadEntry, take: (entry: ReadEntry) => number | null): void {
    if (this.#problem === null) {
      try {
        this.#open = take(entry);
      } catch (error) {
        this.#failed(error);
      }
    }
    entry.on("data", (bytes: Buffer) => this.#append(bytes));
    entry.on("end", () => this.#close(entry.mtime));
    entry.resume();
  }

  #append(bytes: Buffer): void {
    if (this.#open === null) return;
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#open, bytes, at);
    } catch (error) {
      this.#failed(error);
    }
  }

  #close(changed?: Date): void {
    if (this.#open === null) return;
    // Compiled files say when their sources were changed, and are not believed when it was another time.
    const seconds = Math.floor((changed?.getTime() ?? 0) / 1_000);
    if (seconds >= 0 && seconds < timeSecondsMax) futimesSync(this.#open, seconds, seconds);
    closeSync(this.#open);
    this.#open = null;
  }

  /** The first of them counts. */
  #failed(problem: unknown): void {
    this.#problem ??= problem;
  }

  #check(): void {
    if (this.#problem === null) return;
    this.#close();
    throw this.#problem;
  }
}
