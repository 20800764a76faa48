/**
 * A control peer's end of its vault: started when it is first needed, asked over its standard input, and gone with this
 * process. Where bubblewrap works it has no network and sees the disk as it is, but for its own folder, read-only.
 *
 *   none --first question--> starting --it answers--> there --it died--> none
 */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { TokenClaims } from "../../../protocol/credentials/issuer.ts";
import type { SessionBind, SignRequest } from "../../../protocol/credentials/ssh-agent.ts";
import type { AgentRefusal } from "../../../protocol/credentials/ssh-judge.ts";
import type { SshPlace } from "../../../protocol/credentials/ssh-place.ts";
import { failure, OttoError, type Result, success } from "../../../protocol/errors.ts";
import { encodeFrame, FrameDecoder } from "../../../protocol/frames.ts";
import { limits } from "../../../protocol/limits.ts";
import { decodeValue, encodeValue } from "../../../protocol/values.ts";
import { programPath } from "../programs.ts";
import type { FromVault, Sealed, ToVault } from "./vault-messages.ts";

type Question = ToVault extends infer Asked ? (Asked extends ToVault ? Omit<Asked, "id"> : never) : never;

type Life = {
  readonly child: ChildProcess;
  readonly waiting: Map<number, (said: FromVault | null) => void>;
};

export class Vault {
  readonly #folder: string;
  #life: Life | null = null;
  #asked = 0;
  #canConfine = true;

  /** @param folder of the vault alone: its key is there. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The process that holds the key; for tests and for the curious. */
  get pid(): number | undefined {
    return this.#life?.child.pid;
  }

  async recipient(): Promise<string> {
    const said = await this.#ask({ kind: "recipient" });
    if (said.kind === "recipient") return said.recipient;
    throw silent();
  }

  /** The value, or why there is none, as the end of a sentence. */
  async open(
    sealed: Sealed & { readonly origin: string | null },
  ): Promise<{ readonly value: Uint8Array } | { readonly why: string }> {
    const said = await this.#ask({ kind: "open", ...sealed });
    if (said.kind === "value") return { value: said.value };
    return { why: said.kind === "refused" ? said.why : "the vault answered something else" };
  }

  async mint(
    token: Sealed & { readonly claims: TokenClaims },
  ): Promise<{ readonly token: string } | { readonly why: string }> {
    const said = await this.#ask({ kind: "mint", ...token });
    if (said.kind === "minted") return { token: said.token };
    return { why: said.kind === "refused" ? said.why : "the vault answered something else" };
  }

  /** The public half of an SSH key. */
  async sshKey(sealed: Sealed): Promise<{ readonly bytes: Uint8Array } | { readonly why: string }> {
    const said = await this.#ask({ kind: "ssh-key", ...sealed });
    if (said.kind === "made") return { bytes: said.bytes };
    return { why: said.kind === "refused" ? said.why : "the vault answered something else" };
  }

  /** The signature of a login, or what is against it. */
  async sshSignature(
    login: Sealed & {
      readonly place: SshPlace;
      readonly bind: SessionBind;
      readonly request: SignRequest;
    },
  ): Promise<Result<Uint8Array, AgentRefusal>> {
    const said = await this.#ask({ kind: "ssh-sign", ...login });
    if (said.kind === "made") return success(said.bytes);
    return failure(said.kind === "misused" ? said.refusal : "key");
  }

  close(): void {
    this.#life?.child.stdin?.end();
    this.#life?.child.kill();
    this.#life = null;
  }

  async #ask(question: Question): Promise<FromVault> {
    for (;;) {
      const wasConfined = this.#canConfine;
      const said = await this.#askOnce(question);
      if (said !== null) return said;
      // Where bubblewrap is there and may not do its work, the vault does without it.
      if (!wasConfined || !this.#canConfine) throw silent();
      this.#canConfine = false;
    }
  }

  #askOnce(question: Question): Promise<FromVault | null> {
    const { child, waiting } = (this.#life ??= this.#begin());
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve) => {
      const timer = setTimeout(() => child.kill("SIGKILL"), limits.questionMsMax);
      waiting.set(id, (said) => {
        clearTimeout(timer);
        resolve(said);
      });
      child.stdin?.write(encodeFrame(encodeValue({ id, ...question })));
    });
  }

  #begin(): Life {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const words = [process.execPath, "--no-warnings", programPath("vault"), join(this.#folder, "key")];
    const [file = "", ...rest] =
      this.#canConfine && hasBubblewrap() ? [...confined(this.#folder), ...words] : words;
    const { PATH = "", NODE_COMPILE_CACHE } = process.env;
    const cache = NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE };
    const child = spawn(file, rest, { stdio: ["pipe", "pipe", "ignore"], env: { PATH, ...cache } });
    const life: Life = { child, waiting: new Map() };
    const decoder = new FrameDecoder();
    child.stdout?.on("data", (chunk: Buffer) => {
      const frames = decoder.push(chunk);
      if (frames === "oversized") return void child.kill("SIGKILL");
      for (const frame of frames) {
        const said = decodeValue(frame) as FromVault;
        life.waiting.get(said.id)?.(said);
        life.waiting.delete(said.id);
      }
    });
    child.stdin?.on("error", () => child.kill("SIGKILL"));
    const gone = (): void => {
      if (this.#life === life) this.#life = null;
      for (const answer of life.waiting.values()) answer(null);
      life.waiting.clear();
    };
    child.once("close", gone);
    child.once("error", gone);
    // It holds up nobody's end: when this process goes, its input ends, and so does it.
    child.unref();
    return life;
  }
}

/** No network, no capability, no other process to be seen, the disk read-only but for the vault's own folder. */
function confined(folder: string): string[] {
  const words = [
    "bwrap",
    "--ro-bind",
    "/",
    "/",
    "--dev",
    "/dev",
    "--proc",
    "/proc",
    "--bind",
    folder,
    folder,
  ];
  return [
    ...words,
    "--unshare-net",
    "--unshare-pid",
    "--unshare-ipc",
    "--die-with-parent",
    "--new-session",
    "--cap-drop",
    "ALL",
  ];
}

function hasBubblewrap(): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, "bwrap")));
}

function silent(): OttoError {
  return new OttoError("OTTO_STORAGE_FAILED", {
    what: "The vault, the process that opens secrets, did not answer.",
    state: "No secret was opened.",
    next: "Look whether this machine is out of memory, and restart the control peer.",
  });
}
