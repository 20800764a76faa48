/**
 * DAG-CBOR without links: values to bytes and back, in one pass each way.
 *
 * Otto encodes and decodes several times for every claim and every event, and what it signs or hashes it must also
 * know to be canonical. The reference codec (`@ipld/dag-cbor`) took a third of a busy home's time and answers that last
 * question only by encoding again. Tests hold this codec to the reference, on what both accept and on what both refuse.
 *
 *   null, true, false, numbers (whole ones that are counted exactly as integers, others as 64 bit floats), strings, Uint8Array, arrays, plain maps
 *
 * The decoder accepts the one canonical form of a value and nothing else: shortest lengths, keys sorted and
 * unique, no tags, no indefinite lengths, valid UTF-8. It allocates no more than its input could fill.
 *
 * @source RFC 8949, section 4.2; https://ipld.io/specs/codecs/dag-cbor/spec/
 */

import { Buffer, isUtf8 } from "node:buffer";
import { limits } from "./limits.ts";

const unsigned = 0;
const negative = 1;
const byteString = 2;
const textString = 3;
const list = 4;
const map = 5;
const simple = 7;

/** A head is one byte and an argument of at most eight. */
const headBytesMax = 9;
/** Kept between calls; a larger one is given back at once. */
const scratchBytes = 1 << 16;
/** Texts up to this length are copied character by character: cheaper than a call for so few. */
const shortText = 24;
/** Texts up to this length are looked through for other characters than ASCII, without a call. */
const asciiLooked = 128;
/** So many keys of a map are put in order one by one: cheaper than a call for so few, and a cliff for many. */
const keysPlaced = 32;
/** How many keys of maps are remembered, by their bytes: most keys were read before. A power of two. */
const keysKept = 1_024;

const knownKeys: (string | undefined)[] = Array.from({ length: keysKept });

const scratch = Buffer.allocUnsafeSlow(scratchBytes);
let out = scratch;
let at = 0;

/** @throws on anything that is not a value: undefined, functions, NaN, classes, more than `limits.valueNestingMax` deep. */
export function encodeCbor(value: unknown): Uint8Array {
  at = 0;
  try {
    write(value, 0);
    // A small copy is made without memory of its own that the collector must give back.
    return new Uint8Array(out.buffer, 0, at).slice();
  } finally {
    out = scratch;
  }
}

function reserve(bytes: number): void {
  if (at + bytes <= out.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(out.length * 2, at + bytes));
  out.copy(larger, 0, 0, at);
  out = larger;
}

function write(value: unknown, depth: number): void {
  switch (typeof value) {
    case "string":
      return writeText(value);
    case "number":
      return writeNumber(value);
    case "boolean":
      reserve(1);
      out[at++] = value ? 0xf5 : 0xf4;
      return;
    case "object":
      return writeObject(value, depth);
    default:
      throw new TypeError(`a ${typeof value} is not a value`);
  }
}

