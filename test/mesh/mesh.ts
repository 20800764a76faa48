/**
 * A mesh of real processes for tests: founded, joined and asked with the real commands, over real TCP on loopback,
 * with real data folders. Everything lives in one temporary folder and ends with it.
 */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { askFor } from "../../node/edge/client.ts";
import { DataFolder } from "../../node/edge/data-folder.ts";
import { connectLocally } from "../../node/edge/local-socket.ts";
import type { NodeSeen, PeerSeen, RunSummary } from "../../protocol/calls.ts";
import { codeCache } from "../built-otto.ts";
import { freeAddress } from "../ports.ts";
import { Gate, Mailbox } from "./fifo.ts";
import { type Ended, eventually, Program } from "./program.ts";
import { isLiving, stepProcessesOf } from "./step-processes.ts";
import { Watch } from "./watch.ts";

type StepStatus = { readonly name: string; readonly state: string; readonly reason?: string };
export type RunStatus = RunSummary & { readonly steps: readonly StepStatus[] };

export type Founding = {
  readonly controls: number;
  /** One worker for each: what follows `otto join CODE`, such as labels. */
  readonly workers: readonly (readonly string[])[];
  readonly leaseSeconds?: number;
  /** What the domain is called; else `dev`. */
  readonly domain?: string;
};

export type StartOptions = {
  readonly folder?: string;
  /** Whose key and nodes: the name of a folder in the mesh's own. */
  readonly home?: string;
  /** A wrapper that ends by starting `otto`. */
  readonly command?: readonly string[];
  /** Further variables of its environment. */
  readonly environment?: Readonly<Record<string, string>>;
};

