/** How long a person waits for a command, as a multiple of `node -e 0` in the same rounds. */

import { rmSync } from "node:fs";
import { Bed, inRounds, type Row, runToEnd } from "./measure.ts";
import { echoRepository, manyStepsRepository } from "./pipelines.ts";

const warmRounds = 15;
const coldRounds = 5;

export async function benchCommands(): Promise<Row[]> {
  await using bed = new Bed();
  const echo = await echoRepository(bed.folder);
  const many = await manyStepsRepository(bed.folder, 1_000);
  const timed = async (folder: string, ...words: string[]): Promise<number> =>
    (await bed.otto(folder, ...words)).tookMs;
  const node = async (): Promise<number> => (await runToEnd([process.execPath, "-e", "0"])).tookMs;
  // What is compiled once per installation is compiled before anything is timed.
  await bed.otto(echo, "run");
  await bed.otto(many, "explain");
  const warm = await inRounds(warmRounds, {
    node,
    help: () => timed(echo, "--help"),
    explain: () => timed(many, "explain"),
    echo: () => timed(echo, "run"),
  });
  const cold = await inRounds(coldRounds, {
    node,
    cold: async () => {
      await bed.otto(echo, "down");
      return timed(echo, "run");
    },
    first: async () => {
      await bed.otto(echo, "down");
      rmSync(bed.home, { recursive: true });
      return timed(echo, "run");
    },
  });
  const row = (name: string, value: number, unit: number, most?: number): Row => ({
    name,
    value,
    unit: "ms",
    ratio: { value: value / unit, of: "node -e 0" },
    ...(most === undefined ? {} : { target: { most } }),
  });
  return [
    { name: "node -e 0", value: warm("node"), unit: "ms" },
    row("otto --help", warm("help"), warm("node"), 2.5),
    row("otto explain, 1,000 steps", warm("explain"), warm("node"), 6),
    row("otto run, one echo, warm", warm("echo"), warm("node"), 6),
    row("otto run, one echo, cold", cold("cold"), cold("node"), 30),
    row("otto run, one echo, first ever", cold("first"), cold("node")),
  ];
}
