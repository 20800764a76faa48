/**
 * What every renderer is given and what it gives back.
 */

import type { RunView } from "../../node/view/run.ts";
import type { WatchItem } from "../../protocol/calls.ts";

/** Where a renderer writes: `process.stdout`, or less. */
export type Out = {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  /** Columns and rows of the terminal now; read again at every frame. */
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  /** How many colours it can show; knows `NO_COLOR`, `FORCE_COLOR` and `TERM`. */
  hasColors?(): boolean;
};

export type RendererOptions = {
  readonly out: Out;
  /** Wall clock in milliseconds, as the events have it. */
  readonly now: () => number;
  readonly color: boolean;
  /** Calls back about every `everyMs` until the returned function is called. Only the tree uses it. */
  readonly every: (everyMs: number, callback: () => void) => () => void;
};

export type Renderer = {
  item(item: WatchItem): void;
  /** Writes what stays: the failing steps' last lines and the summary. Gives the terminal back. Once. */
  close(final: RunView): void;
};
