/** Which image a tag is now, as its registry says: the process that brings images to workers asks, by the same way. */

import { imageBounds } from "../../node/edge/execution/images/image-messages.ts";
import { runImageTask } from "../../node/edge/execution/images/image-task.ts";
import { wordsOf } from "../../node/edge/error-words.ts";
import { OttoError } from "../../protocol/errors.ts";
import { parseImageTag } from "../../protocol/image-name.ts";

/** `sha256:HEX`. Throws `OTTO_IMAGE_UNKNOWN`. */
export async function resolveImage(text: string): Promise<string> {
  const name = parseImageTag(text);
  if (name === null) throw new Error("Bug: an image that has no tag");
  try {
    const task = { kind: "resolve", name, bounds: imageBounds } as const;
    const done = await runImageTask(task, { signal: new AbortController().signal, said: () => undefined });
    if (done.kind === "resolved") return `sha256:${done.sha256}`;
    throw new Error("Bug: an image that was brought where its digest was asked for");
  } catch (error) {
    throw new OttoError("OTTO_IMAGE_UNKNOWN", {
      what: `The image ${text} cannot be pinned, since ${wordsOf(error)}.`,
      state: "The lock file was left as it was.",
      next: `Look whether this machine reaches its registry, and correct its name or its tag; or write its digest: ${text}@sha256:...`,
      cause: error,
    });
  }
}