function writeObject(value: object | null, depth: number): void {
  reserve(headBytesMax);
  if (value === null) {
    out[at++] = 0xf6;
    return;
  }
  if (value instanceof Uint8Array) {
    writeHead(byteString, value.length);
    reserve(value.length);
    out.set(value, at);
    at += value.length;
    return;
  }
  if (depth >= limits.valueNestingMax) throw new TypeError("not a bounded value: nested too deep");
  if (Array.isArray(value)) {
    writeHead(list, value.length);
    for (const item of value as unknown[]) write(item, depth + 1);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    throw new TypeError("an instance of a class is not a value");
  const keys = sortedKeys(value);
  writeHead(map, keys.length);
  for (const key of keys) {
    writeText(key);
    write((value as Record<string, unknown>)[key], depth + 1);
  }
}

/** Shorter keys first, then by byte: of ASCII texts, the order of their lengths and then of their characters. */
function sortedKeys(value: object): string[] {
  const keys = Object.keys(value);
  if (!keys.every(isAscii)) return sortedByBytes(keys);
  if (keys.length > keysPlaced) return keys.sort((left, right) => (isBehind(left, right) ? 1 : -1));
  for (let index = 1; index < keys.length; index += 1) {
    const key = keys[index] as string;
    let to = index - 1;
    for (; to >= 0 && isBehind(keys[to] as string, key); to -= 1) keys[to + 1] = keys[to] as string;
    keys[to + 1] = key;
  }
  return keys;
}

/** Two keys of one map are never equal. */
function isBehind(left: string, right: string): boolean {
  return left.length > right.length || (left.length === right.length && left > right);
}

function sortedByBytes(keys: readonly string[]): string[] {
  const inBytes = keys.map((key) => ({ key, bytes: Buffer.from(key) }));
  inBytes.sort(
    (left, right) => left.bytes.length - right.bytes.length || Buffer.compare(left.bytes, right.bytes),
  );
  // Halves of surrogate pairs are all written as U+FFFD: the map could not be read back.
  for (const [index, { bytes }] of inBytes.entries())
    if (index > 0 && inBytes[index - 1]?.bytes.equals(bytes) === true)
      throw new TypeError("two keys that are written alike are not a value");
  return inBytes.map(({ key }) => key);
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}

function writeNumber(value: number): void {
  reserve(headBytesMax);
  if (Number.isSafeInteger(value)) {
    if (value < 0) writeHead(negative, -1 - value);
    else writeHead(unsigned, value);
    return;
  }
  if (!Number.isFinite(value)) throw new TypeError(`${value} is not a value`);
  out[at] = 0xfb;
  out.writeDoubleBE(value, at + 1);
  at += headBytesMax;
}

function writeText(text: string): void {
  const { length } = text;
  // A UTF-16 unit is at most three bytes of UTF-8.
  reserve(headBytesMax + length * 3);
  if (length < shortText) {
    const start = at;
    out[at++] = (textString << 5) | length;
    let index = 0;
    for (; index < length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) break;
      out[at + index] = code;
    }
    if (index === length) {
      at += length;
      return;
    }
    at = start;
  }
  // Written where it goes when every character is one byte; moved when the head needs more.
  const guess = headLength(length);
  const bytes = out.write(text, at + guess);
  const head = headLength(bytes);
  if (head !== guess) out.copyWithin(at + head, at + guess, at + guess + bytes);
  writeHead(textString, bytes);
  at += bytes;
}

function headLength(argument: number): number {
  return argument < 24 ? 1 : argument < 0x100 ? 2 : argument < 0x10000 ? 3 : argument < 0x100000000 ? 5 : 9;
}

/** There is room for it. */
function writeHead(major: number, argument: number): void {
  const type = major << 5;
  if (argument < 24) {
    out[at++] = type | argument;
  } else if (argument < 0x100) {
    out[at++] = type | 24;
    out[at++] = argument;
  } else if (argument < 0x10000) {
    out[at++] = type | 25;
    out[at++] = argument >>> 8;
    out[at++] = argument & 0xff;
  } else if (argument < 0x100000000) {
    out[at++] = type | 26;
    at = out.writeUInt32BE(argument, at);
  } else {
    out[at++] = type | 27;
    at = out.writeUInt32BE(Math.floor(argument / 0x100000000), at);
    at = out.writeUInt32BE(argument >>> 0, at);
  }
}

/** @throws on bytes that are not the canonical form of one value, or nest more than `limits.valueNestingMax` deep. */
export function decodeCbor(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (reader.at !== bytes.length) throw new RangeError("something follows the value");
  return value;
}

class Reader {
  readonly #bytes: Buffer;
  at = 0;
  /** The key that was read last. */
  #keyStart = 0;
  #keyEnd = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  value(depth: number): unknown {
    const first = this.#byte();
    const major = first >> 5;
    if (major === simple) return this.#simple(first);
    const argument = this.#argument(first & 31);
    switch (major) {
      case unsigned:
        return argument;
      case negative:
        if (argument >= Number.MAX_SAFE_INTEGER)
          throw new RangeError("a number beyond what is counted exactly");
        return -1 - argument;
      case byteString: {
        const start = this.#skip(argument);
        return new Uint8Array(this.#bytes.subarray(start, this.at));
      }
      case textString:
        return this.#textFrom(this.#skip(argument));
      case list:
        return this.#list(argument, depth);
      case map:
        return this.#map(argument, depth);
      default:
        throw new TypeError("a tag is not a value");
    }
  }

