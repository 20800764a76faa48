/** A registry that fails: what is asked for again, from where on, how often; and what is said when that was for nothing. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Unprepared } from "../../../node/edge/execution/ends.ts";
import type { ImageBounds } from "../../../node/edge/execution/images/image-messages.ts";
import { type Image, ImageStore } from "../../../node/edge/execution/images/image-store.ts";
import { retryAfterMs } from "../../../node/edge/execution/images/trying-again.ts";
import { limits } from "../../../protocol/limits.ts";
import { digestOf, packLayer, type RegistryFixture, startRegistry } from "./registry-fixture.ts";

let folder = "";
const closing: (() => Promise<void>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "otto-failing-registry-"));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

const layer = gzipSync(packLayer({ "bin/sh": { content: "#!", mode: 0o755 }, "etc/motd": "hello" }));
const layerPath = `/v2/team/app/blobs/sha256:${digestOf(layer)}`;

type Answer = (request: IncomingMessage, response: ServerResponse, turn: number) => boolean;

/** Answers for the layer itself, one way the first time, and others after that. */
class Failing {
  readonly registry: RegistryFixture;
  readonly #layerAsked: { readonly headers: IncomingMessage["headers"] }[] = [];

  constructor(registry: RegistryFixture) {
    this.registry = registry;
  }

  static async start(answer: Answer): Promise<Failing> {
    let turn = 0;
    const registry = await startRegistry({
      answer: (request, response) => {
        if (request.url !== layerPath) return false;
        failing.#layerAsked.push({ headers: request.headers });
        turn += 1;
        return answer(request, response, turn);
      },
    });
    const failing = new Failing(registry);
    closing.push(() => registry.close());
    return failing;
  }

  /** From which byte on each request for the layer asked; 0: for all of it. */
  get askedFrom(): number[] {
    return this.#layerAsked.map(({ headers }) =>
      Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0),
    );
  }

  async bring(bounds: Partial<ImageBounds> = {}): Promise<Image> {
    const { name } = this.registry.add([layer]);
    const store = new ImageStore({
      folder: join(folder, "images"),
      bounds: { imageTryAgainMsMin: 1, ...bounds },
    });
    closing.push(() => store.close());
    return store.bring(name, { signal: new AbortController().signal, said: () => undefined });
  }

  async refusal(bounds: Partial<ImageBounds> = {}): Promise<Error> {
    const error: unknown = await this.bring(bounds).then(
      () => null,
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(Error);
    return error as Error;
  }
}

/** Half of it, and then the connection is gone. */
function breaksOff(response: ServerResponse, start = 0): true {
  const headers = { "content-length": layer.length - start, ...rangeFrom(start) };
  response.writeHead(start === 0 ? 200 : 206, headers);
  response.write(layer.subarray(start, start + Math.ceil((layer.length - start) / 2)), () =>
    response.destroy(),
  );
  return true;
}

function goesOn(response: ServerResponse, start: number): true {
  response.writeHead(206, rangeFrom(start)).end(layer.subarray(start));
  return true;
}

function rangeFrom(start: number): Record<string, string> {
  return start === 0 ? {} : { "content-range": `bytes ${start}-${layer.length - 1}/${layer.length}` };
}

function startOf({ headers }: IncomingMessage): number {
  return Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
}

async function motd(failing: Failing): Promise<string> {
  const image = await failing.bring();
  return readFileSync(join(image.root, "etc/motd"), "utf8");
}

describe("a layer that breaks off", () => {
  it("is gone on with from there, as often as it does", async () => {
    const failing = await Failing.start((request, response, turn) =>
      turn < 4 ? breaksOff(response, startOf(request)) : goesOn(response, startOf(request)),
    );
    expect(await motd(failing)).toBe("hello");
    const [first, ...later] = failing.askedFrom;
    expect(first).toBe(0);
    expect(later).toHaveLength(3);
    expect(later).toEqual([...later].sort((left, right) => left - right));
    expect(later[0]).toBeGreaterThan(0);
  });

  it("is taken from its beginning where the registry knows of no parts", async () => {
    const failing = await Failing.start((_, response, turn) => (turn === 1 ? breaksOff(response) : false));
    expect(await motd(failing)).toBe("hello");
    expect(failing.askedFrom).toHaveLength(2);
  });

  it("is no other than a manifest that does", async () => {
    let first: string | null = null;
    const registry = await startRegistry({
      answer: ({ url = "" }, response) => {
        if (first !== null || !url.includes("/manifests/")) return false;
        first = url;
        response.writeHead(200, { "content-length": 1_000 });
        response.write("x".repeat(100), () => response.destroy());
        return true;
      },
    });
    closing.push(() => registry.close());
    const { name } = registry.add([layer]);
    const store = new ImageStore({ folder: join(folder, "images"), bounds: { imageTryAgainMsMin: 1 } });
    closing.push(() => store.close());
    await store.bring(name, { signal: new AbortController().signal, said: () => undefined });
    expect(registry.asked.filter(({ path }) => path === first)).toHaveLength(2);
  });

  it("is asked for as a whole when its parts do not fit together", async () => {
    const failing = await Failing.start((request, response, turn) => {
      if (turn === 1) return breaksOff(response);
      if (turn > 2) return false;
      const start = startOf(request);
      response.writeHead(206, rangeFrom(start)).end(Buffer.alloc(layer.length - start, 1));
      return true;
    });
    expect(await motd(failing)).toBe("hello");
    expect(failing.askedFrom).toEqual([0, expect.any(Number), 0]);
  });

  it.each([
    ["of another part", 206, { "content-range": "bytes 0-1/2" }],
    ["that there is no such part", 416, {}],
  ])("is asked for as a whole when the answer is %s", async (_, status, headers) => {
    const failing = await Failing.start((_request, response, turn) => {
      if (turn === 1) return breaksOff(response);
      if (turn > 2) return false;
      response.writeHead(status, headers).end("xx");
      return true;
    });
    expect(await motd(failing)).toBe("hello");
    expect(failing.askedFrom.at(-1)).toBe(0);
  });
});

