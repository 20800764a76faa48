/** The cursor comes back however the process ends. Real processes, for only they can be killed. */

import { spawn } from "node:child_process";
import { once } from "node:events";

import { describe, expect, it } from "vitest";

const cursor = new URL("../../../cli/render/cursor.ts", import.meta.url).href;
const hidden = "\u001b[?25l";
const shown = "\u001b[?7h\u001b[0m\u001b[?25h";

async function endOf(body: string, signal: NodeJS.Signals | null) {
  const program = `
    import { guardCursor } from ${JSON.stringify(cursor)};
    import { writeSync } from "node:fs";
    const guard = guardCursor({ write: (text) => writeSync(1, text) }, () => {});
    ${body}
    writeSync(1, "ready");
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (more: string) => {
    text += more;
    if (signal !== null && text.endsWith("ready")) child.kill(signal);
  });
  const [code, endSignal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { text, code, signal: endSignal };
}

const stay = "setInterval(() => {}, 60_000);";

describe("the cursor", () => {
  it("comes back at the end of the drawing, and only once", async () => {
    const { text } = await endOf("guard.release();", null);
    expect(text).toBe(`${hidden}${shown}ready`);
  });

  it("comes back when the process ends by itself or by an error", async () => {
    const exits = await endOf("setTimeout(() => process.exit(3));", null);
    expect(exits).toEqual({ text: `${hidden}ready${shown}`, code: 3, signal: null });
    const throws = await endOf("setTimeout(() => { throw new Error('planted'); });", null);
    expect(throws).toEqual({ text: `${hidden}ready${shown}`, code: 1, signal: null });
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("comes back when %s ends the process", async (signal) => {
    expect(await endOf(stay, signal)).toEqual({ text: `${hidden}ready${shown}`, code: null, signal });
  });

  it("leaves a signal to whoever else handles it", async () => {
    const body = `${stay} process.on("SIGINT", () => { guard.release(); process.exit(130); });`;
    expect(await endOf(body, "SIGINT")).toEqual({ text: `${hidden}ready${shown}`, code: 130, signal: null });
  });
});