  #simple(first: number): unknown {
    if (first === 0xf6) return null;
    if (first === 0xf5) return true;
    if (first === 0xf4) return false;
    if (first !== 0xfb)
      throw new TypeError("a simple value that is none of null, true, false, a 64 bit float");
    const number = this.#bytes.readDoubleBE(this.#skip(8));
    if (!Number.isFinite(number)) throw new RangeError("a float that is not a number");
    if (Number.isSafeInteger(number))
      throw new RangeError("not in canonical form: a whole number as a float");
    return number;
  }

  #list(length: number, depth: number): unknown[] {
    this.#bound(length, depth);
    const items: unknown[] = [];
    for (let left = length; left > 0; left -= 1) items.push(this.value(depth + 1));
    return items;
  }

  #map(length: number, depth: number): Record<string, unknown> {
    this.#bound(length * 2, depth);
    const value: Record<string, unknown> = {};
    let start = 0;
    let end = 0;
    for (let left = length; left > 0; left -= 1) {
      const key = this.#key();
      if (left < length) this.#inOrder(start, end);
      start = this.#keyStart;
      end = this.#keyEnd;
      const item = this.value(depth + 1);
      if (key === "__proto__")
        Object.defineProperty(value, key, {
          value: item,
          enumerable: true,
          configurable: true,
          writable: true,
        });
      else value[key] = item;
    }
    return value;
  }

  #key(): string {
    const first = this.#byte();
    if (first >> 5 !== textString) throw new TypeError("a key that is no text");
    const length = this.#argument(first & 31);
    const start = this.#skip(length);
    this.#keyStart = start;
    this.#keyEnd = this.at;
    if (length > shortText) return this.#textFrom(start);
    let hash = length;
    for (let index = start; index < this.at; index += 1)
      hash = (Math.imul(hash, 31) + (this.#bytes[index] as number)) | 0;
    const place = hash & (keysKept - 1);
    const kept = knownKeys[place];
    if (kept?.length === length && this.#spells(kept, start)) return kept;
    const key = this.#textFrom(start);
    knownKeys[place] = key;
    return key;
  }

  #spells(text: string, start: number): boolean {
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 0x7f || code !== this.#bytes[start + index]) return false;
    }
    return true;
  }

  /** The newest key comes behind the one before it, which was at these bytes. */
  #inOrder(start: number, end: number): void {
    let order = this.#keyEnd - this.#keyStart - (end - start);
    for (let index = 0; order === 0 && start + index < end; index += 1)
      order = (this.#bytes[this.#keyStart + index] as number) - (this.#bytes[start + index] as number);
    if (order <= 0) throw new RangeError("not in canonical form: keys out of order, or one twice");
  }

  /** Every item takes a byte at least, so a length that is too long is refused before anything is set aside for it. */
  #bound(items: number, depth: number): void {
    if (depth >= limits.valueNestingMax) throw new RangeError("not a bounded value: nested too deep");
    if (items > this.#bytes.length - this.at) throw new RangeError("the value ends early");
  }

  /** The text from there to where this reader is. */
  #textFrom(start: number): string {
    const length = this.at - start;
    if (length <= asciiLooked && this.#isAscii(start)) return this.#bytes.toString("latin1", start, this.at);
    if (!isUtf8(this.#bytes.subarray(start, this.at))) throw new TypeError("a text that is not UTF-8");
    return this.#bytes.toString("utf8", start, this.at);
  }

  #isAscii(start: number): boolean {
    const bytes = this.#bytes;
    for (let index = start; index < this.at; index += 1) if ((bytes[index] as number) > 0x7f) return false;
    return true;
  }

  #byte(): number {
    const byte = this.#bytes[this.at];
    if (byte === undefined) throw new RangeError("the value ends early");
    this.at += 1;
    return byte;
  }

  /** Moves behind so many bytes. Returns where they begin. */
  #skip(length: number): number {
    if (length > this.#bytes.length - this.at) throw new RangeError("the value ends early");
    const start = this.at;
    this.at += length;
    return start;
  }

  #argument(info: number): number {
    if (info < 24) return info;
    let argument: number;
    let least: number;
    if (info === 24) {
      argument = this.#byte();
      least = 24;
    } else if (info === 25) {
      argument = this.#bytes.readUInt16BE(this.#skip(2));
      least = 0x100;
    } else if (info === 26) {
      argument = this.#bytes.readUInt32BE(this.#skip(4));
      least = 0x10000;
    } else if (info === 27) {
      const start = this.#skip(8);
      argument = this.#bytes.readUInt32BE(start) * 0x100000000 + this.#bytes.readUInt32BE(start + 4);
      least = 0x100000000;
    } else throw new TypeError("a length that is not given");
    if (argument < least) throw new RangeError("not in canonical form: a number in more bytes than it needs");
    if (argument > Number.MAX_SAFE_INTEGER) throw new RangeError("a number beyond what is counted exactly");
    return argument;
  }
}