describe("a layer that breaks off again and again", () => {
  it("at the same place is not asked for without an end, and the step is not to blame", async () => {
    const failing = await Failing.start((_, response) => breaksOff(response));
    const error = await failing.refusal();
    expect(error.message).toMatch(/could not be asked \(.*\): look whether it is up/);
    expect(error).toBeInstanceOf(Unprepared);
    expect(failing.askedFrom).toHaveLength(limits.imageTriesMax);
  });

  it("after much of it may break off as often again", async () => {
    let sent = 0;
    const long = Buffer.alloc(8 * limits.imageProgressBytesMin);
    const name = digestOf(long);
    const registry = await startRegistry({
      answer: (request, response) => {
        if (request.url !== `/v2/team/app/blobs/sha256:${name}`) return false;
        const start = startOf(request);
        const end = Math.min(long.length, start + limits.imageProgressBytesMin + 1);
        sent += 1;
        response.writeHead(start === 0 ? 200 : 206, {
          "content-length": long.length - start,
          ...(start === 0 ? {} : { "content-range": `bytes ${start}-${long.length - 1}/${long.length}` }),
        });
        response.write(long.subarray(start, end), () =>
          end < long.length ? response.destroy() : response.end(),
        );
        return true;
      },
    });
    closing.push(() => registry.close());
    const image = registry.add([layer, long]);
    const store = new ImageStore({ folder: join(folder, "images"), bounds: { imageTryAgainMsMin: 1 } });
    closing.push(() => store.close());
    await store.bring(image.name, { signal: new AbortController().signal, said: () => undefined });
    expect(sent).toBe(8);
  });
});

describe("a registry that cannot now", () => {
  it.each([408, 429, 500, 502, 503, 504])("and says so with %d is asked again", async (status) => {
    const failing = await Failing.start((_, response, turn) => {
      if (turn > 2) return false;
      response.writeHead(status, { "retry-after": "0" }).end();
      return true;
    });
    expect(await motd(failing)).toBe("hello");
    expect(failing.askedFrom).toHaveLength(3);
  });

  it("for longer than is waited for is left alone, and the step is not to blame", async () => {
    const failing = await Failing.start((_, response) => {
      response.writeHead(429, { "retry-after": "3600" }).end();
      return true;
    });
    const error = await failing.refusal();
    expect(error.message).toMatch(
      /answered with 429, and asks to be left alone for 3600 seconds: start the run again after that\.$/,
    );
    expect(error).toBeInstanceOf(Unprepared);
    expect(failing.askedFrom).toHaveLength(1);
  });

  it("is asked no sooner than it says, in seconds or by the clock", () => {
    const now = Date.parse("2026-01-01T00:00:00Z");
    expect(retryAfterMs("7", now)).toBe(7_000);
    expect(retryAfterMs("Thu, 01 Jan 2026 00:01:00 GMT", now)).toBe(60_000);
    expect(retryAfterMs("Wed, 31 Dec 2025 00:00:00 GMT", now)).toBe(0);
    for (const text of [null, "", "soon", "-1e9", "9".repeat(400)])
      expect(retryAfterMs(text, now)).toBe(null);
  });

  it.each([400, 401, 403, 404, 410, 501])("never will when it says %d: it is asked once", async (status) => {
    const failing = await Failing.start((_, response) => {
      response.writeHead(status).end();
      return true;
    });
    const error = await failing.refusal();
    expect(error).not.toBeInstanceOf(Unprepared);
    expect(failing.askedFrom).toHaveLength(1);
  });

  it("and sends something else instead is asked once, and the step is not to blame", async () => {
    const failing = await Failing.start((_, response) => {
      response.end(Buffer.alloc(layer.length));
      return true;
    });
    const error = await failing.refusal();
    expect(error.message).toContain("sent bytes that its digest does not name");
    expect(error).toBeInstanceOf(Unprepared);
    expect(failing.askedFrom).toHaveLength(1);
  });
});
