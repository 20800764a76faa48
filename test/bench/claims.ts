/**
 * Claims a second through three control processes with synced storage, beside three members of etcd with the same
 * number of clients and the same batch. A claim here is more than a put: a fenced lease, and a signed event of it that
 * all three keep. Without etcd on this machine the known figures of such a machine stand beside it.
 */

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../cli/embedded.ts";
import { askFor } from "../../node/edge/client.ts";
import { DataFolder } from "../../node/edge/data-folder.ts";
import { connectLocally } from "../../node/edge/local-socket.ts";
import { Program } from "../mesh/program.ts";
import { Etcd, etcdVersion } from "./etcd.ts";
import { Bed, inRounds, ottoProgram, type Row } from "./measure.ts";
import { manyStepsRepository } from "./pipelines.ts";
import { Puller } from "./puller.ts";

const rounds = 3;
const stepsPerRun = 2_000;

/** `known` is etcd 3.4's best on such a machine with so many clients, from the issue that asks for this benchmark. */
const shapes = [
  { name: "16 x 1", clients: 16, batch: 1, count: 2_000, known: 1_280 },
  { name: "256 x 1", clients: 256, batch: 1, count: 6_000, known: 2_650 },
  { name: "64 x 50", clients: 64, batch: 50, count: 16_000, known: 11_200 },
] as const;

export async function benchClaims(): Promise<Row[]> {
  await using bed = new Bed();
  const mesh = await Controls.start(bed);
  const version = etcdVersion();
  const etcd = version === null ? null : await Etcd.start(bed.folder);
  try {
    const things: Record<string, () => Promise<number>> = {};
    for (const shape of shapes) {
      things[`otto ${shape.name}`] = () => mesh.rate(shape, shape.count);
      if (etcd !== null) things[`etcd ${shape.name}`] = () => etcd.rate(shape, shape.count);
    }
    const rate = await inRounds(rounds, things);
    return shapes.flatMap(({ name, known }) => {
      const other = etcd === null ? known : rate(`etcd ${name}`);
      const otherName = etcd === null ? "etcd, as known" : `etcd ${version}`;
      const value = rate(`otto ${name}`);
      return [
        { name: `${otherName}, ${name}`, value: other, unit: "a second" },
        {
          name: `otto, ${name} claims outstanding`,
          value,
          unit: "a second",
          ratio: { value: value / other, of: "etcd" },
          target: { least: 1 },
        },
      ];
    });
  } finally {
    await etcd?.stop();
    await mesh.stop();
  }
}

/** Three control processes on loopback, a worker that only claims, and enough steps for it. */
class Controls {
  readonly #bed: Bed;
  readonly #programs: Program[] = [];
  #puller: Puller | null = null;
  #repository = "";
  #offered = 0;

  private constructor(bed: Bed) {
    this.#bed = bed;
  }

  static async start(bed: Bed): Promise<Controls> {
    const mesh = new Controls(bed);
    try {
      await mesh.#start();
      return mesh;
    } catch (error) {
      await mesh.stop();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const listen = async (): Promise<string[]> => ["--listen", `127.0.0.1:${await freePort()}`];
    const founder = this.#node(1, ["up", "--control", "--of", "3", "--lease", "3600", ...(await listen())]);
    await founder.said(/ is up\./u);
    const codes = [...founder.stdout.matchAll(/otto join (otto1-\S+)/gu)].map(([, code]) => code ?? "");
    const [second = "", third = "", worker = ""] = codes;
    for (const [index, code] of [second, third].entries())
      await this.#node(index + 2, ["join", code, ...(await listen())]).said(/ is up\./u);
    const folder = join(this.#bed.folder, "worker");
    await this.#bed.otto(this.#bed.folder, "join", worker, "--data", folder, "--no-start");
    this.#puller = await Puller.start(new DataFolder(folder));
    this.#repository = await manyStepsRepository(this.#bed.folder, stepsPerRun);
  }

  async rate(shape: { readonly clients: number; readonly batch: number }, count: number): Promise<number> {
    const puller = this.#puller;
    if (puller === null) throw new Error("the mesh has not started");
    const needed = count + shape.clients * shape.batch;
    while (this.#offered - puller.granted < needed) await this.#offer();
    return puller.rate(shape, count);
  }

  async stop(): Promise<void> {
    await this.#puller?.stop();
    await Promise.all(this.#programs.map((program) => program.kill()));
  }

  /** Another run, admitted and quiet. */
  async #offer(): Promise<void> {
    const node = this.#folder(1);
    await this.#bed.otto(this.#repository, "submit", "--node", node);
    this.#offered += stepsPerRun;
    const admitted = async (): Promise<boolean> => {
      const channel = await connectLocally(new DataFolder(node).socket);
      const { runs } = await askFor(channel, { call: "status", certificate: null }, "runs");
      return runs.every(({ startedMs }) => startedMs !== null);
    };
    while (!(await admitted())) await sleep(50);
  }

  #folder(number: number): string {
    return join(this.#bed.folder, `control-${number}`);
  }

  #node(number: number, words: readonly string[]): Program {
    const environment = { HOME: this.#bed.folder, OTTO_HOME: this.#bed.home };
    // What people start is the launcher; it takes the place of the program that tests start.
    const launcher = ["/bin/sh", "-c", 'shift 3; exec "$0" "$@"', ottoProgram];
    const all = [...words, "--data", this.#folder(number), "--name", `control-${number}`];
    const program = new Program(all, { environment, folder: this.#bed.folder }, launcher);
    this.#programs.push(program);
    return program;
  }
}
