/**
 * Hides the cursor while frames are drawn, and gives it back on every way out: the end of the drawing, the end of
 * the process, a signal that nobody else handles, and while the process is suspended (Ctrl-Z).
 */

import type { Out } from "./terminal.ts";

const hide = "\u001b[?25l";
/** Also ends a frame that was cut off in the middle: lines wrap again, colours end. */
const show = "\u001b[?7h\u001b[0m\u001b[?25h";
const deadly = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** @param afterSuspension called when the process goes on and the screen may hold anything. */
export function guardCursor(out: Out, afterSuspension: () => void): { release(): void } {
  const restore = () => void out.write(show);
  const onDeadly = (signal: NodeJS.Signals) => {
    // Whoever else listens decides what becomes of the process; alone we only come between to restore.
    if (process.listenerCount(signal) > 1) return;
    release();
    process.kill(process.pid, signal);
  };
  const onSuspend = () => {
    restore();
    process.kill(process.pid, "SIGSTOP");
  };
  const onContinue = () => {
    out.write(hide);
    afterSuspension();
  };
  const release = () => {
    restore();
    process.off("exit", restore);
    for (const signal of deadly) process.off(signal, onDeadly);
    process.off("SIGTSTP", onSuspend);
    process.off("SIGCONT", onContinue);
  };

  out.write(hide);
  process.on("exit", restore);
  for (const signal of deadly) process.on(signal, onDeadly);
  process.on("SIGTSTP", onSuspend);
  process.on("SIGCONT", onContinue);
  return { release };
}
