/** Equal values are equal bytes, and no bytes from a stranger crash or exhaust the decoder. */

import * as reference from "@ipld/dag-cbor";
import {
  anything,
  assert,
  boolean,
  constant,
  constantFrom,
  double,
  integer,
  jsonValue,
  maxSafeInteger,
  nat,
  oneof,
  property,
  string,
  tuple,
  uint8Array,
} from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import {
  bytesCid,
  compareText,
  decodeUntrusted,
  decodeValue,
  encodeValue,
  sha256Hex,
  valueCid,
} from "../../protocol/values.ts";

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));
}

/** Lists in lists around the number 1, so deep. */
function nested(depth: number): Uint8Array {
  const bytes = new Uint8Array(depth + 1).fill(0x81);
  bytes[depth] = 0x01;
  return bytes;
}

describe("a value as bytes", () => {
  it("is the same whatever order its keys were set in", () => {
    const one = encodeValue({ b: 1, a: { y: [1, 2], x: null }, long: true });
    const other = encodeValue({ long: true, a: { x: null, y: [1, 2] }, b: 1 });
    expect(other).toEqual(one);
    expect(valueCid({ b: 1, a: 2 })).toBe(valueCid({ a: 2, b: 1 }));
  });

  it("is another when anything in it is another", () => {
    const cids = [[1, 2], [2, 1], [1, "2"], { a: 1 }, { a: null }, {}, [], "", null, new Uint8Array()];
    expect(new Set(cids.map(valueCid)).size).toBe(cids.length);
  });

  it("is the CBOR that DAG-CBOR prescribes: shorter keys first, bytes as bytes, floats of 64 bits", () => {
    expect(encodeValue({ bb: 1, a: Uint8Array.of(7), c: 1.5 })).toEqual(
      hex("a3 61 61 41 07 61 63 fb 3f f8 00 00 00 00 00 00 62 62 62 01"),
    );
  });

  it("is named by the sha256 of its bytes, as a CID in base32", () => {
    expect(valueCid({})).toMatch(/^bafyrei[a-z2-7]{52}$/);
    expect(valueCid({ a: 1 })).toBe(bytesCid(encodeValue({ a: 1 })));
    expect(sha256Hex(new Uint8Array())).toBe(
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    );
  });

  it("reads back as it was, in its one canonical form", () => {
    assert(
      property(jsonValue({ maxDepth: 3 }), (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value));
        const bytes = encodeValue(plain);
        expect(decodeUntrusted(bytes)).toEqual({ ok: true, value: plain });
        expect(encodeValue(decodeValue(bytes))).toEqual(bytes);
      }),
    );
  });
});

const hostile: readonly [string, Uint8Array][] = [
  ["nothing", new Uint8Array()],
  ["a megabyte of opening lists", new Uint8Array(1 << 20).fill(0x81)],
  ["a megabyte of opening maps", new Uint8Array(1 << 20).fill(0xa1)],
  ["a megabyte of tags", new Uint8Array(1 << 20).fill(0xd8)],
  ["a list that ends early", encodeValue([1, 2, 3]).subarray(0, -1)],
  ["a text that ends early", encodeValue("otto").subarray(0, -1)],
  ["a length that ends early", hex("5a 00 00")],
  ["something after the end", hex("01 01")],
  ["a list of indefinite length", hex("9f 01 ff")],
  ["a map of indefinite length", hex("bf 61 61 01 ff")],
  ["a text of indefinite length", hex("7f 61 61 ff")],
  ["bytes of indefinite length", hex("5f 41 61 ff")],
  ["bytes said to be 2^64-1 long", hex("5b ff ff ff ff ff ff ff ff 00")],
  ["bytes said to be 4 GiB long", hex("5a ff ff ff ff 00")],
  ["a text said to be 2^53 long", hex("7b 00 20 00 00 00 00 00 00 61")],
  ["a list said to be 2^32-1 long", hex("9a ff ff ff ff 01")],
  ["a map said to be 2^63 long", hex("bb 80 00 00 00 00 00 00 00 61 61 01")],
  ["lists that each say 2^32-1", hex("9a ff ff ff ff".repeat(1_000))],
  ["a number in more bytes than it needs", hex("18 01")],
  ["a map with one key twice", hex("a2 61 61 01 61 61 02")],
  ["a map whose key is a number", hex("a1 01 01")],
  ["a tag that is no link", hex("c1 01")],
  ["a link", hex("d8 2a 41 00")],
  ["undefined", hex("f7")],
  ["a float of 16 bits", hex("f9 3e 00")],
  ["a float of 32 bits", hex("fa 3f c0 00 00")],
  ["a whole number as a float", hex("fb 3f f0 00 00 00 00 00 00")],
  ["a text that is not UTF-8", hex("61 ff")],
  ["a long text that is not UTF-8", hex(`78 20 ${"61".repeat(31)} ff`)],
  ["a very long text that is not UTF-8", hex(`78 c8 ${"61".repeat(199)} ff`)],
  ["a key that is not UTF-8", hex("a1 61 e9 01")],
  ["a number that is none", hex("fb 7f f8 00 00 00 00 00 00")],
  ["a whole number beyond what is counted exactly, as a length", hex("9b 00 20 00 00 00 00 00 01 01")],
];

