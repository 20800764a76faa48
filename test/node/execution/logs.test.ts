import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { boundReport, Tail, tailText } from "../../../node/edge/execution/report.ts";
import { limits } from "../../../protocol/limits.ts";
import type { StepReport } from "../../../protocol/report.ts";
import { encodeValue, sha256Hex } from "../../../protocol/values.ts";
import { makeSurroundings, type Surroundings } from "./surroundings.ts";

describe("the log of an attempt", () => {
  let surroundings: Surroundings;
  beforeAll(async () => {
    surroundings = await makeSurroundings();
  });
  afterAll(async () => surroundings.close());

  function logFiles(): readonly string[] {
    return readdirSync(join(surroundings.folder, "execution", "logs"));
  }

  it("is in the report alone while it fits there", async () => {
    const report = await surroundings.run([`head -c ${limits.reportTailBytesMax} /dev/zero | tr '\\0' x`]);
    expect(report.log).toEqual({ bytes: limits.reportTailBytesMax, droppedBytes: 0, digest: null });
    expect(report.tail).toBe("x".repeat(limits.reportTailBytesMax));
  });

  it("is a blob, of which the report has the end, when it is one byte longer", async () => {
    const bytes = limits.reportTailBytesMax + 1;
    const id = surroundings.start([`printf y; head -c ${bytes - 1} /dev/zero | tr '\\0' x`]);
    const report = await surroundings.witness.report(id);
    const whole = `y${"x".repeat(bytes - 1)}`;
    expect(report.log).toEqual({ bytes, droppedBytes: 0, digest: sha256Hex(Buffer.from(whole)) });
    expect(surroundings.witness.log(id)).toBe(whole);
    const stored = await surroundings.blobs.readBytes(report.log.digest ?? "", bytes);
    expect(Buffer.from(stored).toString()).toBe(whole);
    expect(report.tail).toBe("x".repeat(limits.reportTailBytesMax));
    expect(logFiles()).toEqual([]);
  });

  it("can be read from any offset while it grows, however long it is", async () => {
    const long = 10 * limits.reportTailBytesMax;
    const id = surroundings.start([
      `printf first; head -c ${long} /dev/zero | tr '\\0' x; printf last; sleep 600`,
    ]);
    await surroundings.witness.text(id, "last");
    const read = (offset: number, bytesMax: number) =>
      Buffer.from(surroundings.executor.read(id, offset, bytesMax)).toString();
    expect(read(0, 7)).toBe("firstxx");
    expect(read(long + 3, 100)).toBe("xxlast");
    expect(read(5, long)).toBe("x".repeat(long));
    surroundings.executor.stop(id, "cancelled");
    await surroundings.witness.report(id);
  });

  it("is a blob, too, when it is short and no text", async () => {
    const report = await surroundings.run(["printf 'a\\377b'"]);
    expect(report.tail).toBe("a\u{fffd}b");
    expect(report.log).toEqual({ bytes: 3, droppedBytes: 0, digest: sha256Hex(Buffer.from([97, 255, 98])) });
    expect(surroundings.blobs.has(report.log.digest ?? "")).toBe(true);
  });

  it("says which command wrote what, also when it ends at once", async () => {
    const report = await surroundings.run(["printf 12345", "true", "head -c 100000 /dev/zero", "printf end"]);
    expect(report.commands.map((command) => command.logOffset)).toEqual([0, 5, 5, 100_005]);
    expect(report.log.bytes).toBe(100_008);
  });

  it("is cut at its limit, says so in its last line, and counts what was dropped", async () => {
    const produced = limits.logBytesMax + 1_000_000;
    const id = surroundings.start([`head -c ${produced} /dev/zero | tr '\\0' x`]);
    const report = await surroundings.witness.report(id);
    const line = /\n\[otto\] The log reached its limit of \d+ bytes; what follows was dropped\.\n$/;
    const added = line.exec(report.tail)?.[0].length ?? 0;
    expect(report.outcome).toBe("passed");
    expect(added).toBeGreaterThan(0);
    expect(report.log.bytes).toBe(limits.logBytesMax);
    expect(report.log.bytes - added + report.log.droppedBytes).toBe(produced);
    const delivered = surroundings.witness.outputs(id).reduce((sum, output) => sum + output.text.length, 0);
    expect(delivered).toBe(limits.logBytesMax);
    surroundings.witness.happenings.length = 0;
  });

  it("comes while the command still runs", async () => {
    const id = surroundings.start(['echo first; read never < "$TMPDIR/missing" || sleep 600']);
    await surroundings.witness.text(id, "first");
    expect(surroundings.witness.ends(id)).toBe(0);
    surroundings.executor.stop(id, "cancelled");
    await surroundings.witness.report(id);
  });
});

describe("the end of a log as text", () => {
  it("begins at a character", () => {
    const bytes = Buffer.from("ä€😀x");
    expect(tailText(bytes, 10)).toBe("ä€😀x");
    expect(tailText(bytes, 9)).toBe("€😀x");
    expect(tailText(bytes, 7)).toBe("😀x");
    expect(tailText(bytes, 4)).toBe("x");
    expect(tailText(bytes, 0)).toBe("");
  });

  it("stays within its bytes when it is no text at all", () => {
    const text = tailText(Buffer.alloc(4096, 0xff), 4096);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096);
    expect(text).toMatch(/^\u{fffd}+$/u);
  });

  it("is the same however the log was cut into chunks", () => {
    const log = Buffer.from(Array.from({ length: 20_000 }, (_, index) => 97 + (index % 26)));
    for (const size of [1, 7, 4096, 20_000]) {
      const tail = new Tail();
      for (let at = 0; at < log.length; at += size) tail.append(log.subarray(at, at + size));
      expect(tail.bytes().equals(log.subarray(-limits.reportTailBytesMax)), `chunks of ${size}`).toBe(true);
    }
  });
});

describe("a report", () => {
  const full: StepReport = {
    outcome: "failed",
    problem: "p".repeat(5_000),
    durationMs: 1,
    commands: Array.from({ length: limits.commandsPerStepMax }, (_, index) => ({
      startedMs: 1_000_000 + index,
      durationMs: 1_000_000,
      logOffset: 60_000_000,
      end: { kind: "exit", code: 0 },
    })),
    outputs: Array.from({ length: limits.outputsPerStepMax }, () => ({
      name: "n".repeat(limits.nameCharactersMax),
      tree: "0".repeat(64),
      files: limits.sourceFilesMax,
      bytes: limits.sourceBytesMax,
    })),
    log: { bytes: 60_000_000, droppedBytes: 0, digest: "0".repeat(64) },
    tail: "😀".repeat(1_000),
  };

  it("stays within its bound, whatever the step did", () => {
    const bound = boundReport(full);
    expect(encodeValue(bound).length).toBeLessThanOrEqual(limits.reportBytesMax);
    expect(bound.tail.isWellFormed()).toBe(true);
    expect(bound.problem.length).toBeLessThan(1_000);
  });

  it("is left as it is when it is small", () => {
    const small = { ...full, problem: "p", commands: full.commands.slice(0, 3), outputs: [], tail: "t" };
    expect(boundReport(small)).toEqual(small);
  });
});
