/**
 * How a worker keeps its steps apart from itself, from each other and from the machine: which levels it reaches, and what a
 * level means for one attempt.
 *
 *   S0  own process group, own folders                    the worker's user
 *   S1  S0 + the slot's own user, no new privileges       only a worker that runs as root
 *   S2  S1 where it can be had + bubblewrap               without network
 *   S3  S2 in an image's file system                      only steps that name an image
 */

import {
  chmodSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { limits } from "../../../../protocol/limits.ts";
import { type ImageName, parseImageName } from "../../../../protocol/image-name.ts";
import { sandboxLevels, type SandboxLevel } from "../../../../protocol/plan.ts";
import { programPath } from "../../programs.ts";
import type { Assignment } from "../../../ports.ts";
import type { Confinement } from "../runner-messages.ts";
import type { Workspace } from "../workspaces.ts";
import { bubblewrapArguments, type BubblewrapPolicy, systemProgram } from "./bubblewrap.ts";
import { type OwnPrograms, ownPrograms } from "./own-programs.ts";
import { emptyFolder, passableFile, passableFolder, plainFile } from "./passable.ts";
import { type StepBounds, usualBounds } from "../step-usage.ts";
import { systemCallFilter } from "./seccomp.ts";
import { Settings } from "./settings.ts";
import { pickSlotUsers, type SlotUser, type UserPicker } from "./slot-users.ts";

export type IsolationOptions = {
  /** No level above it is tried. */
  readonly atMost: SandboxLevel;
  /** What steps get that ask for nothing. */
  readonly byDefault: SandboxLevel;
  /** Files and folders that sandboxed steps may read besides the system. */
  readonly visible: readonly string[];
  /** Those that are usual, unless said otherwise. */
  readonly bounds?: StepBounds;
};

export const noIsolation = { atMost: "S0", byDefault: "S0", visible: [], secrets: [] } as const;

/** From here on a step is shut in, and can be reached by nothing: what steps with credentials get where it can be had. */
const levelOfSecrets: SandboxLevel = "S2";
const listenFlags = ["--no-warnings", "--max-semi-space-size=1"];
const tasksBeyond = 64;
const sliceMs = 8;

/** What there is on this machine to make sandboxes with; `probe.ts` finds out what it is worth. */
export class Isolation {
  readonly #options: IsolationOptions;
  readonly #users: UserPicker | null;
  readonly #filter: string | null;
  /** Where workspaces and caches are: every slot's user gets to its own. */
  readonly folder: string;
  /** Programs as every slot's user can read them. */
  readonly node: string;
  readonly #attack: string;
  readonly #listen: string;
  readonly #settings: Settings;
  readonly #usersFolder: string;
  readonly #programs = {
    sh: systemProgram("sh"),
    setpriv: systemProgram("setpriv"),
    prlimit: systemProgram("prlimit"),
    bwrap: systemProgram("bwrap"),
  };
  /** Why slots' users cannot get to what they need; null when they can, and when there are none. */
  readonly #unprepared: string | null;
  /** Files that were written for slots' users, by whose and of which system. */
  readonly #named = new Map<string, string>();
  /** What Otto needs of the machine where an image is all else; null: that cannot be had. */
  readonly #own: OwnPrograms | null;
  /** Ascending; S0 always. */
  #reached: readonly SandboxLevel[] = ["S0"];

  constructor(folder: string, identity: string, options: IsolationOptions) {
    this.#options = options;
    const prepared = prepare(options.atMost, folder, identity);
    this.#users = prepared.users;
    this.folder = prepared.folder;
    this.node = prepared.node;
    this.#attack = prepared.attack;
    this.#listen = prepared.listen;
    this.#unprepared = prepared.problem;
    this.#settings = new Settings(this.folder);
    this.#usersFolder = emptyFolder(join(this.folder, "users"));
    // Where earlier versions had them.
    for (const name of readdirSync(this.folder))
      if (/^passwd-\d+-\d+$/.test(name)) rmSync(join(this.folder, name));
    const { prlimit, sh } = this.#programs;
    this.#own =
      options.atMost !== "S3" || prlimit === null || sh === null
        ? null
        : ownPrograms([this.node, prlimit, sh], [this.#attack, this.#listen]);
    const filter = systemCallFilter(process.arch);
    this.#filter = filter === null ? null : join(folder, "system-calls.bpf");
    if (filter !== null && options.atMost !== "S0") writeFileSync(join(folder, "system-calls.bpf"), filter);
  }

  /** What a step that begins now may take of the machine. */
  get bounds(): StepBounds {
    return this.#options.bounds ?? usualBounds(this.folder, totalmem());
  }

  get reached(): readonly SandboxLevel[] {
    return this.#reached;
  }

  reach(level: SandboxLevel): void {
    this.#reached = [...this.#reached, level];
  }

  /** Why a level need not even be tried here, as a clause; null when it is to be tried. */
  hindrance(level: SandboxLevel): string | null {
    const { setpriv, prlimit, bwrap } = this.#programs;
    if (orderOf(level) > orderOf(this.#options.atMost)) return "it was started with a lower limit";
    if (process.platform !== "linux") return "this is no Linux";
    if (this.#unprepared !== null) return this.#unprepared;
    if (level === "S1" && this.#users === null) return "only root can give each slot a user of its own";
    if (level === "S1" && (setpriv === null || prlimit === null))
      return "setpriv and prlimit are not installed";
    if (isApart(level) && bwrap === null) return "bubblewrap is not installed";
    if (isApart(level) && prlimit === null) return "prlimit is not installed";
    if (level === "S3" && this.#own === null) return "it is not known how programs are put together here";
    return null;
  }

  /**
   * The lowest level that is enough, of those that are reached; null when none is. A step with credentials is shut in with them
   * wherever that can be had: below, its ports are open to whatever runs on the machine.
   */
  levelFor(assignment: Pick<Assignment, "sandbox" | "credentials" | "image">): SandboxLevel | null {
    if (this.imageFor(assignment) !== null) return "S3";
    // Without an image there is no such thing.
    return orderOf(assignment.sandbox) < orderOf("S3") ? this.#levelWithoutImage(assignment) : null;
  }

  /** The image that the step runs in here; null when it runs in the worker's own file system, or not at all. */
  imageFor({ image }: Pick<Assignment, "image">): ImageName | null {
    return image === null || !this.#reached.includes("S3") ? null : parseImageName(image.name);
  }

  #levelWithoutImage({
    sandbox,
    credentials,
  }: Pick<Assignment, "sandbox" | "credentials">): SandboxLevel | null {
    // What it is given itself it can use only with a network: whoever wants it shut in all the same says so.
    const isBrokered = credentials.some(({ expose }) => expose === undefined);
    const least = isBrokered && this.#reached.includes(levelOfSecrets) ? levelOfSecrets : "S0";
    const { byDefault } = this.#options;
    const usual = byDefault === "S3" ? "S2" : byDefault;
    const wanted = Math.max(...[sandbox, least, usual].map(orderOf));
    const found = this.#reached.find((level) => orderOf(level) >= wanted);
    return found === "S3" ? null : (found ?? null);
  }

  /** Makes the folders of the slot the attempt's own, with all that is in them. To be called when all is there. */
  async handOver(level: SandboxLevel, workspace: Workspace, memory: string | null = null): Promise<void> {
    const user = this.#userOf(level, workspace);
    if (user === null) return;
    const folders = memory === null ? foldersOf(workspace) : [...foldersOf(workspace), memory];
    for (const folder of folders) await giveTo(user, folder);
  }

  /**
   * What the runner needs to know; null for S0. `handOver` comes first.
   *
   * @param ports where something is to listen inside, for the worker to accept.
   * @param memory a folder of the attempt's that is in memory, which it may read.
   * @param root where the image is whose file system it gets; null below S3.
   */
  confine(
    level: SandboxLevel,
    workspace: Workspace,
    {
      ports,
      root,
      memory = null,
    }: { readonly ports: readonly number[]; readonly root: string | null; readonly memory?: string | null },
  ): Confinement | null {
    const { setpriv, prlimit, bwrap, sh } = this.#programs;
    const user = this.#userOf(level, workspace);
    if (level === "S1" && user !== null && setpriv !== null && prlimit !== null)
      return {
        kind: "user",
        user,
        inner: [setpriv, "--no-new-privs", "--inh-caps=-all", prlimit, ...bounding(this.bounds)],
      };
    if (!isApart(level) || bwrap === null || prlimit === null || sh === null) return null;
    const system = this.#systemOf(root);
    if (system === null || (root === null) !== (level === "S2")) return null;
    const folders = foldersOf(workspace);
    const ours = [this.node, this.#attack, this.#listen];
    const id = user?.id ?? process.getuid?.() ?? 0;
    const filter = this.#filter;
    const words = bubblewrapArguments({
      folders,
      visible: [
        ...new Set([...(root === null ? ours : []), ...this.#options.visible]),
        ...(memory === null ? [] : [memory]),
      ],
      workspace: workspace.folder,
      system,
      users: user === null && root === null ? null : this.#usersWith(id, workspace.home, root ?? "/"),
      hasFilter: filter !== null,
      temporaryBytesMax: limits.sandboxTemporaryBytesMax,
    });
    const start = (program: string): readonly string[] =>
      system.kind === "image" ? system.own.start(program) : [program];
    const inner = [...start(prlimit), ...bounding(this.bounds)];
    const listening = system.kind === "image" ? system.own.placeOf(this.#listen) : this.#listen;
    const doors =
      ports.length === 0
        ? null
        : { program: [...start(this.node), ...listenFlags, listening], shell: start(sh), ports };
    return { kind: "sandbox", user, program: bwrap, arguments: words, inner, filter, doors };
  }

  /** The words that start this program, Node, in a step of the level. */
  nodeAt(level: SandboxLevel): readonly string[] {
    return level === "S3" && this.#own !== null ? this.#own.start(this.node) : [this.node];
  }

  /** The words that start the attacker of `probe.ts`. */
  attackAt(level: SandboxLevel): readonly string[] {
    const attack = level === "S3" && this.#own !== null ? this.#own.placeOf(this.#attack) : this.#attack;
    return [...this.nodeAt(level), attack];
  }

  #systemOf(root: string | null): BubblewrapPolicy["system"] | null {
    if (root === null) return { kind: "machine", settings: this.#settings.current() };
    return this.#own === null ? null : { kind: "image", root, own: this.#own };
  }

  /** The system's users and the slot's: some programs, such as `ssh`, do not run for a user without a name. */
  #usersWith(id: number, home: string, root: string): string {
    const key = `${id} ${root}`;
    const path = this.#named.get(key) ?? join(this.#usersFolder, `${id}-${this.#named.size}`);
    if (this.#named.has(key)) return path;
    const users = join(root, "etc/passwd");
    const others =
      lstatSync(users, { throwIfNoEntry: false })?.isFile() === true ? readFileSync(users, "utf8") : "";
    // The first of a number counts, and what others have may end anywhere.
    writeFileSync(path, `otto:x:${id}:${id}::${home}:/bin/sh\n${others}`);
    chmodSync(path, 0o644);
    this.#named.set(key, path);
    return path;
  }

  #userOf(level: SandboxLevel, { slot }: Workspace): SlotUser | null {
    return level === "S0" ? null : (this.#users?.(slot) ?? null);
  }
}

type Prepared = {
  readonly users: UserPicker | null;
  readonly folder: string;
  readonly node: string;
  readonly attack: string;
  readonly listen: string;
  readonly problem: string | null;
};

/** Has slots' users get to the folders and programs that they need. Where the disk does not take them, nobody gets a user. */
function prepare(atMost: SandboxLevel, folder: string, identity: string): Prepared {
  const attack = programPath("attack");
  const listen = atMost === "S0" ? programPath("listen") : plainFile(programPath("listen"), folder);
  const own = { users: null, folder, node: process.execPath, attack, listen, problem: null };
  const users = atMost === "S0" ? null : pickSlotUsers(identity);
  if (users === null) return own;
  try {
    const passable = passableFolder(folder, identity);
    const at = (path: string): string => passableFile(path, passable);
    const programs = { node: at(process.execPath), attack: at(attack), listen: at(listen) };
    return { users, folder: passable, ...programs, problem: null };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return {
      ...own,
      problem: `what steps of other users need cannot be put where they reach it (${message})`,
    };
  }
}

function orderOf(level: SandboxLevel): number {
  return sandboxLevels.indexOf(level);
}

/** Whether a step of this level has a network of its own, that only its credentials lead out of. */
export function isApart(level: SandboxLevel): boolean {
  return orderOf(level) >= orderOf(levelOfSecrets);
}

/** Walls of the kernel's, a little behind where a step is ended with a sentence. None is above what this process has itself. */
function bounding({ tasksMax, openFilesMax }: StepBounds): readonly string[] {
  const own = readFileSync("/proc/self/limits", "utf8");
  const most = (name: string, wanted: number): number => {
    const found = new RegExp(`^${name}\\s+\\S+\\s+(\\d+)`, "m").exec(own)?.[1];
    return Math.min(wanted, Number(found ?? wanted));
  };
  const files = most("Max open files", openFilesMax);
  const tasks = most("Max processes", tasksMax + tasksBeyond);
  return ["--core=0", `--nofile=${files}`, `--nproc=${tasks}`];
}

/** All that an attempt may write to. They are there afterwards. */
export function foldersOf({ folder, temporary, said, home }: Workspace): readonly string[] {
  return [folder, temporary, said, home];
}

/** A home of the attempt's own, empty: what one step leaves in it is not there for the next. */
export function makeOwnFolders({ said, home }: Workspace): void {
  for (const path of [said, home]) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
  }
}

/** Follows no link; nothing of the step runs yet. */
async function giveTo(user: SlotUser, path: string): Promise<void> {
  const left = [path];
  let sliceStart = performance.now();
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    lchownSync(next, user.id, user.id);
    const found = lstatSync(next);
    if (found.isDirectory()) for (const name of readdirSync(next)) left.push(join(next, name));
    if (performance.now() - sliceStart > sliceMs) {
      await nextTurn();
      sliceStart = performance.now();
    }
  }
}
