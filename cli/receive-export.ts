/** The export of a run as a node sends it: chunk by chunk, and whole or not at all. */

import { impatient } from "../node/edge/channel.ts";
import { callFor } from "../node/edge/client.ts";
import { OttoError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import type { Target } from "./target.ts";

export async function receiveExport(run: string, target: Target): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const request = { call: "export", certificate: target.certificate, run } as const;
  const channel = impatient(await target.open(), limits.answerMsMax);
  for await (const item of callFor(channel, request)) {
    if (item.kind === "done") return Buffer.concat(chunks);
    if (item.kind !== "chunk") continue;
    chunks.push(item.bytes);
    bytes += item.bytes.length;
    if (bytes > limits.exportBytesMax) break;
  }
  throw new OttoError("OTTO_MESSAGE_INVALID", {
    what: `The node sent ${bytes} bytes about run ${run}, and they did not end as an export does.`,
    state: "Nothing was kept of them.",
    next: "Ask again, or ask another peer.",
  });
}
