/**
 * A process that brings one image, or asks which one a tag is, so that neither the network nor unpacking holds up the worker, which renews its leases
 * meanwhile; and so that what is wrong with an image happens to a process that has nothing of the worker's.
 *
 * It is told what to do in the first line of its input, and ends with its input: when the worker goes, or wants the image no more.
 * Its other half is `image-store.ts`.
 */

import { createInterface } from "node:readline";
import { isDiskFull } from "../../blobs.ts";
import { wordsOf } from "../../error-words.ts";
import { unpackHere } from "./unpack-apart.ts";
import { bringImage, checkImage, resolveTag } from "./bring-image.ts";
import { type FromImageProcess, ImageProblem, type ToImageProcess } from "./image-messages.ts";

/** How often it says that it goes on. */
const goingMs = 1_000;
let saidMs = -goingMs;

process.on("SIGINT", () => undefined);
createInterface({ input: process.stdin })
  .once("line", (line) => void perform(JSON.parse(line) as ToImageProcess))
  .once("close", () => process.exit(1));

const diskFull = { why: "this worker's disk is full", next: "free some space there" };

async function perform(task: ToImageProcess): Promise<void> {
  try {
    if (task.kind === "resolve") return end({ kind: "resolved", sha256: await resolveTag(task) });
    if (task.kind === "unpack") return end({ kind: "unpacked", bytes: await unpackHere(task, going) });
    if (task.kind === "check") {
      await checkImage(task);
      return end({ kind: "checked" });
    }
    await bringImage(task, { said: (line) => say({ kind: "said", line }), going });
    end({ kind: "brought" });
  } catch (error) {
    end(
      error instanceof ImageProblem
        ? { kind: "failed", why: error.message, next: error.next, passes: error.passes }
        : isDiskFull(error)
          ? { kind: "failed", passes: true, ...diskFull }
          : {
              kind: "failed",
              why: `it failed (${wordsOf(error)})`,
              next: "look at the worker's disk and its network",
              passes: true,
            },
    );
  }
}

function going(): void {
  if (performance.now() - saidMs < goingMs) return;
  saidMs = performance.now();
  say({ kind: "going" });
}

function say(message: FromImageProcess): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function end(message: FromImageProcess): void {
  process.stdout.write(`${JSON.stringify(message)}\n`, () => process.exit(0));
}
