/**
 * A run as JSON, one object a line, for programs. The shape is part of the public interface:
 *
 *   {"kind":"plan","run":…,"planId":…,"plan":{…}}                   first (`protocol/plan.ts`)
 *   {"kind":"run-admitted",…} … {"kind":"run-closed",…}             each event as it is (`protocol/events.ts`)
 *   {"kind":"output","run":…,"step":…,"attempt":…,"offset":…,"text":…}
 *   {"kind":"notice","text":…}                                      about the watching itself
 *   {"kind":"summary","run":…,"pipeline":…,"state":…,"steps":…,"ended":…,"failed":…,"startedMs":…,"endedMs":…}  last
 *
 * `offset` is where the chunk's first byte stands in the attempt's log. `text` is UTF-8 decoded: what is not
 * valid becomes U+FFFD, and a character that two chunks share comes with the second. An event may come twice.
 */

import { TextDecoder } from "node:util";

import { summarizeRun } from "../../node/view/summary.ts";
import type { RunView } from "../../node/view/run.ts";
import type { WatchItem } from "../../protocol/calls.ts";
import { unreachable } from "../../protocol/errors.ts";
import type { Renderer, RendererOptions } from "./terminal.ts";

/** What people signed is bytes: base64. */
function asText(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
}

export function jsonRenderer({ out }: Pick<RendererOptions, "out">): Renderer {
  const decoders = new Map<string, TextDecoder>();
  const write = (value: Readonly<Record<string, unknown>>) => out.write(`${JSON.stringify(value, asText)}\n`);

  return {
    item(item: WatchItem) {
      switch (item.kind) {
        case "plan":
        case "notice":
          write(item);
          return;
        case "event":
          write(item.event);
          return;
        case "output": {
          const { bytes, ...rest } = item;
          const key = JSON.stringify([item.step, item.attempt]);
          const decoder = decoders.get(key) ?? new TextDecoder("utf-8", { ignoreBOM: true });
          decoders.set(key, decoder);
          write({ ...rest, text: decoder.decode(bytes, { stream: true }) });
          return;
        }
        default:
          unreachable(item);
      }
    },
    close(final: RunView) {
      write({ kind: "summary", ...summarizeRun(final) });
    },
  };
}
