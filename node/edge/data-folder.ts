/**
 * A node's data folder: who the node is, to which domain it belongs, and where its parts keep theirs.
 *
 *   node.json     role, name, listening addresses     key           the peer's private key (0600)
 *   charter       the domain's charter                certificate   the peer's role certificate
 *   owner.key     on the founder: the domain's key, unless `node.json` says where it is    person.cert   what its person may show
 *   db/           registers and logs                  blobs/        files, trees, outputs, logs
 *   outputs/      output of steps that run or were lost
 *   work/         workspaces of a worker              running.json  while it runs: pid, socket, addresses
 *   vault/        the key that secrets are sealed for, on a control peer; audit.jsonl: who used which credential
 *   store         the name that a new database takes, until it has taken it
 */

import { createHash, randomBytes } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir, userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import { OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type { Owners } from "../../protocol/owners.ts";
import type { SandboxLevel } from "../../protocol/plan.ts";
import { wordsOf } from "./error-words.ts";

export type NodeConfig = {
  readonly otto: "node/1";
  readonly role: "control" | "worker";
  readonly name: string;
  /** Multiaddrs; empty for a peer that only dials. */
  readonly listen: readonly string[];
  /** Where the invite by which it joined said that peers are: multiaddrs that end in `/p2p/<peer>`. */
  readonly invitedTo?: readonly string[];
  /** On the founder: the file of the domain's key, when it is not in the data folder. */
  readonly ownerKey?: string;
  /** On the founder of a domain that several people own: who, and the files of those of their keys that were there. */
  readonly owners?: Owners & { readonly files: readonly string[] };
  readonly labels: readonly string[];
  readonly slots: number;
  /** Variables of this machine that steps get besides the toolchain's. */
  readonly passVariables: readonly string[];
  /** How far the worker keeps steps apart; unless it is said: as far as it can, when they ask for it. */
  readonly sandbox?: SandboxConfig;
  /** Stops by itself when nothing was asked of it for so long; null: never. */
  readonly idleMs: number | null;
};

export type SandboxConfig = {
  readonly atMost: SandboxLevel;
  /** Of steps that ask for nothing. */
  readonly byDefault: SandboxLevel;
  /** Files and folders that sandboxed steps may read besides the system. */
  readonly visible: readonly string[];
};

export const sandboxDefault: SandboxConfig = { atMost: "S3", byDefault: "S0", visible: [] };

export type Running = {
  readonly pid: number;
  readonly socket: string;
  readonly addresses: readonly string[];
  readonly peer: string;
};

/** Where Otto keeps what belongs to this user: `OTTO_HOME`, else the XDG state folder. */
export function ottoHome(): string {
  const { OTTO_HOME, XDG_STATE_HOME } = process.env;
  if (OTTO_HOME !== undefined && OTTO_HOME !== "") return resolve(OTTO_HOME);
  return join(
    XDG_STATE_HOME === undefined || XDG_STATE_HOME === ""
      ? join(homedir(), ".local", "state")
      : XDG_STATE_HOME,
    "otto",
  );
}

export class DataFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  get key(): string {
    return join(this.path, "key");
  }

  get ownerKey(): string {
    return (this.isNode ? this.config().ownerKey : undefined) ?? join(this.path, "owner.key");
  }

  get database(): string {
    return join(this.path, "db");
  }

  get blobs(): string {
    return join(this.path, "blobs");
  }

  get outputs(): string {
    return join(this.path, "outputs");
  }

  /** Of the vault's process alone: its key is there. */
  get vault(): string {
    return join(this.path, "vault");
  }

  /** Who used which credential for what. */
  get audit(): string {
    return join(this.path, "audit.jsonl");
  }

  get work(): string {
    return join(this.path, "work");
  }

  /**
   * The local socket. A path of over a hundred bytes does not fit into a socket address: then it is in a folder of the
   * owner's under `/tmp`, whatever `TMPDIR` says, so that a node and whoever asks it mean the same.
   */
  get socket(): string {
    const inside = join(this.path, "socket");
    if (Buffer.byteLength(inside) <= limits.socketPathBytesMax) return inside;
    const owner = statSync(this.path, { throwIfNoEntry: false })?.uid ?? userInfo().uid;
    const digest = createHash("sha256").update(this.path).digest("hex").slice(0, 24);
    return join("/tmp", `otto-${owner}`, `${digest}.sock`);
  }

  get isNode(): boolean {
    return existsSync(join(this.path, "node.json"));
  }

  /** True when what it takes to sign as the domain's owner is here. */
  get isOwner(): boolean {
    const owners = this.isNode ? this.config().owners : undefined;
    if (owners === undefined) return existsSync(this.ownerKey);
    return owners.files.filter((file) => existsSync(file)).length >= owners.threshold;
  }

  /** Throws `OTTO_DATA_FOLDER_INVALID` when it cannot be made or written to. */
  create(): void {
    try {
      makeFolder(this.path);
      accessSync(this.path, constants.W_OK | constants.X_OK);
    } catch (cause) {
      throw new OttoError("OTTO_DATA_FOLDER_INVALID", {
        what: `The data folder ${this.path} cannot be made or written to: ${wordsOf(cause)}.`,
        state: "Nothing was started.",
        next: "Give this user the right to write there, or name another folder with --data.",
        cause,
      });
    }
  }

  config(): NodeConfig {
    const bytes = this.read("node.json");
    if (bytes === null)
      throw new OttoError("OTTO_DATA_FOLDER_INVALID", {
        what: `There is no node in ${this.path}.`,
        next: "Start a domain with `otto up --control`, or join one with `otto join CODE`.",
      });
    try {
      return JSON.parse(Buffer.from(bytes).toString()) as NodeConfig;
    } catch (cause) {
      throw new OttoError("OTTO_DATA_FOLDER_INVALID", {
        what: `${join(this.path, "node.json")} is not JSON.`,
        next: "Restore it, or remove the folder and join again.",
        cause,
      });
    }
  }

  saveConfig(config: NodeConfig): void {
    this.write("node.json", Buffer.from(`${JSON.stringify(config, null, 2)}\n`));
  }

  read(
    name: "charter" | "certificate" | "person.cert" | "node.json" | "started-with" | "store",
  ): Buffer | null {
    try {
      return readFileSync(join(this.path, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  }

  /** What must be there in the folder of a node. */
  need(name: "charter" | "certificate"): Uint8Array {
    const bytes = this.read(name);
    if (bytes !== null) return bytes;
    throw new OttoError("OTTO_DATA_FOLDER_INVALID", {
      what: `${join(this.path, name)} is missing.`,
      next: "Restore it, or remove the folder and join again.",
    });
  }

  /** Written under another name first: a crash leaves the old file or the new one. */
  write(name: string, bytes: Uint8Array): void {
    const path = join(this.path, name);
    writeFileSync(`${path}.new`, bytes, { mode: 0o600, flush: true });
    renameSync(`${path}.new`, path);
  }

  /** The database has taken its name. */
  forgetStore(): void {
    rmSync(join(this.path, "store"), { force: true });
  }

  running(): Running | null {
    try {
      return JSON.parse(readFileSync(join(this.path, "running.json"), "utf8")) as Running;
    } catch {
      return null;
    }
  }

  saveRunning(running: Running): void {
    this.write("running.json", Buffer.from(JSON.stringify(running)));
  }

  forgetRunning(): void {
    rmSync(join(this.path, "running.json"), { force: true });
    rmSync(this.socket, { force: true });
  }
}

/** A name for a database, unlike any other. */
export function newStoreName(): string {
  return randomBytes(12).toString("base64url");
}

/** One by one from above: what Node makes "recursively" in a folder that takes none (as /proc) never returns. */
export function makeFolder(path: string): void {
  if (existsSync(path) && statSync(path).isDirectory()) return;
  if (!existsSync(dirname(path))) makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}