export class Mesh {
  readonly folder: string;
  readonly controls: MeshNode[] = [];
  readonly workers: MeshNode[] = [];
  readonly #programs: Program[] = [];
  readonly #pipes: (Gate | Mailbox)[] = [];
  readonly #watches: Watch[] = [];
  #pipesMade = 0;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "otto-mesh-"));
    mkdirSync(join(this.folder, "empty"));
  }

  /** Founds a domain, lets its other control peers and its workers join, and waits until it has a home. */
  static async found(founding: Founding): Promise<Mesh> {
    const mesh = new Mesh();
    try {
      await mesh.#found(founding);
      return mesh;
    } catch (error) {
      await mesh.end();
      throw error;
    }
  }

  async #found({ controls, workers, leaseSeconds = 2, domain = "dev" }: Founding): Promise<void> {
    const listen = await freeAddress();
    const words = [
      "--control",
      "--of",
      `${controls}`,
      "--listen",
      listen,
      "--lease",
      `${leaseSeconds}`,
      "--domain",
      domain,
    ];
    const founder = await this.up("control-1", [...words, "--name", "control-1"]);
    this.controls.push(founder);
    const printed = [...founder.program.stdout.matchAll(/otto join (otto1-\S+)/gu)].map(([, code]) => code);
    const forWorkers = await Promise.all(workers.map(() => this.invite(founder)));
    const joining = printed.slice(0, controls - 1).map(async (code, index) => {
      const name = `control-${index + 2}`;
      return this.join(name, code ?? "", ["--listen", await freeAddress(), "--name", name]);
    });
    const working = forWorkers.map((code, index) => {
      const name = `worker-${index + 1}`;
      return this.join(name, code, ["--name", name, ...(workers[index] ?? [])]);
    });
    this.controls.push(...(await Promise.all(joining)));
    this.workers.push(...(await Promise.all(working)));
    await this.home();
  }

  /** `otto up` on a data folder of this mesh. */
  async up(name: string, words: readonly string[] = [], options: StartOptions = {}): Promise<MeshNode> {
    const folder = join(this.folder, name);
    const program = this.start(["up", "--data", folder, ...words], options);
    await program.said(/ is up\./u);
    return new MeshNode(this, name, folder, program);
  }

  async join(name: string, code: string, words: readonly string[]): Promise<MeshNode> {
    const folder = join(this.folder, name);
    // Finding out how far steps can be isolated takes a moment that most meshes have no use for.
    const isolation = words.includes("--sandbox") || words.includes("--listen") ? [] : ["--sandbox", "S0"];
    const program = this.start(["join", code, "--data", folder, ...isolation, ...words]);
    await program.said(/ is up\./u);
    return new MeshNode(this, name, folder, program);
  }

  async invite(node: MeshNode, words: readonly string[] = []): Promise<string> {
    const { stdout } = await this.succeed(["invite", "--node", node.folder, ...words]);
    return stdout.trim();
  }

  /** Starts a command with this mesh's person; end it with `ended` or let `end` do it. */
  start(words: readonly string[], options: StartOptions = {}): Program {
    const { folder = join(this.folder, "empty"), home = "home", command = [] } = options;
    const environment = {
      ...options.environment,
      HOME: this.folder,
      OTTO_HOME: join(this.folder, home),
      NODE_COMPILE_CACHE: this.cache,
    };
    const program = new Program(words, { environment, folder }, command);
    this.#programs.push(program);
    return program;
  }

  /** What one program has compiled the next need not. */
  get cache(): string {
    return codeCache ?? join(this.folder, "code");
  }

  otto(words: readonly string[], options: StartOptions = {}): Promise<Ended> {
    return this.start(words, options).ended;
  }

  /** A command that must pass. */
  async succeed(words: readonly string[], options: StartOptions = {}): Promise<Ended> {
    const ended = await this.otto(words, options);
    if (ended.code === 0) return ended;
    throw new Error(
      `\`otto ${words.join(" ")}\` ended with ${ended.code}.\n${ended.stdout}\n${ended.stderr}`,
    );
  }

  /** The control peer that is home as a majority sees it. */
  async home(among: readonly MeshNode[] = this.controls): Promise<MeshNode> {
    const seen = await eventually(
      "the control peers agree on a home",
      async () =>
        Promise.all(among.map(async (node) => (await node.peers()).peers.find((peer) => peer.isHome))),
      (homes) => homes[0] !== undefined && homes.every((home) => home?.peer === homes[0]?.peer),
    );
    const peer = seen[0]?.peer;
    const found = among.find((node) => node.peer === peer);
    if (found === undefined) throw new Error(`The home ${peer} is none of those that were asked.`);
    return found;
  }

  /** A repository whose pipeline has these steps. */
  repository(name: string, steps: string, files: Readonly<Record<string, string>> = {}): string {
    const folder = join(this.folder, "repositories", name);
    mkdirSync(folder, { recursive: true });
    execFileSync("git", ["init", "-q"], { cwd: folder });
    const all = { "otto.yaml": `otto: 1\npipeline: ${name}\nsteps:\n${steps}`, ...files };
    for (const [path, text] of Object.entries(all)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    return folder;
  }

  /** Submits the repository's pipeline through a node and says which run it is. */
  async submit(repository: string, through: MeshNode | readonly string[]): Promise<string> {
    const target = through instanceof MeshNode ? ["--node", through.folder] : through;
    const { stdout } = await this.succeed(["submit", "--json", ...target], { folder: repository });
    return (JSON.parse(stdout) as { run: string }).run;
  }

  async status(run: string, node: MeshNode): Promise<RunStatus> {
    const { stdout } = await this.otto(["status", run, "--json", "--node", node.folder]);
    return JSON.parse(stdout) as RunStatus;
  }

  gate(): Gate {
    const gate = new Gate(join(this.folder, `gate-${(this.#pipesMade += 1)}`));
    this.#pipes.push(gate);
    return gate;
  }

  mailbox(): Mailbox {
    const mailbox = new Mailbox(join(this.folder, `mailbox-${(this.#pipesMade += 1)}`));
    this.#pipes.push(mailbox);
    return mailbox;
  }

  keep(watch: Watch): Watch {
    this.#watches.push(watch);
    return watch;
  }

  /** The processes that `otto run` keeps warm for this mesh's person. */
  get embeddedProcesses(): readonly number[] {
    return ["control", "worker"].flatMap((role) => {
      const running = new DataFolder(join(this.folder, "home", "local", role)).running();
      return running !== null && isLiving(running.pid) ? [running.pid] : [];
    });
  }

  /** What these processes have said, for a failure's message. */
  get embeddedLogs(): string {
    return ["control", "worker"]
      .map((role) => readText(join(this.folder, "home", "local", role, "log")))
      .join("");
  }

  get embeddedStepProcesses(): readonly number[] {
    return stepProcessesOf(join(this.folder, "home", "local", "worker"));
  }

  /** Kills everything that was started, waits until it is gone, and removes the folder. */
  async end(): Promise<void> {
    for (const watch of this.#watches) watch.close();
    for (const pipe of this.#pipes) pipe.close();
    // A stopped process takes only this signal.
    await Promise.all(this.#programs.map((program) => program.kill()));
    for (const pid of this.embeddedProcesses) process.kill(pid, "SIGKILL");
    await eventually(
      "no process of a step is left",
      () => this.embeddedStepProcesses,
      (left) => left.length === 0,
    );
    await Promise.all([...this.controls, ...this.workers].map((node) => node.stepsAreGone()));
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

export class MeshNode {
  readonly name: string;
  readonly folder: string;
  readonly #mesh: Mesh;
  program: Program;
  readonly peer: string;

  constructor(mesh: Mesh, name: string, folder: string, program: Program) {
    this.#mesh = mesh;
    this.name = name;
    this.folder = folder;
    this.program = program;
    this.peer = new DataFolder(folder).running()?.peer ?? "";
  }

  /** The address to dial, ending in the peer that it leads to. */
  get address(): string {
    const [address = ""] = new DataFolder(this.folder).running()?.addresses ?? [];
    return address.includes("/p2p/") ? address : `${address}/p2p/${this.peer}`;
  }

  pause(): void {
    this.program.signal("SIGSTOP");
  }

  resume(): void {
    this.program.signal("SIGCONT");
  }

  kill(): Promise<void> {
    return this.program.kill();
  }

  /** `otto up` on the same data folder again. */
  async restart(options: StartOptions = {}): Promise<void> {
    this.program = (await this.#mesh.up(this.name, [], options)).program;
  }

  async peers(): Promise<{ readonly node: NodeSeen; readonly peers: readonly PeerSeen[] }> {
    const channel = await connectLocally(new DataFolder(this.folder).socket);
    return askFor(channel, { call: "peers", certificate: null }, "peers");
  }

  /** How often this node has refused something for this reason since it started. */
  async refused(because: string): Promise<number> {
    return (await this.peers()).node.refused[because] ?? 0;
  }

  watch(run: string): Watch {
    return this.#mesh.keep(new Watch(run, this.folder));
  }

  /** Processes of steps that this node's folder has started and that still live. */
  get stepProcesses(): readonly number[] {
    return stepProcessesOf(this.folder);
  }

  async stepsAreGone(): Promise<void> {
    const none = (left: readonly number[]): boolean => left.length === 0;
    await eventually(`no process of a step of ${this.name} is left`, () => this.stepProcesses, none);
  }
}

function readText(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}
