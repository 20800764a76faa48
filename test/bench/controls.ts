/**
 * Three control processes on loopback with synced storage and real signatures, a worker that only claims, and enough
 * steps for it: what is measured beside etcd.
 */

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freeAddress } from "../ports.ts";
import { askFor } from "../../node/edge/client.ts";
import { DataFolder } from "../../node/edge/data-folder.ts";
import { connectLocally } from "../../node/edge/local-socket.ts";
import { Program } from "../mesh/program.ts";
import { type Bed, type Measurement, ottoProgram, type Shape, steadyMs, watchedMs } from "./measure.ts";
import { manyStepsRepository } from "./pipelines.ts";
import { Puller } from "./puller.ts";

const stepsPerRun = 2_000;
/** Given back as soon as they are claimed, while a gap is looked for. */
const stepsForGap = 1_000;

export class Controls {
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
    const listen = async (): Promise<string[]> => ["--listen", await freeAddress()];
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

  async measure(shape: Shape, count: number): Promise<Measurement> {
    const puller = await this.#supplied(count + shape.clients * shape.batch);
    // What an admission leaves to be done is not what is measured.
    await sleep(steadyMs);
    return puller.measure(shape, count);
  }

  /** Kills a control peer while so many clients claim, and starts it again; the longest time without a claim. */
  async gapAfterKill(whom: "home" | "other", clients: number): Promise<number> {
    const puller = await this.#supplied(stepsForGap);
    return puller.gapDuring(clients, async (gap) => {
      await sleep(steadyMs);
      const isHome = (number: number) => new DataFolder(this.#folder(number)).running()?.peer === puller.home;
      const number = [1, 2, 3].find((each) => isHome(each) === (whom === "home")) ?? 1;
      gap.begin();
      await this.#programs[number - 1]?.kill();
      await sleep(watchedMs);
      const longest = gap.longestMs;
      const program = this.#launch(number, ["up"]);
      this.#programs[number - 1] = program;
      await program.said(/ is up\./u);
      while (puller.linked.size < 3) await sleep(20);
      await sleep(steadyMs);
      return longest;
    });
  }

  async #supplied(needed: number): Promise<Puller> {
    const puller = this.#puller;
    if (puller === null) throw new Error("the mesh has not started");
    while (this.#offered - puller.granted < needed) await this.#offer();
    return puller;
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
    const program = this.#launch(number, [...words, "--name", `control-${number}`]);
    this.#programs.push(program);
    return program;
  }

  #launch(number: number, words: readonly string[]): Program {
    const environment = { HOME: this.#bed.folder, OTTO_HOME: this.#bed.home };
    // What people start is the launcher; it takes the place of the program that tests start.
    const launcher = ["/bin/sh", "-c", 'shift 3; exec "$0" "$@"', ottoProgram];
    const all = [...words, "--data", this.#folder(number)];
    return new Program(all, { environment, folder: this.#bed.folder }, launcher);
  }
}
