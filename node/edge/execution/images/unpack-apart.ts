/**
 * Unpacks what strangers packed, in a process that is shut in where bubblewrap is there: without a network, and with nothing that it may
 * write to but the image's own folder. What can be had of that is had, and the checks of `unpack.ts` do not count on it.
 */

import { spawn } from "node:child_process";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { programPath } from "../../programs.ts";
import { systemProgram } from "../sandbox/bubblewrap.ts";
import { type FromImageProcess, ImageProblem, type UnpackTask } from "./image-messages.ts";
import { finishRoot } from "./mount-points.ts";
import { Unpacker } from "./unpack.ts";

export type Unpacked = { readonly bytes: number; readonly isShutIn: boolean };

/** @param going is told again and again, for as long as it goes on. */
export async function unpackApart(task: UnpackTask, going: () => void): Promise<Unpacked> {
  const bwrap = systemProgram("bwrap");
  const end = bwrap === null ? null : await unpackWith(bwrap, task, going);
  if (end?.kind === "unpacked") return { bytes: end.bytes, isShutIn: true };
  if (end?.kind === "failed") throw new ImageProblem(end.why, end.next, { passes: end.passes });
  return { bytes: await unpackHere(task, going), isShutIn: false };
}

/** What it takes on the disk, in bytes, or a little more. */
export async function unpackHere(
  { folder, layers, roomBytes, bounds }: UnpackTask,
  going: () => void,
): Promise<number> {
  const root = join(folder, "root");
  mkdirSync(root);
  for (const path of [folder, root]) chmodSync(path, 0o755);
  const unpacker = new Unpacker(root, { ...bounds, roomBytes }, going);
  for (const layer of layers) await unpacker.add(layer);
  finishRoot(unpacker.root);
  return unpacker.bytes;
}

/** Words for bubblewrap, before the program and its words. */
export function shutInWords(folder: string): readonly string[] {
  const alone = "--unshare-all --unshare-user --cap-drop ALL --new-session --die-with-parent".split(" ");
  const system = "--ro-bind / / --dev /dev --remount-ro /dev --proc /proc --chdir /".split(" ");
  return [...alone, ...system, "--bind", folder, folder];
}

/** Null: bubblewrap cannot do it here, and nothing has begun. */
async function unpackWith(
  bwrap: string,
  task: UnpackTask,
  going: () => void,
): Promise<FromImageProcess | null> {
  const words = [process.execPath, ...process.execArgv, programPath("image")];
  const child = spawn(bwrap, [...shutInWords(task.folder), ...words], { stdio: ["pipe", "pipe", "ignore"] });
  child.stdin.on("error", () => undefined);
  child.stdin.write(`${JSON.stringify(task)}\n`);
  const gone = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  let end: FromImageProcess | null = null;
  let hasBegun = false;
  for await (const line of createInterface({ input: child.stdout })) {
    hasBegun = true;
    const message = JSON.parse(line) as FromImageProcess;
    if (message.kind === "going") going();
    else end = message;
  }
  await gone;
  if (end === null && hasBegun)
    throw new ImageProblem("the process that unpacks it ended before it was done", "start the run again", {
      passes: true,
    });
  return end;
}
