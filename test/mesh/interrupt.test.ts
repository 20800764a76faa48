/** Ctrl-C and `otto cancel`: the steps end, nothing is left behind, and the next run works at once. */

import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freeAddress } from "../ports.ts";
import type { Mailbox } from "./fifo.ts";
import { Mesh } from "./mesh.ts";
import type { Program } from "./program.ts";
import { eventually } from "./program.ts";
import { isLiving } from "./step-processes.ts";

let mesh: Mesh;
let quick: string;

beforeAll(() => {
  mesh = new Mesh();
  quick = mesh.repository("quick", "  one:\n    run: echo quick\n");
});
afterAll(() => mesh?.end());

/** Starts `otto run` of one step that says its process id and never ends by itself. */
async function running(
  name: string,
  before: string,
): Promise<{ program: Program; pid: number; mailbox: Mailbox }> {
  const mailbox = mesh.mailbox();
  const step = `${before} echo $$ > ${mailbox.path}; sleep 600; sleep 600`;
  const program = mesh.start(["run"], { folder: mesh.repository(name, `  one:\n    run: "${step}"\n`) });
  const started = mailbox.line(/^(\d+)$/u).catch(async (cause: unknown) => {
    const { stdout, stderr } = await mesh.otto(["peers"]);
    const said = [program.stdout, program.stderr, mesh.embeddedLogs, stdout, stderr].join("");
    throw new Error(`The step did not start. What otto run, its nodes and otto peers said:\n${said}`, {
      cause,
    });
  });
  const [, pid = ""] = await started;
  return { program, pid: Number(pid), mailbox };
}

it("cancels the run, waits for the end of its steps and leaves with 130; the next run works at once", async () => {
  const { program, pid } = await running("interrupted", "");
  program.signal("SIGINT");
  const ended = await program.ended;
  expect(ended).toMatchObject({ code: 130, signal: null, stderr: "" });
  expect(ended.stdout).toContain("Cancelling; waiting for the steps to end");
  expect(ended.stdout).toContain("interrupted cancelled");
  expect(isLiving(pid)).toBe(false);
  expect(mesh.embeddedStepProcesses).toEqual([]);
  const next = await mesh.otto(["run"], { folder: quick });
  expect(next, next.stderr).toMatchObject({ code: 0, stderr: "" });
});

it("leaves at once at the second Ctrl-C; the step that would not end is ended without it", async () => {
  const { program, pid } = await running("stubborn", "trap '' TERM INT;");
  program.signal("SIGINT");
  await program.said(/Cancelling/u);
  program.signal("SIGINT");
  expect(await program.ended).toMatchObject({ code: 130, stderr: "" });
  expect(isLiving(pid)).toBe(true);
  const next = await mesh.otto(["run"], { folder: quick });
  expect(next, next.stderr).toMatchObject({ code: 0 });
  await eventually(
    "the stubborn step is ended",
    () => isLiving(pid),
    (living) => !living,
  );
});

it("ends a run that somebody cancels from elsewhere with 1", async () => {
  const { program, pid } = await running("cancelled", "");
  const [, run = ""] = await program.said(/\(run (\w+)\)/u);
  const { stdout } = await mesh.succeed(["cancel", run]);
  expect(stdout).toContain(`Run ${run} is being cancelled`);
  const ended = await program.ended;
  expect(ended).toMatchObject({ code: 1, stderr: "" });
  expect(ended.stdout).toContain("cancel requested by");
  expect(isLiving(pid)).toBe(false);
  const again = await mesh.otto(["cancel", run]);
  expect(again).toMatchObject({ code: 2, stdout: "" });
  expect(again.stderr).toContain(`Run ${run} is over`);
});

it("down: stops both processes, and a second time there is nothing to stop", async () => {
  const pids = mesh.embeddedProcesses;
  expect(pids).toHaveLength(2);
  expect((await mesh.succeed(["down"])).stdout).toBe("Stopped 2 processes.\n");
  expect(pids.filter((pid) => isLiving(pid))).toEqual([]);
  expect((await mesh.succeed(["down"])).stdout).toBe("Nothing was running.\n");
});

it("down: leaves this user's own node alone, and says how to stop it", async () => {
  const program = mesh.start(["up", "--control", "--listen", await freeAddress()]);
  await program.said(/ is up\./u);
  const node = join(mesh.folder, "home", "node");
  expect((await mesh.succeed(["down"])).stdout).toBe(
    `Nothing was running.\nThis user's node goes on, as process ${program.pid}. Stop it with: otto down --node ${node}\n`,
  );
  expect((await mesh.succeed(["down", "--node", node])).stdout).toBe("Stopped 1 process.\n");
  expect((await mesh.succeed(["down"])).stdout).toBe("Nothing was running.\n");
});