describe("bytes from a stranger", () => {
  it.each(hostile)("are refused: %s", (_, bytes) => {
    expect(decodeUntrusted(bytes)).toMatchObject({ ok: false });
    expect(() => decodeValue(bytes)).toThrow(Error);
  });

  it("may nest as deep as the limit and no deeper", () => {
    expect(decodeUntrusted(nested(limits.valueNestingMax))).toMatchObject({ ok: true });
    expect(decodeUntrusted(nested(limits.valueNestingMax + 1))).toEqual({
      ok: false,
      problem: "not a bounded value: nested too deep",
    });
  });

  it("are refused with the keys of a map in another order", () => {
    const sorted = hex("a2 61 61 01 61 62 02");
    const unsorted = hex("a2 61 62 02 61 61 01");
    expect(decodeUntrusted(sorted)).toEqual({ ok: true, value: { a: 1, b: 2 } });
    expect(decodeUntrusted(unsorted)).toMatchObject({ ok: false });
    expect(decodeUntrusted(hex("a2 62 61 61 01 61 62 02"))).toMatchObject({ ok: false });
  });

  it("cannot reach a prototype by a key", () => {
    const bytes = hex("a1 69 5f 5f 70 72 6f 74 6f 5f 5f a1 68 70 6f 6c 6c 75 74 65 64 01");
    const decoded = decodeUntrusted(bytes);
    const value = decoded.ok ? (decoded.value as object) : null;
    expect(Object.keys(value ?? {})).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(value).not.toHaveProperty("polluted");
  });

  it("never throw, whatever they are", () => {
    assert(
      property(uint8Array({ maxLength: 200 }), (bytes) => {
        expect(typeof decodeUntrusted(bytes).ok).toBe("boolean");
      }),
      { numRuns: 2_000 },
    );
  });

  it("never throw, made of the heads of lists, maps, texts and lengths", () => {
    const head = constantFrom(
      0x81,
      0x98,
      0x9b,
      0xa1,
      0xba,
      0xbf,
      0x5b,
      0x61,
      0x7f,
      0xd8,
      0x2a,
      0xf7,
      0xff,
      0,
    );
    const bytes = tuple(head, head, head, head, head, head, head, head).map((heads) =>
      Uint8Array.from(heads),
    );
    assert(
      property(bytes, (heads) => {
        expect(typeof decodeUntrusted(heads).ok).toBe("boolean");
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("the codec and the reference codec of DAG-CBOR", () => {
  const value = anything({
    values: [
      string({ unit: "binary" }),
      string({ minLength: 20, maxLength: 300 }),
      integer(),
      maxSafeInteger(),
      double({ noNaN: true, noDefaultInfinity: true }),
      boolean(),
      constant(null),
      uint8Array({ maxLength: 300 }),
    ],
    key: oneof(string({ unit: "binary", maxLength: 5 }), string({ maxLength: 30 })),
    maxDepth: 4,
    withNullPrototype: false,
  });

  it("encode every value to the same bytes, which read back as the same value", () => {
    assert(
      property(value, (any) => {
        const bytes = encodeValue(any);
        expect(Buffer.compare(bytes, reference.encode(any))).toBe(0);
        expect(decodeValue(bytes)).toEqual(reference.decode(bytes));
      }),
      { numRuns: 2_000 },
    );
  });

  it("encode numbers and lengths to the same bytes where they grow by a byte", () => {
    const edges = [23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER];
    for (const edge of edges)
      for (const number of [edge, -edge, -1 - edge]) {
        if (!Number.isSafeInteger(number)) continue;
        expect(encodeValue(number)).toEqual(reference.encode(number));
        expect(decodeValue(encodeValue(number))).toBe(number);
      }
    for (const length of edges.filter((edge) => edge <= 65_536))
      for (const sized of ["a".repeat(length), "ä".repeat(length), new Uint8Array(length)]) {
        const bytes = encodeValue(sized);
        expect(Buffer.compare(bytes, reference.encode(sized))).toBe(0);
        expect(decodeValue(bytes)).toEqual(sized);
      }
  });

  it("agree on changed bytes: what one accepts, so does the other, but for links and numbers of 64 bits", () => {
    const changed = tuple(value, nat(), nat(255)).map(([any, place, byte]) => {
      const bytes = encodeValue(any);
      bytes[place % bytes.length] = byte;
      return bytes;
    });
    assert(
      property(changed, (bytes) => {
        const decoded = decodeUntrusted(bytes);
        let canonical = false;
        try {
          canonical = Buffer.compare(reference.encode(reference.decode(bytes)), bytes) === 0;
        } catch {
          // Not readable at all.
        }
        if (decoded.ok) expect(canonical).toBe(true);
        else if (canonical) expect(decoded.problem).toMatch(/^a tag is not|counted exactly$/u);
        if (decoded.ok) expect(decoded.value).toEqual(reference.decode(bytes));
      }),
      { numRuns: 5_000 },
    );
  });
});

it("reads a key that was read before only from its own bytes", () => {
  // A key is remembered by a place that depends on its bytes; among so many, some share theirs with what is no UTF-8.
  for (let first = 0x20; first <= 0xff; first += 1)
    for (let second = 0x80; second <= 0xff; second += 1) {
      const key = String.fromCharCode(first, second);
      const bytes = Buffer.from(key);
      decodeValue(Uint8Array.of(0xa1, 0x60 + bytes.length, ...bytes, 0x01));
      // The same characters as bytes: now and then these are UTF-8, for another key.
      const decoded = decodeUntrusted(Uint8Array.of(0xa1, 0x62, first, second, 0x01));
      if (decoded.ok) expect(Object.keys(decoded.value as object)).not.toEqual([key]);
    }
});

it("refuses to encode what would read back as something else", () => {
  for (const value of [undefined, { a: undefined }, Number.NaN, Number.POSITIVE_INFINITY, () => 1, Symbol()])
    expect(() => encodeValue(value)).toThrow(Error);
});

it("refuses to encode keys that are different only by halves of surrogate pairs: they are written alike", () => {
  expect(() => encodeValue({ "\ud800": 1, "\ud801": 2 })).toThrow(TypeError);
  expect(decodeValue(encodeValue({ "\ud800": "\udfff" }))).toEqual({ "\ufffd": "\ufffd" });
});

it("encodes a map of very many keys in the same order as one of few, whatever order they are in", () => {
  const names = Array.from({ length: 20_000 }, (_, index) => `key ${20_000 - index}`);
  const value = Object.fromEntries(names.map((name) => [name, 1]));
  const startedMs = performance.now();
  const bytes = encodeValue(value);
  // One by one it took seconds.
  expect(performance.now() - startedMs).toBeLessThan(1_000);
  expect(Buffer.compare(bytes, reference.encode(value))).toBe(0);
  expect(decodeValue(bytes)).toEqual(value);
});

it("encodes what lies in a larger or a shared buffer, and reads it from there", () => {
  const shared = new Uint8Array(new SharedArrayBuffer(16));
  const bytes = encodeValue({ é: Buffer.from("abc").subarray(1) });
  shared.set(bytes, 3);
  const within = shared.subarray(3, 3 + bytes.length);
  expect(decodeValue(within)).toEqual({ é: new Uint8Array(Buffer.from("bc")) });
  expect(decodeValue(encodeValue(within))).toEqual(bytes);
});

it("encodes anything or throws an error, and then what was encoded reads back", () => {
  assert(
    property(anything(), (value) => {
      let bytes: Uint8Array;
      try {
        bytes = encodeValue(value);
      } catch (error) {
        return error instanceof Error;
      }
      return decodeUntrusted(bytes).ok;
    }),
  );
});

it("orders text by code unit", () => {
  expect(["b", "ä", "Z", "a", "", "\u{1F600}", "\uFFFD"].toSorted(compareText)).toEqual([
    "",
    "Z",
    "a",
    "b",
    "ä",
    "\u{1F600}",
    "\uFFFD",
  ]);
  expect(compareText("a", "a")).toBe(0);
});
